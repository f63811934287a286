//go:build peers

package registry_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load: as many connections as the specification's figures were taken with.
const (
	connections = 16
	senders     = 4 // of batches
)

// contestant is a registry in a process of its own.
type contestant struct {
	t       *testing.T
	name    string
	url     string
	pid     int
	started time.Duration
	client  *http.Client
	end     func() // at the end of the test, if not before
}

// launch starts a server and waits until it answers.
func launch(t *testing.T, name string, command func(port string) *exec.Cmd) *contestant {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	cmd := command(port)
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	t.Cleanup(end)
	c := &contestant{t: t, end: end, name: name, url: "http://127.0.0.1:" + port, pid: cmd.Process.Pid,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true}}}
	wait(t, name+" answers", func() bool {
		resp, err := c.client.Get(c.url + "/eureka/apps")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	c.started = time.Since(begin)
	return c
}

func (c *contestant) send(method, path, body string) []byte {
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		c.t.Errorf("%s: %s %s: %d %v", c.name, method, path, resp.StatusCode, err)
	}
	return b
}

// cpu is the processor time the server has taken, from the kernel's ticks of
// 10 ms; resident what it has in memory.
func (c *contestant) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (c *contestant) resident() string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rss, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rss)[0])
			return fmt.Sprintf("%d MB", kb/1024)
		}
	}
	return "?"
}

// load runs do from n goroutines for d and reports rate, processor time each,
// and the 99th percentile.
func (c *contestant) load(n int, d time.Duration, do func(i int)) string {
	var count atomic.Int64
	times := make([][]time.Duration, n)
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	before, begin := c.cpu(), time.Now()
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() {
			for i := w; ctx.Err() == nil; i += n {
				at := time.Now()
				do(i)
				times[w] = append(times[w], time.Since(at))
				count.Add(1)
			}
		})
	}
	wg.Wait()
	took, used := time.Since(begin), c.cpu()-before
	all := slices.Concat(times...)
	slices.Sort(all)
	k := count.Load()
	return fmt.Sprintf("%.0f/s, %d µs CPU, p99 %.1f ms", float64(k)/took.Seconds(), (used / time.Duration(k)).Microseconds(),
		ms(all[len(all)*99/100]))
}

// visible is how long after a change was answered the answer that shows it has
// arrived: the median and the longest, of up to 50 changes in enough time for two
// that wait for the reference's cache. To unpack it is the client's work.
func (c *contestant) visible(path string) string {
	var all []time.Duration
	for begin := time.Now(); len(all) < 50 && time.Since(begin) < 35*time.Second; {
		id := fmt.Sprint("seen-", path[len(path)-5:], time.Now().UnixNano())
		c.send("POST", "/eureka/apps/SEEN", realistic("SEEN", id, "UP"))
		at, pause := time.Now(), 10*time.Millisecond
		for shown := false; !shown; {
			answer := c.send("GET", path, "")
			took := time.Since(at)
			if shown = strings.Contains(plain(answer), `"`+id+`"`); shown {
				all = append(all, took)
			} else if took > time.Minute {
				return "over a minute"
			} else {
				pause = min(2*pause, 250*time.Millisecond) // so that asking is not what takes the time
				<-time.After(pause)
			}
		}
	}
	slices.Sort(all)
	return fmt.Sprintf("%.1f / %.1f ms", ms(all[len(all)/2]), ms(all[len(all)-1]))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func plain(b []byte) string {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return string(b)
	}
	out, _ := io.ReadAll(z)
	return string(out)
}

