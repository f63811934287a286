package delivery_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"ccms/internal/webhook"
)

// BenchmarkLag measures, on a real store and real connections, how long an event
// takes to its receiver at the 99th percentile: alone, and while twenty firms
// have endpoints that take a second and a half, with fifty events waiting for each.
func BenchmarkLag(b *testing.B) {
	for name, slow := range map[string]int{"alone": 0, "beside slow firms": 20} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, func(w *world) { w.cfg.Poll = time.Second })
			at := newReceiver(b, nil)
			crawls := newReceiver(b, func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(1500 * time.Millisecond):
				case <-r.Context().Done():
				}
			})
			w.create(acme, at.url)
			for i := range slow {
				firm := "firm_slow" + string(rune('a'+i))
				w.create(firm+" test webhooks:manage", crawls.url)
				for range 50 {
					w.happens(event(firm, webhook.CardEnabled))
				}
			}
			defer w.run()()
			var lags []time.Duration
			for b.Loop() {
				began := time.Now()
				w.happens(event("firm_acme", webhook.CardEnabled))
				<-at.got
				lags = append(lags, time.Since(began))
			}
			slices.Sort(lags)
			b.ReportMetric(float64(lags[len(lags)*99/100])/1e6, "ms-p99")
			b.ReportMetric(float64(lags[len(lags)/2])/1e6, "ms-p50")
		})
	}
}
