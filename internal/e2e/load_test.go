package e2e

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The benchmarks of the running product. Each compares with something in the
// same run, because machines differ and are noisy:
//
//	go test ./internal/e2e -run xxx -bench . -benchtime 1x

// emptyServerEnv makes the test binary the server with an empty handler.
const emptyServerEnv = "CCMS_E2E_EMPTY_SERVER"

// serveEmpty is a process of its own, as the product is, that answers every
// request with an empty 200 and nothing else.
func serveEmpty() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	_ = http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
}

func startEmpty(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), emptyServerEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(string(line[:n]))
}

// figures is what a load saw.
type figures struct {
	ok, failed int
	took       time.Duration
	latencies  []time.Duration // of those that were answered with 200, sorted
}

func (f figures) rate() float64 { return float64(f.ok) / f.took.Seconds() }

func (f figures) quantile(q float64) time.Duration {
	if len(f.latencies) == 0 {
		return 0
	}
	return f.latencies[min(len(f.latencies)-1, int(q*float64(len(f.latencies))))]
}

// get sends one GET and reports whether it was answered with 200.
func get(ctx context.Context, c *http.Client, url, token string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusOK
}

// closed sends as fast as n clients can, for d.
func closed(c *http.Client, n int, d time.Duration, url, token string) figures {
	all := make([]figures, n)
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if get(context.Background(), c, url, token) {
					all[i].latencies = append(all[i].latencies, time.Since(began))
					all[i].ok++
				} else {
					all[i].failed++
				}
			}
		})
	}
	wg.Wait()
	return merge(all, time.Since(start))
}

// offered sends at a fixed rate, whether or not answers come, for d; a latency
// counts from the moment a request was due.
func offered(c *http.Client, rate int, d time.Duration, url, token string) figures {
	n := int(d.Seconds() * float64(rate))
	all := make([]figures, n)
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		<-time.After(time.Until(due))
		wg.Go(func() {
			if get(context.Background(), c, url, token) {
				all[i].ok, all[i].latencies = 1, []time.Duration{time.Since(due)}
			} else {
				all[i].failed = 1
			}
		})
	}
	wg.Wait()
	return merge(all, time.Since(start))
}

func merge(all []figures, took time.Duration) figures {
	f := figures{took: took}
	for _, one := range all {
		f.ok += one.ok
		f.failed += one.failed
		f.latencies = append(f.latencies, one.latencies...)
	}
	slices.Sort(f.latencies)
	return f
}

// flood keeps n clients logging in with wrong passwords until stop is called,
// which says how many attempts were made.
func flood(c *client, p *process, n int) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var sent atomic.Int64
	for i := range n {
		wg.Go(func() {
			for try := 0; ctx.Err() == nil; try++ {
				_, _, _ = c.send("POST", p.Login+"/api/customer/login", map[string]string{"email": fmt.Sprintf("f%d-%d@example.com", i, try), "password": "wrong-walrus-42"})
				sent.Add(1)
			}
		})
	}
	return func() int64 {
		cancel()
		wg.Wait()
		return sent.Load()
	}
}

// rounds is how often each figure is taken; the median is reported.
const rounds = 5

