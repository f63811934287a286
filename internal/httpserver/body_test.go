package httpserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ccms/internal/httpserver"
)

// raw is a connection on which requests are written by hand.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func dialRaw(t *testing.T, s *server) raw {
	t.Helper()
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return raw{c, bufio.NewReader(c)}
}

// post writes a request; with no body its length is only announced.
func (r raw) post(t *testing.T, path, header string, length int, body string) {
	t.Helper()
	if _, err := fmt.Fprintf(r, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path, header, length, body); err != nil {
		t.Fatal(err)
	}
}

func (r raw) answer(t *testing.T) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

const greets = `{"name":"Ann","word":"x"}`

// TestABodyNobodyWantsLeavesTheConnectionUsable would fail if what one request
// brought were taken for the next.
func TestABodyNobodyWantsLeavesTheConnectionUsable(t *testing.T) {
	s := start(t, nil)
	c := dialRaw(t, s)
	for _, tc := range []struct {
		name, path, header, body string
		length                   int
		status                   int
	}{
		{"a short one", "/nowhere", "", greets, len(greets), 404},
		{"one of several segments", "/nowhere", "", strings.Repeat("7", 100_000), 100_000, 404},
		{"one that is wanted", "/greet", "", greets, len(greets), 201},
		{"one that is too long", "/greet", "", strings.Repeat(" ", 2000), 2000, 413},
		{"one that is wanted again", "/greet", "", greets, len(greets), 201},
	} {
		c.post(t, tc.path, tc.header, tc.length, tc.body)
		if res, body := c.answer(t); res.StatusCode != tc.status || res.Close {
			t.Fatalf("%s: %d %s, closing %v", tc.name, res.StatusCode, body, res.Close)
		}
	}
}

func TestRequestsInOneSegmentAreEachAnswered(t *testing.T) {
	s := start(t, nil)
	c := dialRaw(t, s)
	one := fmt.Sprintf("POST /greet HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(greets), greets)
	chunked := fmt.Sprintf("POST /greet HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\na\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n",
		greets[:10], len(greets)-10, greets[10:])
	if _, err := io.WriteString(c, one+one+chunked+one+chunked+chunked+one); err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		if res, body := c.answer(t); res.StatusCode != 201 {
			t.Fatalf("request %d: %d %s", i, res.StatusCode, body)
		}
	}
}

// TestABodyIsNotWaitedForInVain would fail if an answer that needs no body came
// only after it.
func TestABodyIsNotWaitedForInVain(t *testing.T) {
	s := start(t, nil)
	for _, tc := range []struct {
		name, header string
		length       int
	}{
		{"which the client holds back", "Expect: 100-continue\r\n", 1000},
		{"which is huge", "", 1 << 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dialRaw(t, s)
			c.post(t, "/nowhere", tc.header, tc.length, "")
			if res, body := c.answer(t); res.StatusCode != 404 || !res.Close {
				t.Errorf("%d %s, closing %v", res.StatusCode, body, res.Close)
			}
		})
	}
}

func TestReadBodyGivesWhatCameWithAnError(t *testing.T) {
	got := make(chan string, 1)
	s := start(t, func(c *httpserver.Config) {
		mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
		mux.Handle("POST /read", func(w http.ResponseWriter, r *http.Request) error {
			b, err := httpserver.ReadBody(w, r, 10)
			got <- fmt.Sprintf("%s %v", bytes.Clone(b.Reveal()), err != nil)
			return nil
		})
		c.Handler = mux
	})
	for _, tc := range []struct{ body, want string }{
		{"", " false"}, {"0123456789", "0123456789 false"}, {"0123456789a", "0123456789 true"},
	} {
		c := dialRaw(t, s)
		c.post(t, "/read", "", len(tc.body), tc.body)
		c.answer(t)
		if read := <-got; read != tc.want {
			t.Errorf("of %q it read %q, want %q", tc.body, read, tc.want)
		}
	}
}

// BenchmarkPost is one small body over a connection that is kept.
func BenchmarkPost(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	mux.Handle("POST /greet", httpserver.JSON(func(_ *http.Request, in greeting) (httpserver.Message, error) {
		in.Word.Wipe()
		return httpserver.Message{Message: "Hello"}, nil
	}))
	s, err := httpserver.Listen(b.Context(), httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Run(b.Context()) }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	request := fmt.Sprintf("POST /greet HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(greets), greets)
	for b.Loop() {
		if _, err := io.WriteString(c, request); err != nil {
			b.Fatal(err)
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != 200 {
			b.Fatal(res, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
}
