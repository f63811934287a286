package actuator

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/meter"
)

const (
	// maxSeries bounds the series of the request timer. Routes are patterns,
	// so a service has some hundred at most; the bound holds whatever comes.
	maxSeries = 2000
	// maxWindow is how long a maximum is shown: it falls to that of the
	// current window and the one before, as Micrometer's does.
	maxWindow = time.Minute
)

// requestTimer is http.server.requests: how often, how long altogether and at
// most, by method, route, status and outcome. A summary has no
// maximum, and a histogram costs ten series where this has three; there is one
// histogram of all requests for percentiles (latency).
type requestTimer struct {
	now func() time.Time

	mu    sync.RWMutex
	cells map[series]*cell
}

// series names a cell by what observe is given, so that counting a request
// makes no text.
type series struct {
	method, uri string
	status      int
}

type cell struct {
	mu     sync.Mutex
	count  uint64
	sum    time.Duration
	window int64 // number of the current window
	max    [2]time.Duration
}

func newRequestTimer(now func() time.Time) *requestTimer {
	t := &requestTimer{now: now, cells: map[series]*cell{}}
	t.add(series{"GET", "/actuator/health", 200}) // so that the metric is there before the first request
	return t
}

// newLatency is the time of all requests of a service together, machines' chatter
// left out, so that percentiles can be taken over instances. The bounds hold
// the goals: 0.3 s for cards, 1 s for logins (docs/monitoring.md).
func newLatency() *meter.Histogram {
	return meter.NewHistogram("ccms_requests_seconds", "Time taken to answer HTTP requests but those of the registry and of monitoring.",
		0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5)
}

// newFailed counts those of them that failed. It is there from the start, unlike
// the series of a status, whose first failures a rate does not see.
func newFailed() *meter.Counter {
	return meter.NewCounter("ccms_requests_failed_total", "Those of ccms_requests_seconds that were answered with a status of 500 or above.")
}

// chatter reports whether machines ask for this route all the time.
func chatter(uri string) bool {
	return strings.HasPrefix(uri, "/actuator") || strings.HasPrefix(uri, "/eureka")
}

func (t *requestTimer) observe(o httpserver.Observation) {
	s := series{knownMethod(o.Method), route(o.Route), o.Status}
	t.mu.RLock()
	c := t.cells[s]
	t.mu.RUnlock()
	if c == nil {
		c = t.add(s)
	}
	window := t.now().UnixNano() / int64(maxWindow)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.sum += o.Duration
	c.turn(window)
	c.max[0] = max(c.max[0], o.Duration)
}

func (t *requestTimer) add(s series) *cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.cells) >= maxSeries {
		s = series{"OTHER", "OTHER", s.status / 100 * 100}
	}
	c := t.cells[s]
	if c == nil {
		c = &cell{}
		t.cells[s] = c
	}
	return c
}

// turn moves the maxima on to window.
func (c *cell) turn(window int64) {
	switch window - c.window {
	case 0:
		return
	case 1:
		c.max = [2]time.Duration{0, c.max[0]}
	default:
		c.max = [2]time.Duration{}
	}
	c.window = window
}

// Collect implements meter.Collector.
func (t *requestTimer) Collect() []meter.Family {
	const name = "http_server_requests_seconds"
	total := meter.Family{Name: name, Help: "Time taken to answer HTTP requests.", Kind: meter.SummaryKind}
	most := meter.Family{Name: name + "_max", Help: "Longest time taken to answer HTTP requests.", Kind: meter.GaugeKind}
	t.mu.RLock()
	defer t.mu.RUnlock()
	window := t.now().UnixNano() / int64(maxWindow)
	for s, c := range t.cells {
		c.mu.Lock()
		c.turn(window)
		count, sum, longest := c.count, c.sum, max(c.max[0], c.max[1])
		c.mu.Unlock()
		labels := []meter.Label{ // by name
			{Name: "exception", Value: "none"}, {Name: "method", Value: s.method}, {Name: "outcome", Value: outcome(s.status)},
			{Name: "status", Value: strconv.Itoa(s.status)}, {Name: "uri", Value: s.uri},
		}
		total.Series = append(total.Series, meter.Series{Labels: labels, Count: count, Value: sum.Seconds()})
		most.Series = append(most.Series, meter.Series{Labels: labels, Value: longest.Seconds()})
	}
	return []meter.Family{total, most}
}

// knownMethod keeps a caller from making series with methods of his own.
func knownMethod(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "UNKNOWN"
}

// route is a pattern without its method.
func route(pattern string) string {
	if _, uri, ok := strings.Cut(pattern, " "); ok {
		return uri
	}
	return pattern
}

// outcome is Spring's word for a class of statuses.
func outcome(status int) string {
	switch status / 100 {
	case 1:
		return "INFORMATIONAL"
	case 2:
		return "SUCCESS"
	case 3:
		return "REDIRECTION"
	case 4:
		return "CLIENT_ERROR"
	case 5:
		return "SERVER_ERROR"
	}
	return "UNKNOWN"
}
