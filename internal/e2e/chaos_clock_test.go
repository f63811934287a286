//go:build chaos

package e2e

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// clockEnv names the file that says by how many seconds a process's clock is
// wrong. Only the program that steppedBinary builds knows it.
const clockEnv = "CHAOS_CLOCK"

// steppedBinary builds the program with another standard library: its time.Now
// adds the seconds that a file says, and nothing else changes. What is measured
// by the monotonic clock, as timers are, stays right, as it does when somebody
// sets a machine's clock. The sources of the product are as they are.
func steppedBinary(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(string(bytes.TrimSpace(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const reads = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(source, []byte(reads)) != 1 {
		t.Fatal("time.Now of this Go release reads the clock in another way: see to steppedBinary")
	}
	dir := t.TempDir()
	changed := filepath.Join(dir, "time.go")
	if err := os.WriteFile(changed, bytes.Replace(source, []byte(reads), []byte(reads+"\tsec += stepped.Load()\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	step, err := filepath.Abs(filepath.Join("testdata", "clock", "step.go.txt"))
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(library, "time.go"): changed, filepath.Join(library, "step.go"): step,
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	stepped := filepath.Join(dir, "ccms")
	build := exec.Command("go", "build", "-overlay", file, "-o", stepped, "ccms/cmd/ccms")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		t.Fatal(err)
	}
	return stepped
}

// TestFaultsOfTheClock sets clocks an hour forward and back: those of all
// processes, as when a machine is set, and that of one, as when one of several
// machines is wrong.
func TestFaultsOfTheClock(t *testing.T) {
	before := binary
	binary = steppedBinary(t)
	t.Cleanup(func() { binary = before })
	s := startSite(t)
	tr := s.traffic()
	all := slices.Concat(s.eurekas, s.logins, s.cards, s.portals)
	for _, hours := range []int{1, -1} {
		sign := map[int]string{1: "+1 h", -1: "−1 h"}[hours]
		for _, f := range []struct {
			between string
			whose   []*runner
		}{
			{"all", all}, {"one eureka", s.eurekas[:1]}, {"one login", s.logins[:1]}, {"one creditcard", s.cards[:1]}, {"one portal", s.portals[:1]},
		} {
			t.Run(sign+" "+f.between, func(t *testing.T) {
				r := tr.suffer(t, fault{
					name: "clock " + sign, between: f.between, lasts: lasting(t),
					begin:  func() { s.step(f.whose, hours) },
					end:    func() time.Time { s.step(f.whose, 0); return time.Now() },
					expect: expired,
				})
				if hours > 0 && f.between == "all" && r.refused["403 TOKEN_EXPIRED"] == 0 {
					t.Error("no token expired in an hour: the clock was not set")
				}
			})
		}
	}
	tr.prepare()
	open, slowest := tr.settle()
	t.Logf("%d orders, of which %d were not acknowledged at once; they settled within %v", len(tr.orders), open, slowest)
}

// expired are the answers to who comes with a firm's token, which live ten
// minutes, when it is an hour later.
func expired(r result) bool {
	return r.status == http.StatusForbidden && r.code == "TOKEN_EXPIRED" && slices.Contains([]string{"register", "status", "reveal"}, r.what)
}

// step sets clocks by so many hours against the machine's.
func (s *site) step(all []*runner, hours int) {
	for _, m := range all {
		if err := os.WriteFile(m.dir+".clock", []byte(strconv.Itoa(hours*3600)), 0o600); err != nil {
			s.t.Error(err)
		}
	}
}
