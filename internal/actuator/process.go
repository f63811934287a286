package actuator

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// process collects what concerns the whole process. Everything is read when
// somebody asks; nothing runs in between. It is much smaller than the library's
// own collectors of the runtime, whose histograms nobody here looks at.
type process struct {
	started time.Time
	now     func() time.Time

	mu       sync.Mutex // guards what process.cpu.usage is measured from
	lastAt   time.Time
	lastUsed time.Duration
	usage    float64

	uptime, start, cpu, cpus, rss, files *prometheus.Desc
	goroutines, memory, pause, longest   *prometheus.Desc
}

func newProcess(started time.Time, now func() time.Time) *process {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	return &process{
		started: started, now: now, lastAt: started,
		uptime:     desc("process_uptime_seconds", "Time since the process began."),
		start:      desc("process_start_time_seconds", "When the process began, since 1970."),
		cpu:        desc("process_cpu_usage", "Recent share of all processors that the process uses, 0 to 1."),
		cpus:       desc("system_cpu_count", "Processors the process may use."),
		rss:        desc("process_memory_rss_bytes", "Resident memory."),
		files:      desc("process_files_open", "Open file descriptors."),
		goroutines: desc("go_goroutines", "Goroutines."),
		memory:     desc("go_memory_used_bytes", "Memory that the Go runtime holds and has not given back."),
		pause:      desc("go_gc_pause_seconds", "Pauses of the garbage collector."),
		longest:    desc("go_gc_pause_seconds_max", "Longest of the garbage collector's last pauses."),
	}
}

// Describe implements prometheus.Collector.
func (p *process) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(p, ch) }

// Collect implements prometheus.Collector.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(p.uptime, p.now().Sub(p.started).Seconds())
	gauge(p.start, float64(p.started.UnixMilli())/1000)
	gauge(p.cpus, float64(runtime.GOMAXPROCS(0)))
	gauge(p.goroutines, float64(runtime.NumGoroutine()))
	gauge(p.memory, memoryUsed())
	if used, err := cpuTime(); err == nil {
		gauge(p.cpu, p.cpuUsage(used))
	}
	if rss, err := residentBytes(); err == nil {
		gauge(p.rss, rss)
	}
	if n, err := openFiles(); err == nil {
		gauge(p.files, n)
	}
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	ch <- prometheus.MustNewConstSummary(p.pause, uint64(gc.NumGC), gc.PauseTotal.Seconds(), nil)
	gauge(p.longest, slices.Max(append(gc.Pause, 0)).Seconds())
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
