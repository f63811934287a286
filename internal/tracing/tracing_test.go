package tracing

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"ccms/internal/httpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector takes spans, unless it is told to refuse them.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	refusing bool
	requests []request
	texts    []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var got request
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s %s: %s", r.Method, r.URL, body)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.refusing {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		c.requests = append(c.requests, got)
		c.texts = append(c.texts, string(body))
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) refuse(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusing = yes
}

// spans are those of all requests.
func (c *collector) spans() (all []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		all = append(all, r.ResourceSpans[0].ScopeSpans[0].Spans...)
	}
	return all
}

func newExporter(c *collector, percent int, log io.Writer) *Exporter {
	return New(Config{URL: c.URL + "/", Percent: percent, Service: "test-service", Version: "v1", Log: slog.New(slog.NewTextHandler(log, nil))})
}

// finish runs the Exporter for as long as it takes to send what waits.
func finish(t *testing.T, e *Exporter) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); err != nil {
		t.Error(err)
	}
}

const number = "4111111111111111"

func TestASpanTellsOfARequestAndNothingSecret(t *testing.T) {
	c := newCollector(t)
	e := newExporter(c, 100, io.Discard)
	log := slog.New(slog.DiscardHandler)
	mux := httpserver.NewMux(log)
	mux.Handle("DELETE /card/{number}", func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusBadGateway)
		return nil
	})
	s, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: log, Observe: e.Observe})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Run(ctx) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, ask := range []struct{ method, parent string }{
		{"DELETE", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{"DELETE", "00-0af7651916cd43dd8448eb211c80319c-" + number + "-01"},
		{number, ""},
	} {
		req, err := http.NewRequestWithContext(ctx, ask.method, s.URL()+"/card/"+number+"?code="+number, strings.NewReader(number))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("traceparent", ask.parent)
		req.Header.Set("Authorization", "Bearer "+number)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	stop()
	serving.Wait()
	finish(t, e)

	spans := c.spans()
	if len(spans) != 3 {
		t.Fatalf("got %d spans", len(spans))
	}
	first := spans[0]
	if first.TraceID != "0af7651916cd43dd8448eb211c80319c" || first.Parent != "b7ad6b7169203331" || len(first.SpanID) != 16 ||
		first.Name != "DELETE /card/{number}" || first.Kind != 2 || first.Status.Code != 2 || first.Start >= first.End {
		t.Errorf("got %+v", first)
	}
	if spans[1].Parent != "" || spans[2].Name != "_OTHER UNKNOWN" {
		t.Errorf("got %+v", spans[1:])
	}
	for _, text := range c.texts {
		if strings.Contains(text, number) {
			t.Errorf("there is a number in %s", text)
		}
		for _, want := range []string{`"key":"service.name","value":{"stringValue":"test-service"}`, `"key":"http.response.status_code","value":{"intValue":"502"}`, `"key":"http.route","value":{"stringValue":"/card/{number}"}`} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s in %s", want, text)
			}
		}
	}
}

// ask is a request of which a span may be sent.
func ask(id byte, chosen bool) httpserver.Observation {
	trace := strings.Repeat("0", 16) + string("0123456789abcdef"[id>>4]) + strings.Repeat("1", 15)
	return httpserver.Observation{Method: "GET", Route: "GET /x", Status: 200, Began: time.Now(), Span: httpserver.Span{Trace: trace, ID: "b7ad6b7169203331", Chosen: chosen}}
}

func TestWhichTracesAreSent(t *testing.T) {
	for _, tt := range []struct {
		name    string
		percent int
		ask     httpserver.Observation
		sent    int
	}{
		{"of all, any", 100, ask(0xf0, false), 1},
		{"of none, none", 0, ask(0x00, false), 0},
		{"of none, what the caller records", 0, ask(0xf0, true), 1},
		{"of half, an id in the lower half", 50, ask(0x70, false), 1},
		{"of half, an id in the upper half", 50, ask(0x80, false), 0},
		{"an id that is none", 50, httpserver.Observation{Route: "GET /x"}, 0},
		{"what machines ask", 100, httpserver.Observation{Route: "GET /actuator/health", Span: httpserver.Span{Chosen: true}}, 0},
		{"heartbeats", 100, httpserver.Observation{Route: "/eureka/**", Span: httpserver.Span{Chosen: true}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCollector(t)
			e := newExporter(c, tt.percent, io.Discard)
			e.Observe(tt.ask)
			finish(t, e)
			if n := len(c.spans()); n != tt.sent {
				t.Errorf("%d were sent", n)
			}
		})
	}
}

func TestACollectorThatIsAwayCostsSpansAndNothingElse(t *testing.T) {
	c := newCollector(t)
	var log bytes.Buffer
	e := newExporter(c, 100, &log)
	c.refuse(true)
	for range 2 {
		e.Observe(ask(0, false))
		finish(t, e)
	}
	c.refuse(false)
	e.Observe(ask(0, false))
	finish(t, e)
	if e.sent != 1 || e.dropped != 2 || strings.Count(log.String(), "takes no spans") != 1 || strings.Count(log.String(), "takes spans again") != 1 {
		t.Errorf("sent %d, dropped %d, said\n%s", e.sent, e.dropped, &log)
	}
	for range held + 5 {
		e.Observe(ask(0, false))
	}
	if e.dropped != 2+5 {
		t.Errorf("%d were dropped for want of room", e.dropped-2)
	}
	finish(t, e)
	if len(c.spans()) != 1+held || len(c.requests) != 1+held/batch {
		t.Errorf("%d came in %d requests", len(c.spans()), len(c.requests))
	}
}

func TestAFullBatchIsSentAtOnce(t *testing.T) {
	c := newCollector(t)
	e := newExporter(c, 100, io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	for range batch {
		e.Observe(ask(0, false))
	}
	for deadline := time.Now().Add(every * 9 / 10); len(c.spans()) < batch; {
		if time.Now().After(deadline) {
			t.Error("it waited for its time")
			break
		}
	}
	stop()
	running.Wait()
}
