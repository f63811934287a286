package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLongWorkShowsForHowLongOnATerminalAlone(t *testing.T) {
	failed := errors.New("found something")
	work := func(out io.Writer) error {
		<-time.After(2500 * time.Millisecond)
		_, _ = io.WriteString(out, "ok\n")
		return failed
	}
	for _, tc := range []struct {
		name     string
		terminal bool
		bar      string
	}{
		{"on a terminal", true, "\r\x1b[Kreading, for 1 s\r\x1b[Kreading, for 2 s\r\x1b[K"},
		{"in a pipe", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bar, out strings.Builder
				var where io.Writer
				if tc.terminal {
					where = &bar
				}
				err := meanwhile(where, &out, "reading", work)
				if !errors.Is(err, failed) || out.String() != "ok\n" || bar.String() != tc.bar {
					t.Errorf("got %q on the bar, %q, %v", bar.String(), out.String(), err)
				}
			})
		})
	}
}
