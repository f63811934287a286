package registration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/httpserver"
)

// BenchmarkRegister is POST /register over real HTTP, on the embedded store
// with every write durable and every act on record before and after, for cards
// that are all new. Clients and service share the machine. It reports
// registrations a second and the 99th percentile of their times.
func BenchmarkRegister(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			w := newWorld(b, func(w *world) { w.now = time.Now })
			url := w.serve(b)
			numbers := make([]string, b.N)
			for i := range numbers {
				numbers[i] = anyNumber()
			}
			http1 := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
			defer http1.CloseIdleConnections()
			times := make([]time.Duration, b.N)
			var next atomic.Int64
			var group sync.WaitGroup
			b.ResetTimer()
			for range clients {
				group.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						start := time.Now()
						if err := post(http1, url+"/register", registerCall(client("firm_a", "live"), numbers[i])); err != nil {
							b.Error(err)
							return
						}
						times[i] = time.Since(start)
					}
				})
			}
			group.Wait()
			b.StopTimer()
			slices.Sort(times)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "registrations/s")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// serve runs the service behind a real listener until the test ends.
func (w *world) serve(t testing.TB) (url string) {
	t.Helper()
	srv, err := httpserver.Listen(t.Context(), httpserver.Config{Name: "creditcard", Addr: "127.0.0.1:0", Handler: w.handler, Log: w.log})
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return srv.URL()
}

func post(c *http.Client, url string, what call) error {
	r, err := http.NewRequest(what.method, url, strings.NewReader(what.body))
	if err != nil {
		return err
	}
	what.header(r)
	answer, err := c.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%d %s", answer.StatusCode, b)
	}
	return err
}
