package certs

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
)

// owned is what a file's owner and mode are.
type owned struct {
	fs.FileInfo
	uid  int
	mode fs.FileMode
}

func (o owned) Mode() fs.FileMode { return o.mode }
func (o owned) Sys() any          { return &syscall.Stat_t{Uid: uint32(o.uid)} } //nolint:gosec // no id is that large

func TestWhoMayReadAKey(t *testing.T) {
	us := os.Geteuid()
	tests := []struct {
		name string
		file owned
		want bool
	}{
		{"ours alone", owned{uid: us, mode: 0o600}, true},
		{"ours, read only", owned{uid: us, mode: 0o400}, true},
		{"ours, for all to read", owned{uid: us, mode: 0o604}, false},
		{"ours, for a group to read", owned{uid: us, mode: 0o640}, us == 0},
		{"root's, for a group to read", owned{uid: 0, mode: 0o440}, true},
		{"root's, for a group to write", owned{uid: 0, mode: 0o660}, false},
		{"root's, for all to read", owned{uid: 0, mode: 0o644}, false},
		{"somebody else's", owned{uid: us + 1000, mode: 0o600}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := private(tc.file); got != tc.want {
				t.Errorf("private: %v, want %v", got, tc.want)
			}
		})
	}
}
