package e2e

import (
	"bytes"
	"cmp"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/registration/ledger"
	"ccms/internal/registration/listing"
	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

// cardsEnv says with how many stored cards BenchmarkGrowth measures.
const cardsEnv = "CCMS_BENCH_CARDS"

// prepared is how many cards are registered before each measurement of growth:
// those that are asked for and revealed.
const prepared = 500

// BenchmarkGrowth measures what one client waits for, with ever more cards in
// the store. All of them are one firm's, each with its registration and its part
// of the audit log.
func BenchmarkGrowth(b *testing.B) {
	for size := range strings.SplitSeq(cmp.Or(os.Getenv(cardsEnv), "1000,10000"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			b.Fatalf("%s: %v", cardsEnv, err)
		}
		b.Run("cards="+size, func(b *testing.B) {
			p, ids, tokens := filled(b, n)
			defer p.kill()
			for b.Loop() {
				for _, q := range []struct {
					what string
					load load
				}{
					{"register", load{status: 201, request: p.registrations(1)}},
					{"status", load{status: 200, request: p.pick(each(ids, func(id string) string { return "/status/" + id }))}},
					{"card", load{status: 200, request: p.pick(each(tokens, func(token string) string { return "/v1/cards/" + token }))}},
					{"list", load{status: 200, request: p.pick([]string{"/v1/registrations?limit=50"})}},
					{"cards", load{status: 200, request: p.pick([]string{"/v1/cards?limit=50"})}},
					{"reveal", p.reveals(1, tokens)},
				} {
					q.load.base, q.load.clients, q.load.length = p.CreditCard, 1, window
					var p50 []time.Duration
					for range rounds {
						p50 = append(p50, q.load.run(b).quantile(.5))
					}
					b.ReportMetric(ms(median(p50)), q.what+"-p50-ms")
				}
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// filled starts a product with n cards in its store, and returns some of the
// registrations and tokens.
func filled(b *testing.B, n int) (p *bench, ids, tokens []string) {
	b.Helper()
	dir := b.TempDir()
	first, err := up(dir, busy...)
	if err != nil {
		b.Fatal(err)
	}
	c := newClient(b)
	p = &bench{first, c, newFirm(b, c, first, "--live", "--scope", allScopes)}
	ids, tokens = p.prepare(b, prepared)
	if err := first.stop(); err != nil {
		b.Fatal(err)
	}
	fill(b, dir, n-prepared, p.firm.firm)
	if p.process, err = up(dir, busy...); err != nil {
		b.Fatal(err)
	}
	p.firm.token = grant(b, c, p.process, p.firm)
	return p, ids, tokens
}

// fill copies stored documents of a registration n times, under ids and look-up
// values of their own, as old as if one had come every second before them. The
// store is that of a product at rest.
func fill(b *testing.B, dir string, n int, firm string) {
	b.Helper()
	began := time.Now()
	db, err := sqlitestore.Open(b.Context(), sqlitestore.Config{Path: filepath.Join(dir, "ccms.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	of := func(s store.Spec) shelf { return openShelf(b, db, s) }
	cards := of(store.Spec{Name: "Card", Unique: []string{"card.lookup"}, Ordered: []string{"card.listed", "deletedAt"}})
	registrations := of(store.Spec{Name: "Registration", Ordered: []string{"reference", "last4", "reason", "status"}})
	audit := of(store.Spec{Name: "CreditCardAudit", Ordered: []string{"at"}})
	chain := crand.Text()
	const writers = 512 // which share the price of durability
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < n; i += writers {
				at := began.Add(-time.Duration(n-i) * time.Second)
				token := "tok_" + strings.ToLower(crand.Text())
				cards.copy(b, token, func(d bson.M) {
					content := d["card"].(bson.M)
					content["lookup"] = content["lookup"].(string)[:8] + crand.Text() + crand.Text()
					content["listed"] = listing.Key(firm, at, token)
				})
				registrations.copy(b, ledger.Key{Firm: firm, Mode: "live", ID: ledger.NewID(at)}.String(), func(d bson.M) { d["token"] = token })
				// Under load a page of the log holds the records of many cards.
				audit.copy(b, fmt.Sprintf("%s/%016d", chain, i+1), nil)
			}
		})
	}
	all.Wait()
	b.Logf("%d cards in %s", n, time.Since(began).Round(time.Second))
}

// shelf is a collection and the documents it had in the beginning.
type shelf struct {
	store.Collection
	docs []store.Doc
}

func openShelf(b *testing.B, db store.DB, s store.Spec) shelf {
	b.Helper()
	c, err := db.Collection(b.Context(), s)
	if err != nil {
		b.Fatal(err)
	}
	out := shelf{Collection: c}
	for d, err := range c.Find(b.Context(), store.Query{}) {
		if err != nil {
			b.Fatal(err)
		}
		out.docs = append(out.docs, d)
	}
	if len(out.docs) == 0 {
		b.Fatalf("%s is empty", s.Name)
	}
	return out
}

// copy inserts one of the documents under another id, and changed, if change is
// not nil.
func (s shelf) copy(b *testing.B, id string, change func(bson.M)) {
	body := s.docs[rand.IntN(len(s.docs))].Body
	if change != nil {
		var d bson.M
		in := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(body)))
		in.DefaultDocumentM()
		if err := in.Decode(&d); err != nil {
			b.Error(err)
			return
		}
		change(d)
		var err error
		if body, err = bson.Marshal(d); err != nil {
			b.Error(err)
			return
		}
	}
	if err := s.Insert(b.Context(), store.Doc{ID: id, Body: body}); err != nil {
		b.Error(err)
	}
}
