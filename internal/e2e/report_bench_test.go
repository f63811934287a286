package e2e

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkReport takes home all registrations of a firm, in each format and
// counted, with ever more of them in the store (CCMS_BENCH_CARDS), and measures
// how much memory the product takes more than before: that must not grow with
// the rows.
func BenchmarkReport(b *testing.B) {
	for size := range strings.SplitSeq(cmp.Or(os.Getenv(cardsEnv), "1000,10000"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			b.Fatalf("%s: %v", cardsEnv, err)
		}
		b.Run("rows="+size, func(b *testing.B) {
			p, _, _ := filled(b, n)
			defer p.kill()
			from := time.Now().AddDate(-1, 0, 0).UTC().Format(time.DateOnly)
			for b.Loop() {
				for _, q := range []struct{ what, query, row string }{
					{"json", "format=json", `"registration_id"`},
					{"csv", "format=csv", "\r\n"},
					{"ndjson", "format=ndjson", "\n"},
					{"counted", "format=ndjson&group=day,brand,status,reason", "\n"},
				} {
					before := residentMB(b, p.PID)
					t := p.takeHome(b, "/v1/reports/registrations?from="+from+"&"+q.query, q.row)
					if rows := t.rows - map[string]int{"csv": 1}[q.what]; rows != n && q.what != "counted" {
						b.Errorf("%s has %d rows of %d", q.what, rows, n)
					}
					b.ReportMetric(t.took.Seconds(), q.what+"-s")
					b.ReportMetric(t.peakMB, q.what+"-peak-MB")
					b.ReportMetric(t.peakMB-before, q.what+"-more-MB")
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// taken is a report as it came.
type taken struct {
	rows   int
	took   time.Duration
	peakMB float64 // of the product meanwhile
}

// takeHome reads a report and counts what ends, or is in, each of its rows.
func (p *bench) takeHome(b *testing.B, path, row string) (t taken) {
	b.Helper()
	began := time.Now()
	read := make(chan error, 1)
	go func() {
		var err error
		t.rows, err = p.count(path, row)
		read <- err
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		t.peakMB = max(t.peakMB, residentMB(b, p.PID))
		select {
		case err := <-read:
			if err != nil {
				b.Fatal(err)
			}
			t.took = time.Since(began)
			return t
		case <-tick.C:
		}
	}
}

func (p *bench) count(path, row string) (n int, err error) {
	r, err := http.NewRequest(http.MethodGet, p.CreditCard+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	for h := p.firm.auth(); len(h) > 0; h = h[2:] {
		r.Header.Set(h[0], h[1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	buffer := make([]byte, 64<<10)
	kept := 0 // the end of what came before, where a row's mark may have begun
	for {
		got, err := res.Body.Read(buffer[kept:])
		all := buffer[:kept+got]
		n += bytes.Count(all, []byte(row))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		end := bytes.LastIndex(all, []byte(row))
		rest := all
		if end >= 0 {
			rest = all[end+len(row):]
		}
		kept = copy(buffer, rest[max(0, len(rest)-len(row)+1):])
	}
}
