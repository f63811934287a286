// Package tracing owns the way of spans to an OpenTelemetry collector: one span
// for each request a service answered, sent in batches by OTLP over HTTP in JSON
// (https://opentelemetry.io/docs/specs/otlp/, 1.x). It begins no trace and reads
// no header: package httpserver does. A span tells of a request what its line in
// the log tells but for path and address: method, pattern of the route, status,
// time. So no number, name or token can be in it.
//
// The SDK of OpenTelemetry does far more, and brings gRPC and Protocol Buffers
// into the binary; what is needed of it is this page.
package tracing

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/httpserver"
)

// Config describes an Exporter.
type Config struct {
	// URL is the collector's, e.g. http://localhost:4318; /v1/traces is added.
	URL string
	// Percent of the traces that begin here is sent; those a caller records are
	// sent always.
	Percent int
	Service string // service.name
	Version string // service.version
	// Client sends. Default: one with a limit of 5 seconds.
	Client *http.Client
	Log    *slog.Logger
}

const (
	// batch is how many spans are sent together at most, every how long they
	// are. Both are the defaults of OpenTelemetry's SDKs, as is held.
	batch = 512
	every = 5 * time.Second
	// held is how many spans wait at most; others are dropped, and counted.
	held = 2048
	// farewell is how long the last ones may take.
	farewell = 2 * time.Second
	timeout  = 5 * time.Second
)

// Exporter sends spans. Make it with New.
type Exporter struct {
	cfg   Config
	full  chan struct{} // a batch waits
	bound uint64        // ids of traces below are sent

	mu      sync.Mutex
	waiting []span
	sent    uint64
	dropped uint64
	failing bool
}

// New returns an Exporter that sends nothing before Run.
func New(cfg Config) *Exporter {
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: timeout, Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	bound := uint64(math.MaxUint64)
	if cfg.Percent < 100 {
		bound = math.MaxUint64 / 100 * uint64(max(cfg.Percent, 0))
	}
	return &Exporter{cfg: cfg, full: make(chan struct{}, 1), bound: bound}
}

// Observe takes a finished request, for httpserver.Config. It never waits.
func (e *Exporter) Observe(o httpserver.Observation) {
	if !e.chosen(o.Span) || chatter(o.Route) {
		return
	}
	s := newSpan(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) >= held {
		e.dropped++
		return
	}
	if e.waiting = append(e.waiting, s); len(e.waiting) >= batch {
		select {
		case e.full <- struct{}{}:
		default:
		}
	}
}

// chosen decides by the trace's id, so that all our services decide alike.
func (e *Exporter) chosen(s httpserver.Span) bool {
	if s.Chosen || e.bound == math.MaxUint64 {
		return true
	}
	id, err := hex.DecodeString(s.Trace)
	return err == nil && len(id) == 16 && binary.BigEndian.Uint64(id[8:]) < e.bound
}

// chatter reports whether machines ask for this route all the time.
func chatter(route string) bool {
	uri := pattern(route)
	return strings.HasPrefix(uri, "/actuator") || strings.HasPrefix(uri, "/eureka")
}

// Run sends until ctx ends, and then what still waits.
func (e *Exporter) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer e.cfg.Client.CloseIdleConnections()
	for {
		select {
		case <-tick.C:
		case <-e.full:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
			defer cancel()
			e.flush(last)
			return nil
		}
		e.flush(ctx)
	}
}

// flush sends all that waits. What the collector does not take is dropped: a
// trace is worth less than the memory it would wait in.
func (e *Exporter) flush(ctx context.Context) {
	for {
		e.mu.Lock()
		n := min(len(e.waiting), batch)
		spans := e.waiting[:n:n]
		e.waiting = e.waiting[n:]
		e.mu.Unlock()
		if n == 0 {
			return
		}
		e.judge(n, e.send(ctx, spans))
	}
}

// judge counts, and says once that sending fails and once that it works again.
func (e *Exporter) judge(n int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.sent += uint64(n)
	} else {
		e.dropped += uint64(n)
	}
	if e.failing == (err != nil) {
		return
	}
	if e.failing = err != nil; e.failing {
		e.cfg.Log.Warn("the collector takes no spans", "error.message", err.Error())
		return
	}
	e.cfg.Log.Info("the collector takes spans again")
}

// answerLimit is how much of an answer is read, to use the connection again.
const answerLimit = 64 << 10

func (e *Exporter) send(ctx context.Context, spans []span) error {
	body, err := json.Marshal(e.request(spans))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	url := strings.TrimSuffix(e.cfg.URL, "/") + "/v1/traces"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the collector: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := e.cfg.Client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the collector: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, answerLimit))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", res.Status)
	}
	return nil
}
