//go:build peers

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestAnUpgradeCostsNoRequest replaces the program and restarts one instance
// after the other, as docs/operators.md has it: registries, login, creditcard,
// portal, and on only when ccms doctor --quick says ok. Meanwhile people are
// served; each request must succeed.
func TestAnUpgradeCostsNoRequest(t *testing.T) {
	perSecond := setting(t, "CCMS_TEST_RATE", 100)
	before, installed := binary, filepath.Join(t.TempDir(), "ccms")
	install(t, before, installed)
	binary = installed
	t.Cleanup(func() { binary = before })
	release := filepath.Join(t.TempDir(), "ccms-next") // the same program, built otherwise
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", release, "ccms/cmd/ccms").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cl := startCluster(t)
	people, c, machine := cl.people(8), cl.client(), watch(t)
	var l stream
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { l.run(c, cl.portals[0].url, people, perSecond, stop) })
	install(t, release, installed)
	began := time.Now()
	for _, m := range slices.Concat(cl.eurekas, cl.logins, cl.cards, cl.portals) {
		if err := m.stop(); err != nil {
			t.Errorf("%s: %v", filepath.Base(m.dir), err)
		}
		cl.restart(m)
		healthy(t, m.dir)
	}
	took := time.Since(began)
	close(stop)
	running.Wait()
	all, stood := l.take(), 0
	for _, s := range all {
		switch {
		case s.good():
		case s.status == http.StatusGatewayTimeout && machine.stood(s):
			stood++
		default:
			t.Errorf("%s %s: %d %v, %v into the upgrade", s.method, s.path, s.status, s.err, s.begun.Sub(began))
		}
	}
	now, err := os.Stat(installed)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range cl.members() {
		if runs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", m.cmd.Process.Pid)); err != nil || !os.SameFile(now, runs) {
			t.Errorf("%s still runs the program of before: %v", filepath.Base(m.dir), err)
		}
	}
	t.Logf("%d instances replaced in %v, %d requests at %d/s, %d timed out while the machine stood still", len(cl.members()), took, len(all), perSecond, stood)
}

// install puts a program in the place of another, which may be running.
func install(t *testing.T, program, at string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "install", "-m", "755", program, at).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// healthy waits until ccms doctor --quick finds the server of a folder well.
func healthy(t *testing.T, folder string) {
	t.Helper()
	for deadline := time.Now().Add(within); ; <-time.After(50 * time.Millisecond) {
		out, err := exec.CommandContext(t.Context(), binary, "doctor", "--quick", "--data", folder).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not become well: %v\n%s", filepath.Base(folder), err, out)
		}
	}
}
