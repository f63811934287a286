package harden_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ccms/internal/harden"
)

func TestAProcessLeavesNoCoreDump(t *testing.T) {
	if err := harden.Process(); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil || limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("a core dump may have %d bytes, up to %d: %v", limit.Cur, limit.Max, err)
	}
}