// figures are taken for n instances, per in each application.
func (c *contestant) figures(n, per int, d time.Duration) []string {
	app := func(i int) string { return fmt.Sprint("SVC-", i%n/per) }
	register := func(i int) { c.send("POST", "/eureka/apps/"+app(i), realistic(app(i), hostID(i%n), "UP")) }
	var wg sync.WaitGroup
	for w := range connections {
		wg.Go(func() {
			for i := w; i < n; i += connections {
				register(i)
			}
		})
	}
	wg.Wait()
	all := []string{c.started.Round(10 * time.Millisecond).String(), c.resident()}
	all = append(all, c.load(connections, d, register))
	all = append(all, c.load(connections, d, func(i int) {
		c.send("PUT", "/eureka/apps/"+app(i)+"/"+hostID(i%n)+"?status=UP&lastDirtyTimestamp=1795309898792", "")
	}))
	all = append(all, c.load(connections, d, func(int) { c.send("GET", "/eureka/apps/", "") }))
	all = append(all, c.load(connections, d, func(int) { c.send("GET", "/eureka/apps/delta", "") }))
	all = append(all, c.load(connections, d, func(i int) {
		c.send("PUT", "/eureka/apps/"+app(i)+"/"+hostID(i%n)+"/status?value="+[]string{"DOWN", "UP"}[i/n%2], "")
		c.send("GET", "/eureka/apps/", "")
	}))
	batch := func(i int) string {
		beats := make([]string, 250)
		for k := range beats {
			j := i*250 + k
			beats[k] = item("Heartbeat", app(j), hostID(j%n), `"lastDirtyTimestamp":1795309898792`, `"status":"UP"`)
		}
		return `{"replicationList":[` + strings.Join(beats, ",") + `]}`
	}
	batches := make([]string, max(1, n/250))
	for i := range batches {
		batches[i] = batch(i)
	}
	all = append(all, c.load(senders, d, func(i int) { c.send("POST", batchPath, batches[i%len(batches)]) }))
	var seen [2]string
	for i, path := range []string{"/eureka/apps/", "/eureka/apps/delta"} {
		wg.Go(func() { seen[i] = c.visible(path) })
		if c.name == "ours" {
			wg.Wait() // it is quick enough for one list to be in the other's way
		}
	}
	wg.Wait()
	return append(all, seen[0], seen[1], c.resident())
}

// size is how many instances there are, and how many of them in an application.
type size struct{ n, per int }

// race is a size with both registries, the reference first.
type race struct {
	size
	both    [2]*contestant
	figures [2][]string
	ended   time.Time
}

// run loads both in turns.
func (r *race) run(t *testing.T, jar string, d time.Duration) {
	for i, start := range []func() *contestant{
		func() *contestant {
			return launch(t, "reference", func(port string) *exec.Cmd {
				return exec.Command("java", "-Xmx1g", "-jar", jar, "--server.port="+port, "--eureka.server.use-read-only-response-cache=true")
			})
		},
		func() *contestant {
			return launch(t, "ours", func(port string) *exec.Cmd {
				return exec.Command(os.Getenv("CCMS_TEST_PROGRAM"), "eureka", "--data", t.TempDir()+"/data", "--eureka.addr", "127.0.0.1:"+port)
			})
		},
	} {
		r.both[i] = start()
		r.figures[i] = r.both[i].figures(r.n, r.per, d)
	}
	r.ended = time.Now()
}

// quiet measures the delta again once what came in the beginning has left it.
func (r *race) quiet(retention time.Duration) {
	<-time.After(time.Until(r.ended.Add(retention)))
	for i, c := range r.both {
		r.figures[i] = append(r.figures[i], c.visible("/eureka/apps/delta"))
	}
}

// TestSpeedBesideTheReference puts both under the same load in turns and prints
// one table. It judges nothing: the machine may be busy. CCMS_TEST_SECONDS is how
// long each load lasts; one is a try, with fewer instances.
func TestSpeedBesideTheReference(t *testing.T) {
	jar, err := filepath.Abs(os.Getenv("CCMS_TEST_EUREKA_REFERENCE_JAR"))
	if err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.Atoi(os.Getenv("CCMS_TEST_SECONDS"))
	d := time.Duration(max(seconds, 1)) * time.Second
	// The second waits while the third runs, until its delta is small.
	races := []*race{{size: size{1000, 10}}, {size: size{10_000, 100}}, {size: size{10_000, 1000}}}
	try := seconds <= 1
	if try {
		races = []*race{{size: size{1000, 10}}, {size: size{1000, 100}}}
	}
	for i, r := range races {
		r.run(t, jar, d)
		if i != 1 {
			for _, c := range r.both {
				c.end()
			}
		}
	}
	if !try {
		races[1].quiet(190 * time.Second)
	}
	printRaces(races)
}

func printRaces(races []*race) {
	rows := []string{"start-up", "memory, registered", "register again", "heartbeat", "full, JSON gzip", "delta, JSON gzip", "change, then full",
		"batch of 250, 4 senders", "visible in /apps, p50 / max", "visible in the delta that holds all, p50 / max", "memory after load", "visible in a small delta, p50 / max"}
	fmt.Print("\n| ")
	for _, r := range races {
		fmt.Printf("| reference: %d instances, %d an application | ours ", r.n, r.per)
	}
	fmt.Println("|\n| --- |" + strings.Repeat(" --- |", 2*len(races)))
	for i, row := range rows {
		fmt.Printf("| %s ", row)
		for _, r := range races {
			for _, f := range r.figures {
				if i < len(f) {
					fmt.Printf("| %s ", f[i])
				} else {
					fmt.Print("| – ")
				}
			}
		}
		fmt.Println("|")
	}
}
