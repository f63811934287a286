package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

// The benchmarks of the firms' routes, against the program with its embedded
// store and its audit log, on the services' own ports. How to run them, and what
// they gave, is in docs/performance.md.

// crowds are the numbers of clients at the same time.
var crowds = []int{1, 16, 64}

// busy are the settings under which load from one address is no attack.
var busy = append([]string{"--no-demo", "--reveal.per-hour", "1000000"}, generous...)

// window is how long one measurement takes.
const window = 2 * time.Second

// bench is a product with a firm whose live client may do everything.
type bench struct {
	*process
	c    *client
	firm firmClient
}

func newBench(b *testing.B) *bench {
	b.Helper()
	p, c := start(b, busy...), newClient(b)
	return &bench{p, c, newFirm(b, c, p, "--live", "--scope", allScopes)}
}

// measure reports rate and times of a load, in the median of some rounds, what
// the program computed for one request, and the share of what the machine does
// at best, if there is such a figure: an empty handler's requests.
func (p *bench) measure(b *testing.B, what string, l load) {
	b.Helper()
	empty := load{base: startEmpty(b), clients: l.clients, length: window, status: 200, request: func(int) []byte { return render("GET", "/", "") }}
	for b.Loop() {
		var rates, base, share, cpu []float64
		var p50, p99 []time.Duration
		failed := 0
		for range rounds {
			e, before := empty.run(b), cpuOf(b, p.PID)
			f := l.run(b)
			cpu = append(cpu, float64((cpuOf(b, p.PID)-before).Microseconds())/float64(f.ok))
			rates, base, share = append(rates, f.rate()), append(base, e.rate()), append(share, f.rate()/e.rate())
			p50, p99, failed = append(p50, f.quantile(.5)), append(p99, f.quantile(.99)), failed+f.failed
		}
		b.ReportMetric(median(rates), what+"/s")
		b.ReportMetric(ms(median(p50)), "p50-ms")
		b.ReportMetric(ms(median(p99)), "p99-ms")
		b.ReportMetric(median(cpu), "cpu-us/op")
		b.ReportMetric(median(base), "empty/s")
		b.ReportMetric(median(share), "of-empty")
		b.ReportMetric(float64(failed), "failed")
		b.ReportMetric(0, "ns/op")
	}
}

// registrations are requests with a card each that nobody registered before.
// Each client has a buffer of its own, in which only the number changes.
func (p *bench) registrations(clients int) func(client int) []byte {
	const place = "0000000000000000"
	body := `{"card_number":"` + place + `","expiry_date":"12/35","cvv":"123","cardholder_name":"Ann Example","reference":"order 7"}`
	all := make([][]byte, clients)
	for i := range all {
		all[i] = render("POST", "/register", body, append(p.firm.auth(), "Content-Type", "application/json")...)
	}
	at := len(all[0]) - len(body) + len(`{"card_number":"`)
	return func(client int) []byte {
		visa(all[client][at : at+len(place)])
		return all[client]
	}
}

