//go:build peers

package registry_test

import (
	"bufio"
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
	"testing"
	"time"
)

// The load: as many connections as the specification's figures were taken with.
// The generator takes from the same two cores, so it is as cheap as can be:
// requests that are ready as bytes, one connection a goroutine, bodies thrown away.
const (
	connections = 16
	senders     = 4 // of batches
)

// contestant is a registry in a process of its own.
type contestant struct {
	t       *testing.T
	name    string
	address string
	pid     int
	started time.Duration
	warm    time.Duration // how long each load ran before it counted
	end     func()        // at the end of the test, if not before
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
	c := &contestant{t: t, end: end, name: name, address: "127.0.0.1:" + port, pid: cmd.Process.Pid}
	wait(t, name+" answers", func() bool {
		resp, err := http.Get("http://" + c.address + "/eureka/apps")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	c.started = time.Since(begin)
	return c
}

// call is a request as bytes.
func call(method, path, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

// line is one connection, and what comes back on it.
type line struct {
	*contestant
	net.Conn
	in *bufio.Reader
}

func (c *contestant) dial() *line {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	return &line{c, conn, bufio.NewReaderSize(conn, 256<<10)}
}

// send writes the request and copies the answer's body to out.
func (w *line) send(request []byte, out io.Writer) {
	if _, err := w.Write(request); err != nil {
		w.t.Error(err)
		return
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(out, resp.Body); err != nil || resp.StatusCode/100 != 2 {
		w.t.Errorf("%s: %.60q: %d %v", w.name, request, resp.StatusCode, err)
	}
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

// load sends what next gives on n connections for d, after as long to warm up,
// and reports rate, processor time each, and the 99th percentile.
func (c *contestant) load(n int, d time.Duration, next func(i int) []byte) string {
	if c.warm > 0 {
		c.measure(n, c.warm, next)
	}
	return c.measure(n, d, next)
}

func (c *contestant) measure(n int, d time.Duration, next func(i int) []byte) string {
	times := make([][]time.Duration, n)
	ctx, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	before, begin := c.cpu(), time.Now()
	var wg sync.WaitGroup
	for k := range n {
		w := c.dial()
		wg.Go(func() {
			defer w.Close()
			for i := k; ctx.Err() == nil && !c.t.Failed(); i += n {
				request := next(i)
				at := time.Now()
				w.send(request, io.Discard)
				times[k] = append(times[k], time.Since(at))
			}
		})
	}
	wg.Wait()
	took, used := time.Since(begin), c.cpu()-before
	all := slices.Concat(times...)
	if len(all) == 0 {
		return "–"
	}
	slices.Sort(all)
	return fmt.Sprintf("%.0f/s, %d µs CPU, p99 %.1f ms", float64(len(all))/took.Seconds(),
		(used / time.Duration(len(all))).Microseconds(), ms(all[len(all)*99/100]))
}

// size is how long the answer's body is.
func (c *contestant) size(request []byte) string {
	var n counter
	w := c.dial()
	defer w.Close()
	w.send(request, &n)
	return fmt.Sprintf(", %d bytes", n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// visible is how long after a change was answered the answer that shows it has
// arrived: the median and the longest, of up to 50 changes in enough time for two
// that wait for the reference's cache. To unpack it is the client's work.
func (c *contestant) visible(path string) string {
	var all []time.Duration
	w := c.dial()
	defer w.Close()
	for begin := time.Now(); len(all) < 50 && time.Since(begin) < 35*time.Second && !c.t.Failed(); {
		id := fmt.Sprint("seen-", path[len(path)-5:], time.Now().UnixNano())
		w.send(call("POST", "/eureka/apps/SEEN", realistic("SEEN", id, "UP")), io.Discard)
		at, pause := time.Now(), 10*time.Millisecond
		for shown := false; !shown && !c.t.Failed(); {
			var answer bytes.Buffer
			w.send(call("GET", path, ""), &answer)
			took := time.Since(at)
			if shown = strings.Contains(plain(answer.Bytes()), `"`+id+`"`); shown {
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
	app := func(i int) string { return fmt.Sprint("SVC-", i/per) }
	var register, beat, down, up [][]byte
	for i := range n {
		instance := "/eureka/apps/" + app(i) + "/" + hostID(i)
		register = append(register, call("POST", "/eureka/apps/"+app(i), realistic(app(i), hostID(i), "UP")))
		beat = append(beat, call("PUT", instance+"?status=UP&lastDirtyTimestamp=1795309898792", ""))
		down = append(down, call("PUT", instance+"/status?value=DOWN", ""))
		up = append(up, call("PUT", instance+"/status?value=UP", ""))
	}
	one := c.dial()
	for _, r := range register {
		if one.send(r, io.Discard); c.t.Failed() {
			c.t.FailNow()
		}
	}
	one.Close()
	full, delta := call("GET", "/eureka/apps/", ""), call("GET", "/eureka/apps/delta", "")
	all := []string{c.started.Round(10 * time.Millisecond).String(), c.resident()}
	all = append(all, c.load(connections, d, func(i int) []byte { return register[i%n] }))
	all = append(all, c.load(connections, d, func(i int) []byte { return beat[i%n] }))
	all = append(all, c.load(connections, d, func(int) []byte { return full })+c.size(full))
	all = append(all, c.load(connections, d, func(int) []byte { return delta }))
	all = append(all, c.load(connections, d, func(i int) []byte {
		if i/connections%2 == 1 {
			return full
		}
		return [][][]byte{down, up}[i/n%2][i%n]
	}))
	batch := func(i int) string {
		beats := make([]string, 250)
		for k := range beats {
			j := i*250 + k
			beats[k] = item("Heartbeat", app(j%n), hostID(j%n), `"lastDirtyTimestamp":1795309898792`, `"status":"UP"`)
		}
		return `{"replicationList":[` + strings.Join(beats, ",") + `]}`
	}
	batches := make([][]byte, max(1, n/250))
	for i := range batches {
		batches[i] = call("POST", batchPath, batch(i))
	}
	all = append(all, c.load(senders, d, func(i int) []byte { return batches[i%len(batches)] }))
	var wg sync.WaitGroup
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
				return exec.Command("java", "-Xmx1g", "-jar", jar, "--server.port="+port, "--eureka.server.use-read-only-response-cache=true",
					"--server.tomcat.max-keep-alive-requests=-1") // by default it hangs up after 100
			})
		},
		func() *contestant {
			return launch(t, "ours", func(port string) *exec.Cmd {
				return exec.Command(os.Getenv("CCMS_TEST_PROGRAM"), "eureka", "--data", t.TempDir()+"/data", "--eureka.addr", "127.0.0.1:"+port)
			})
		},
	} {
		r.both[i] = start()
		r.both[i].warm = d
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

// bare is what net/http gives on this machine: empty answers, and answers of as
// many bytes as a full list has, from a process of its own.
func bare(t *testing.T, bytes int, d time.Duration) {
	c := launch(t, "bare", func(port string) *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestServeBare$")
		cmd.Env = append(os.Environ(), "CCMS_TEST_BARE=127.0.0.1:"+port)
		return cmd
	})
	defer c.end()
	for _, n := range []int{0, bytes} {
		request := call("GET", fmt.Sprint("/eureka/apps?bytes=", n), "")
		fmt.Printf("an empty handler of net/http, answers of %d bytes: %s\n", n, c.load(connections, d, func(int) []byte { return request }))
	}
}

// TestServeBare is the server of bare.
func TestServeBare(t *testing.T) {
	address := os.Getenv("CCMS_TEST_BARE")
	if address == "" {
		return
	}
	zeros := make([]byte, 1<<20)
	t.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		_, _ = w.Write(zeros[:n])
	})))
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
	for _, n := range []int{72_000, 600_000} {
		bare(t, n, d)
	}
}

func printRaces(races []*race) {
	rows := []string{"start-up", "memory, registered", "register again", "heartbeat", "full, JSON gzip", "delta, JSON gzip", "changes and full fetches in turns",
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
