package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// load is requests sent as fast as some clients can, each on a connection of
// its own and one at a time. It shares the machine with what it measures, so it
// does as little as a client can: a request is bytes that are ready, and of an
// answer only the status is looked at.
type load struct {
	base    string // http://host:port
	clients int
	length  time.Duration
	status  int // that a success has
	// request returns the next request of a client.
	request func(client int) []byte
}

func (l load) run(b *testing.B) figures {
	b.Helper()
	u, err := url.Parse(l.base)
	if err != nil {
		b.Fatal(err)
	}
	all := make([]figures, l.clients)
	start := time.Now()
	end := start.Add(l.length)
	var clients sync.WaitGroup
	for i := range l.clients {
		clients.Go(func() {
			w := wire{address: u.Host}
			defer w.close()
			for began := time.Now(); began.Before(end); began = time.Now() {
				status, err := w.do(l.request(i))
				if err != nil || status != l.status {
					all[i].failed++
					continue
				}
				all[i].ok++
				all[i].latencies = append(all[i].latencies, time.Since(began))
			}
		})
	}
	clients.Wait()
	f := merge(all, time.Since(start))
	if f.ok == 0 {
		w := wire{address: u.Host}
		defer w.close()
		status, err := w.do(l.request(0))
		b.Fatalf("nothing succeeds: %d %s %v", status, w.body, err)
	}
	return f
}

// wire is a connection that speaks HTTP/1.1.
type wire struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	body    []byte // of the last answer
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
	}
	w.conn = nil
}

// do sends a request and reads the answer. After an error the next request has
// a new connection.
func (w *wire) do(request []byte) (status int, err error) {
	if w.conn == nil {
		if w.conn, err = net.Dial("tcp", w.address); err != nil {
			return 0, err
		}
		w.in = bufio.NewReader(w.conn)
	}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if _, err = w.conn.Write(request); err != nil {
		return 0, err
	}
	return w.read()
}

func (w *wire) read() (status int, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("status line %q", line)
	}
	status, _ = strconv.Atoi(string(line[9:12]))
	length, chunked := 0, false
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	if chunked {
		w.body, err = io.ReadAll(httputil.NewChunkedReader(w.in))
		if err == nil {
			_, err = w.in.Discard(2)
		}
		return status, err
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	_, err = io.ReadFull(w.in, w.body)
	return status, err
}

// render makes a request; a header is a name and a value.
func render(method, path, body string, header ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", method, path, len(body))
	for i := 0; i+1 < len(header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", header[i], header[i+1])
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// cpuOf is the time a process has computed, from Linux's /proc.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