// visa writes a random number that is valid.
func visa(b []byte) {
	b[0] = '4'
	n, sum := rand.Uint64N(1e14), 0
	for i := 14; i > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	for i := range 15 {
		v := int(b[i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	b[15] = byte('0' + (10-sum%10)%10)
}

// BenchmarkRegister is POST /register with cards that are all new. Beside it
// stands what the store alone inserts with as many writers.
func BenchmarkRegister(b *testing.B) {
	for _, clients := range crowds {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p := newBench(b)
			bare := bareInserts(b, clients)
			p.measure(b, "registrations", load{base: p.CreditCard, clients: clients, length: window, status: 201, request: p.registrations(clients)})
			b.ReportMetric(bare, "bare-inserts/s")
		})
	}
}

// bareInserts is how many documents of the size of a card the embedded store
// takes in a second, each durable before the next one of its writer.
func bareInserts(b *testing.B, writers int) float64 {
	b.Helper()
	db, err := sqlitestore.Open(b.Context(), sqlitestore.Config{Path: filepath.Join(b.TempDir(), "bare.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	c, err := db.Collection(b.Context(), store.Spec{Name: "Thing"})
	if err != nil {
		b.Fatal(err)
	}
	body, err := bson.Marshal(bson.D{{Key: "sealed", Value: make([]byte, 1000)}})
	if err != nil {
		b.Fatal(err)
	}
	done := make([]int, writers)
	began := time.Now()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for time.Since(began) < window {
				if err := c.Insert(b.Context(), store.Doc{ID: fmt.Sprintf("%d/%d", i, done[i]), Body: body}); err != nil {
					b.Error(err)
					return
				}
				done[i]++
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range done {
		total += n
	}
	return float64(total) / time.Since(began).Seconds()
}

// BenchmarkReveal is POST /v1/cards/{token}/reveal, each on record before and
// after.
func BenchmarkReveal(b *testing.B) {
	for _, clients := range crowds {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p := newBench(b)
			_, tokens := p.prepare(b, 500)
			p.measure(b, "reveals", p.reveals(clients, tokens))
		})
	}
}

func (p *bench) reveals(clients int, tokens []string) load {
	all := make([][]byte, len(tokens))
	for i, token := range tokens {
		all[i] = render("POST", "/v1/cards/"+token+"/reveal", `{"reason":"chargeback"}`, append(p.firm.auth(), "Content-Type", "application/json")...)
	}
	return load{base: p.CreditCard, clients: clients, length: window, status: 200, request: func(int) []byte { return all[rand.IntN(len(all))] }}
}

// prepare registers cards and returns registrations and tokens.
func (p *bench) prepare(b *testing.B, n int) (ids, tokens []string) {
	b.Helper()
	next := p.registrations(1)
	w := wire{address: hostOf(b, p.CreditCard)}
	defer w.close()
	for range n {
		if status, err := w.do(next(0)); err != nil || status != 201 {
			b.Fatalf("register: %d %s %v", status, w.body, err)
		}
	}
	for cursor := ""; len(ids) < n; {
		var page struct {
			Data []struct {
				ID    string `json:"registration_id"`
				Token string `json:"token"`
			} `json:"data"`
			Next string `json:"next_cursor"`
		}
		p.c.must(b, 200, "GET", p.CreditCard+"/v1/registrations?limit=100"+cursor, nil, &page, p.firm.auth()...)
		for _, r := range page.Data {
			ids, tokens = append(ids, r.ID), append(tokens, r.Token)
		}
		cursor = "&cursor=" + page.Next
	}
	return ids, tokens
}

func hostOf(b *testing.B, base string) string {
	b.Helper()
	u, err := url.Parse(base)
	if err != nil {
		b.Fatal(err)
	}
	return u.Host
}

// BenchmarkTokens is POST /oauth2/token with client_secret_basic.
func BenchmarkTokens(b *testing.B) {
	for _, clients := range crowds {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p := newBench(b)
			request := p.asClient(b, "/oauth2/token", "grant_type=client_credentials")
			p.measure(b, "tokens", load{base: p.Login, clients: clients, length: window, status: 200, request: func(int) []byte { return request }})
		})
	}
}

// asClient is one of the OAuth forms, from the firm's client.
func (p *bench) asClient(b *testing.B, path, form string) []byte {
	b.Helper()
	r, err := newRequest("POST", p.Login+path, form)
	if err != nil {
		b.Fatal(err)
	}
	r.SetBasicAuth(p.firm.id, p.firm.secret)
	return render("POST", path, form, "Authorization", r.Header.Get("Authorization"), "Content-Type", "application/x-www-form-urlencoded")
}

// BenchmarkIntrospect is POST /oauth2/introspect of a good token.
func BenchmarkIntrospect(b *testing.B) {
	for _, clients := range crowds {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			p := newBench(b)
			p.measure(b, "introspections", p.introspections(b, clients))
		})
	}
}

func (p *bench) introspections(b *testing.B, clients int) load {
	b.Helper()
	request := p.asClient(b, "/oauth2/introspect", "token="+p.firm.token)
	return load{base: p.Login, clients: clients, length: window, status: 200, request: func(int) []byte { return request }}
}

// BenchmarkIntrospectUnderLoginFlood compares introspections, quiet and while 64
// clients log in: of 16 clients that ask as fast as they can, and of one that
// asks now and then.
func BenchmarkIntrospectUnderLoginFlood(b *testing.B) {
	p := newBench(b)
	attackers := newClient(b)
	for b.Loop() {
		for _, clients := range []int{16, 1} {
			l := p.introspections(b, clients)
			var quiet, loud, ratio, rates []float64
			for range rounds {
				q := l.run(b)
				stop := flood(attackers, p.process, 64)
				f := l.run(b)
				logins := stop()
				b.Logf("%d clients: quiet %.0f/s p50 %s p99 %s; %d logins, %.0f/s p50 %s p99 %s, %d failed", clients,
					q.rate(), q.quantile(.5), q.quantile(.99), logins, f.rate(), f.quantile(.5), f.quantile(.99), f.failed)
				quiet, loud = append(quiet, ms(q.quantile(.99))), append(loud, ms(f.quantile(.99)))
				ratio, rates = append(ratio, float64(f.quantile(.99))/float64(q.quantile(.99))), append(rates, f.rate())
			}
			of := fmt.Sprintf("-of-%d", clients)
			b.ReportMetric(median(quiet), "quiet-p99-ms"+of)
			b.ReportMetric(median(loud), "flood-p99-ms"+of)
			b.ReportMetric(median(ratio), "ratio"+of)
			b.ReportMetric(median(rates), "flood/s"+of)
		}
		b.ReportMetric(0, "ns/op")
	}
}

// pick returns requests for random ones of some paths.
func (p *bench) pick(paths []string) func(int) []byte {
	all := make([][]byte, len(paths))
	for i, path := range paths {
		all[i] = render("GET", path, "", p.firm.auth()...)
	}
	return func(int) []byte { return all[rand.IntN(len(all))] }
}

func each(list []string, f func(string) string) []string {
	out := slices.Clone(list)
	for i := range out {
		out[i] = f(out[i])
	}
	return out
}