func median[T int | float64 | time.Duration](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

// generous takes the rate limits away: the load comes from one address.
var generous = []string{"--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000", "--log.level", "warn"}

// BenchmarkValidate compares GET /api/customer/jwt/validate with an empty
// handler in another process, 16 clients each, in turns.
func BenchmarkValidate(b *testing.B) {
	p := start(b, generous...)
	c := newClient(b)
	who := signUp(b, c, p, "bench")
	empty, validate := startEmpty(b), p.Login+"/api/customer/jwt/validate"
	for b.Loop() {
		var rates, base, shares []float64
		var p99, baseP99 []time.Duration
		for range rounds {
			e := closed(c.http, 16, 2*time.Second, empty, who.token)
			v := closed(c.http, 16, 2*time.Second, validate, who.token)
			if v.failed > 0 || v.ok == 0 {
				b.Fatalf("%d of %d failed", v.failed, v.ok+v.failed)
			}
			rates, base, shares = append(rates, v.rate()), append(base, e.rate()), append(shares, v.rate()/e.rate())
			p99, baseP99 = append(p99, v.quantile(.99)), append(baseP99, e.quantile(.99))
		}
		b.ReportMetric(median(rates), "validate/s")
		b.ReportMetric(median(base), "empty/s")
		b.ReportMetric(median(shares), "share")
		b.ReportMetric(ms(median(p99)), "p99-ms")
		b.ReportMetric(ms(median(baseP99)), "empty-p99-ms")
	}
}

// BenchmarkValidateUnderLoginFlood offers 500 validations a second, idle and
// while 100 clients flood the login.
func BenchmarkValidateUnderLoginFlood(b *testing.B) {
	p := start(b, generous...)
	c, attackers := newClient(b), newClient(b)
	who := signUp(b, c, p, "bench")
	validate := p.Login + "/api/customer/jwt/validate"
	for b.Loop() {
		var idle, busy []time.Duration
		var ratio []float64
		failed := 0
		for range rounds {
			quiet := offered(c.http, 500, 3*time.Second, validate, who.token)
			stop := flood(attackers, p, 100)
			loud := offered(c.http, 500, 3*time.Second, validate, who.token)
			sent := stop()
			b.Logf("idle p50 %s p99 %s; flood (%d attempts) p50 %s p99 %s, %d failed", quiet.quantile(.5), quiet.quantile(.99), sent, loud.quantile(.5), loud.quantile(.99), loud.failed)
			idle, busy = append(idle, quiet.quantile(.99)), append(busy, loud.quantile(.99))
			ratio = append(ratio, float64(loud.quantile(.99))/float64(quiet.quantile(.99)))
			failed += quiet.failed + loud.failed
		}
		b.ReportMetric(ms(median(idle)), "idle-p99-ms")
		b.ReportMetric(ms(median(busy)), "flood-p99-ms")
		b.ReportMetric(median(ratio), "ratio")
		b.ReportMetric(float64(failed), "failed")
	}
}

// BenchmarkStart measures the time from the start of the process to run.json
// and the memory it holds then.
func BenchmarkStart(b *testing.B) {
	var took []time.Duration
	var resident []float64
	for b.Loop() {
		began := time.Now()
		p, err := up(b.TempDir(), "--log.level", "warn")
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		<-time.After(time.Second) // idle
		resident = append(resident, residentMB(b, p.PID))
		if err := p.stop(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(ms(median(took)), "ready-ms")
	b.ReportMetric(median(resident), "resident-MB")
}

// soakEnv says how long BenchmarkSoak runs, such as 10m; default 10s.
const soakEnv = "CCMS_SOAK"

// BenchmarkSoak works at 50 requests a second, logins and new connections
// among them, and compares what the process holds after a short warm-up with
// what it holds, idle again, at the end.
func BenchmarkSoak(b *testing.B) {
	length, err := time.ParseDuration(cmp.Or(os.Getenv(soakEnv), "10s"))
	if err != nil {
		b.Fatal(err)
	}
	p := start(b, generous...)
	c := newClient(b)
	who := signUp(b, c, p, "soak")
	for b.Loop() {
		soak(b, p, who, 5*time.Second)
		before := holdings(b, c, p)
		soak(b, p, who, length)
		after := holdings(b, c, p)
		for i, name := range []string{"goroutines", "files", "resident-MB"} {
			b.ReportMetric(before[i], name+"-before")
			b.ReportMetric(after[i], name+"-after")
		}
	}
}

func soak(b *testing.B, p *process, who customer, length time.Duration) {
	b.Helper()
	c := newClient(b)
	defer c.http.CloseIdleConnections()
	cards := p.Portal + "/api/customer/creditcard"
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for end := time.Now().Add(length); time.Now().Before(end); n++ {
		<-tick.C
		status, err := 0, error(nil)
		switch n % 50 {
		case 0:
			who.token = logIn(b, c, p, who)
			continue
		case 1:
			c.http.CloseIdleConnections()
			status, _, err = c.send("GET", p.Portal+"/", nil)
		case 2:
			status, _, err = c.send("POST", p.Portal+"/api/customer/creditcard", "{", who.auth()...)
		default:
			status, _, err = c.send("GET", cards, nil, who.auth()...)
		}
		if err != nil || status >= 500 {
			b.Errorf("request %d: %d %v", n, status, err)
		}
	}
}

// holdings are goroutines, open files and memory once idle connections are
// closed.
func holdings(b *testing.B, c *client, p *process) []float64 {
	b.Helper()
	c.http.CloseIdleConnections()
	<-time.After(2 * time.Second)
	var all []float64
	for _, name := range []string{"go.goroutines", "process.files.open"} {
		var m struct {
			Measurements []struct {
				Value float64 `json:"value"`
			} `json:"measurements"`
		}
		c.must(b, 200, "GET", p.Login+"/actuator/metrics/"+name, nil, &m)
		all = append(all, m.Measurements[0].Value)
	}
	return append(all, residentMB(b, p.PID))
}

func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
