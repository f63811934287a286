package harden

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Process keeps what is in memory in memory: no core dump, and no other process
// of the same user may read ours (PCI DSS 3.3.2).
func Process() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid dumps of memory: %w", err)
	}
	return nil
}
