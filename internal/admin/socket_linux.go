package admin

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// address names the socket in an open folder. The kernel takes 107 bytes of a
// path (unix(7)); this one is short however long the folder's own is.
func address(folder *os.File) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), socket)
}

// sameUser asks the kernel who opened the other end.
func sameUser(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && int(peer.Uid) == os.Geteuid()
	})
	return err == nil && same
}
