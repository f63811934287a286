package e2e

import (
	"cmp"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// restoreWithin is how long a restore of 100,000 cards may take, every check
// included.
const restoreWithin = time.Minute

// BenchmarkRestore imports cards with ccms cards import (CCMS_BENCH_CARDS; a
// hundredth of the lines is refused), backs the running product up, restores the
// file into an empty folder and starts the product there.
func BenchmarkRestore(b *testing.B) {
	for size := range strings.SplitSeq(cmp.Or(os.Getenv(cardsEnv), "1000"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			b.Fatalf("%s: %v", cardsEnv, err)
		}
		b.Run("cards="+size, func(b *testing.B) {
			for b.Loop() {
				restoreOf(b, n)
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

func restoreOf(b *testing.B, n int) {
	b.Helper()
	dir, folder, c := b.TempDir(), b.TempDir(), newClient(b)
	p, err := up(dir, busy...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.kill()
	firm := newFirm(b, c, p, "--live", "--scope", allScopes)
	cards, _ := writeCards(b, folder, n)
	timed := func(what string, do func()) time.Duration {
		began := time.Now()
		do()
		took := time.Since(began)
		b.ReportMetric(took.Seconds(), what+"-s")
		return took
	}
	var sum importSummary
	timed("import", func() {
		out, err := exec.Command(binary, append([]string{"cards", "import", cards, "-o", "json"}, clientFlags(b, folder, p, firm)...)...).Output()
		if _, refused := err.(*exec.ExitError); err != nil && !refused {
			b.Fatal(err)
		}
		if err := json.Unmarshal(out, &sum); err != nil || sum.Registered < n-n/100 {
			b.Fatalf("%+v %v", sum, err)
		}
	})
	file, into := filepath.Join(folder, "ccms.backup"), filepath.Join(folder, "restored")
	timed("backup", func() { lockedPeak(b, "backup", dir, "backup", file) })
	if err := p.stop(); err != nil {
		b.Fatal(err)
	}
	if took := timed("restore", func() { lockedPeak(b, "restore", into, "restore", file) }); took > restoreWithin && n <= 100_000 {
		b.Errorf("the restore of %d cards took %s", n, took)
	}
	var again *process
	timed("start", func() {
		if again, err = up(into, busy...); err != nil {
			b.Fatal(err)
		}
	})
	defer again.kill()
	restored := bench{again, c, firm}
	restored.firm.token = grant(b, c, again, firm)
	if rows, err := restored.count("/v1/reports/registrations?format=ndjson", "\n"); err != nil || rows != sum.Registered {
		b.Errorf("%d of %d registrations are there, %v", rows, sum.Registered, err)
	}
	if is, err := os.Stat(file); err == nil {
		b.ReportMetric(float64(is.Size())/1e6, "file-MB")
	}
}

// lockedPeak is locked, and reports the most memory the command had.
func lockedPeak(b *testing.B, what, dir string, args ...string) {
	b.Helper()
	command := exec.Command(binary, append(args, "--data", dir)...)
	command.Stdin = strings.NewReader(passphrase + "\n")
	if out, err := command.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	if used, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		b.ReportMetric(float64(used.Maxrss)/1000, what+"-peak-MB")
	}
}
