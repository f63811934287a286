package chassis

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ccms/internal/config"
)

// TestTheSupervisorIsTold would fail if systemctl returned before a service is
// ready or before settings were read again, or if it took a service that stops
// for one that runs.
func TestTheSupervisorIsTold(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	hears := func(want string) {
		t.Helper()
		buf := make([]byte, 200)
		n, err := socket.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), want) {
			t.Errorf("told %q, %v, want %q", buf[:n], err, want)
		}
	}

	s, err := config.Load(config.Sources{Flags: map[string]string{"data": filepath.Join(t.TempDir(), "data")}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(Start{Settings: s, Console: Console{Err: t.Output()}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	p.toldReload(func() {}) // before it is ready: of this nothing is told
	go func() { ended <- p.Run(ctx, func() error { return nil }) }()
	hears("READY=1")
	p.hangup <- unix.SIGHUP
	hears("RELOADING=1\nMONOTONIC_USEC=")
	hears("READY=1")
	stop()
	hears("STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhatIsSaidToTheSupervisor(t *testing.T) {
	t.Run("is nothing where there is none", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", "")
		if err := tell("READY=1"); err != nil {
			t.Error(err)
		}
	})
	t.Run("is an error where it is gone, since it would end us as one that never got ready", func(t *testing.T) {
		t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
		if err := tell("READY=1"); err == nil {
			t.Error("no error")
		}
	})
}
