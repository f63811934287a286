package actuator

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"ccms/internal/meter"
)

// process collects what concerns the whole process. Everything is read when
// somebody asks; nothing runs in between. The runtime has
// many more figures; these are those that somebody looks at.
type process struct {
	started time.Time
	now     func() time.Time

	mu       sync.Mutex // guards what process.cpu.usage is measured from
	lastAt   time.Time
	lastUsed time.Duration
	usage    float64
}

func newProcess(started time.Time, now func() time.Time) *process {
	return &process{started: started, now: now, lastAt: started}
}

// Collect implements meter.Collector.
func (p *process) Collect() []meter.Family {
	parts := []meter.Figure{
		{Name: "process_uptime_seconds", Help: "Time since the process began.", Value: p.now().Sub(p.started).Seconds()},
		{Name: "process_start_time_seconds", Help: "When the process began, since 1970.", Value: float64(p.started.UnixMilli()) / 1000},
		{Name: "system_cpu_count", Help: "Processors the process may use.", Value: float64(runtime.GOMAXPROCS(0))},
		{Name: "go_goroutines", Help: "Goroutines.", Value: float64(runtime.NumGoroutine())},
		{Name: "go_memory_used_bytes", Help: "Memory that the Go runtime holds and has not given back.", Value: memoryUsed()},
	}
	if used, err := cpuTime(); err == nil {
		parts = append(parts, meter.Figure{Name: "process_cpu_usage", Help: "Recent share of all processors that the process uses, 0 to 1.", Value: p.cpuUsage(used)})
	}
	if rss, err := residentBytes(); err == nil {
		parts = append(parts, meter.Figure{Name: "process_memory_rss_bytes", Help: "Resident memory.", Value: rss})
	}
	if n, err := openFiles(); err == nil {
		parts = append(parts, meter.Figure{Name: "process_files_open", Help: "Open file descriptors.", Value: n})
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	parts = append(parts, meter.Figure{Name: "go_gc_pause_seconds_max", Help: "Longest of the garbage collector's last pauses.", Value: slices.Max(append(gc.Pause, 0)).Seconds()})
	return append(meter.Of(func() []meter.Figure { return parts }).Collect(), meter.Family{
		Name: "go_gc_pause_seconds", Help: "Pauses of the garbage collector.", Kind: meter.SummaryKind,
		Series: []meter.Series{{Count: uint64(gc.NumGC), Value: gc.PauseTotal.Seconds()}},
	})
}

// leastSpan keeps two readers that come together from measuring a moment.
const leastSpan = time.Second

// cpuUsage is the share of all processors since it was asked before.
func (p *process) cpuUsage(used time.Duration) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	span := now.Sub(p.lastAt)
	if span >= leastSpan {
		p.usage = min(1, max(0, float64(used-p.lastUsed)/float64(span)/float64(runtime.GOMAXPROCS(0))))
		p.lastAt, p.lastUsed = now, used
	}
	return p.usage
}

func memoryUsed() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64() - s[1].Value.Uint64())
}
