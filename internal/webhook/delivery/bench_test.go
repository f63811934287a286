package delivery_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/webhook"
)

// BenchmarkLag measures, on a real store and real connections, how long an event
// takes to its receiver at the 99th percentile: alone, and while twenty firms have
// endpoints that do not answer, with fifty events waiting for each. The two take
// turns, so that what else the machine does falls on both; ratio is the promise
// of docs/webhooks.md.
func BenchmarkLag(b *testing.B) {
	const slow, waiting, each = 20, 50, 100
	w := newWorld(b, func(w *world) { w.cfg.Poll = time.Second })
	at := newReceiver(b, nil)
	var gate atomic.Pointer[chan struct{}]
	crawls := newReceiver(b, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-*gate.Load():
		case <-r.Context().Done():
		}
	})
	w.create(acme, at.url)
	var firms []string
	for i := range slow {
		firms = append(firms, "firm_slow"+string(rune('a'+i)))
		w.create(firms[i]+" test webhooks:manage", crawls.url)
	}
	measure := func() (lags []time.Duration) {
		for range each {
			began := time.Now()
			w.happens(event("firm_acme", webhook.CardEnabled))
			<-at.got
			lags = append(lags, time.Since(began))
		}
		return lags
	}
	defer w.run()()
	var alone, beside []time.Duration
	for b.Loop() {
		alone = append(alone, measure()...)
		shut := make(chan struct{})
		gate.Store(&shut)
		for _, firm := range firms {
			for range waiting {
				w.happens(event(firm, webhook.CardEnabled))
			}
		}
		beside = append(beside, measure()...)
		close(shut)
		crawls.await(b, slow*waiting)
	}
	p99 := func(lags []time.Duration) float64 {
		slices.Sort(lags)
		return float64(lags[len(lags)*99/100]) / 1e6
	}
	a, s := p99(alone), p99(beside)
	b.ReportMetric(a, "alone-ms-p99")
	b.ReportMetric(s, "beside-ms-p99")
	b.ReportMetric(s/a, "ratio")
	b.ReportMetric(float64(beside[len(beside)/2])/float64(alone[len(alone)/2]), "ratio-p50")
}
