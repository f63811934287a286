package firmcard_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/card"
	"ccms/internal/secret"
	"ccms/internal/vault"

	"ccms/internal/registration/firmcard"
)

// numbers are n different valid ones.
func numbers(n int) []string {
	all := make([]string, 0, n)
	for i := 0; len(all) < n; i++ {
		if text := fmt.Sprintf("4%015d", 111111111111111+i); card.Default().Within(text) {
			all = append(all, text)
		}
	}
	return all
}

// newBench is a world on the real clock, with n cards.
func newBench(b *testing.B, n int) (*world, []string) {
	b.Helper()
	w := &world{t: b, dir: b.TempDir(), now: time.Now, perHour: 1 << 30}
	w.open()
	tokens := make([]string, n)
	var wg sync.WaitGroup
	all := numbers(n)
	for k := range 16 {
		wg.Go(func() {
			for i := k; i < n; i += 16 {
				number, _ := card.Parse(all[i])
				tokens[i] = vault.NewToken()
				_, err := w.service.Put(b.Context(), firmcard.Deposit{
					FirmID: acme, Mode: "test", Token: tokens[i], Number: number,
					Expiry: card.Expiry{Month: 12, Year: 2040}, Name: secret.NewString("Ada Lovelace"),
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return w, tokens
}

// BenchmarkReveal is a reveal over HTTP, with its two audit records on the
// durable store, by clients that wait for each answer.
func BenchmarkReveal(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			w, tokens := newBench(b, 1000)
			server := httptest.NewServer(w.handler)
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
			took := make([][]time.Duration, clients)
			b.ResetTimer()
			var wg sync.WaitGroup
			for k := range clients {
				wg.Go(func() {
					for i := k; i < b.N; i += clients {
						began := time.Now()
						if err := reveal(client, server.URL+"/v1/cards/"+tokens[i%len(tokens)]+"/reveal"); err != nil {
							b.Error(err)
							return
						}
						took[k] = append(took[k], time.Since(began))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			all := slices.Concat(took...)
			slices.Sort(all)
			b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "reveals/s")
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

func reveal(client *http.Client, url string) error {
	q, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"reason":"chargeback"}`))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+acmeTest)
	a, err := client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err == nil && !bytes.Contains(body, []byte(`"card_number":"4`)) {
		err = fmt.Errorf("%d %s", a.StatusCode, body)
	}
	return err
}

// BenchmarkPut is a deposit of a new card, durable.
func BenchmarkPut(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			w, _ := newBench(b, 0)
			all := numbers(b.N)
			b.ResetTimer()
			var wg sync.WaitGroup
			for k := range clients {
				wg.Go(func() {
					for i := k; i < b.N; i += clients {
						if _, err := w.service.Put(b.Context(), deposit(b, acme, "test", all[i])); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cards/s")
		})
	}
}
