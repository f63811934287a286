//go:build chaos

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// reading are the requests that write nothing a person waits for. A reveal is
// none: it does not happen without a record of it (decision D9).
var reading = []string{"status", "list cards", "account", "validate"}

// disk is a small file system of its own.
type disk struct {
	t   testing.TB
	dir string
}

// smallDisk mounts one, or says that it cannot.
func smallDisk(t testing.TB, megabytes int) *disk {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Logf("NOT RUN: %s: nothing can be mounted here: %v", t.Name(), err)
		return nil
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return &disk{t, dir}
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill leaves not a byte.
func (d *disk) fill() {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Error(err)
		return
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		switch _, err := f.Write(make([]byte, size)); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			d.t.Error(err)
			return
		}
	}
}

// empty gives the space back, and returns when.
func (d *disk) empty() time.Time {
	if err := os.Remove(d.filler()); err != nil {
		d.t.Error(err)
	}
	return time.Now()
}

// sensitive lets every session's activity be written every six seconds, so that
// reads have something to write.
func sensitive() []string {
	return []string{"--login.session-idle", "1m", "--reveal.per-hour", "1000000",
		"--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000"}
}

// onDisk starts the product and its load.
func onDisk(t *testing.T, dir string, flags ...string) (*process, *traffic) {
	p, err := up(dir, append(flags, sensitive()...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	view := &process{dir: dir, urls: urls{Login: p.Portal, CreditCard: p.Portal, Portal: p.Portal}}
	return p, newTraffic(t, newClient(t), view, p)
}

// TestFaultsOfADisk fills the disk under the embedded store, again and again.
// Writes are refused, reads go on, and all is well when there is space again,
// without a restart. Then it is killed while the disk is full, and started again
// when there is space.
func TestFaultsOfADisk(t *testing.T) {
	d := smallDisk(t, 64)
	if d == nil {
		return
	}
	p, tr := onDisk(t, filepath.Join(d.dir, "data"))
	for i := range 3 {
		t.Run(fmt.Sprint("full ", i+1), func(t *testing.T) {
			tr.suffer(t, fault{
				name: "disk full", between: "ccms up, its store", lasts: max(8*time.Second, lasting(t)),
				begin: d.fill, end: d.empty, unharmed: reading,
			})
		})
	}
	t.Run("killed while full", func(t *testing.T) {
		tr.suffer(t, fault{
			name: "disk full, and kill -9", between: "ccms up, its store", lasts: lasting(t), noAnswer: true,
			begin: func() { d.fill(); p.kill() },
			end: func() time.Time {
				over := d.empty()
				tr.restarted(t, p)
				return over
			},
		})
	})
	tr.prepare()
	open, slowest := tr.settle()
	t.Logf("%d orders, of which %d were not acknowledged at once; they settled within %v", len(tr.orders), open, slowest)
	if out, err := ccms(p.dir, "audit", "verify"); err != nil {
		t.Errorf("audit verify: %v %s", err, out)
	}
}

// restarted starts p again; its portal has the address it had.
func (tr *traffic) restarted(t *testing.T, p *process) {
	again, err := up(p.dir, sensitive()...)
	if err != nil {
		t.Fatal(err)
	}
	if again.Portal != tr.view.Portal {
		t.Errorf("the portal moved from %s to %s", tr.view.Portal, again.Portal)
	}
	*p = *again
}

// TestFaultsOfALogDisk fills the disk of log.file alone: nobody may notice, and
// lines are written again when there is space.
func TestFaultsOfALogDisk(t *testing.T) {
	d := smallDisk(t, 1)
	if d == nil {
		return
	}
	file := filepath.Join(d.dir, "ccms.log")
	_, tr := onDisk(t, t.TempDir(), "--log.file", file, "--log.format", "json")
	r := tr.suffer(t, fault{
		name: "disk full", between: "ccms up, its log.file", lasts: max(8*time.Second, lasting(t)),
		begin: d.fill, end: d.empty,
	})
	if len(r.refused) != 0 {
		t.Errorf("refused: %v", r.refused)
	}
	before := len(readLog(t, file))
	tr.send("validate")
	if after := len(readLog(t, file)); after <= before {
		t.Errorf("%d lines before a request, %d after it", before, after)
	}
}
