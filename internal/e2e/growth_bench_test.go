package e2e

import (
	"bytes"
	"cmp"
	crand "crypto/rand"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/listing"
	"ccms/internal/registration/ledger"
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
// store is that of a product at rest. It writes past package sqlitestore,
// without durability and in one transaction, which makes a million cards a
// matter of minutes.
func fill(b *testing.B, dir string, n int, firm string) {
	b.Helper()
	began := time.Now()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ccms.db"))
	if err != nil {
		b.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	defer db.Close()
	do := func(statement string) {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
	do("PRAGMA journal_mode = OFF")
	do("PRAGMA synchronous = OFF")
	do("PRAGMA cache_size = -1000000")
	cards := newCopier(b, db, "Card", "doc", ".card.lookup", ".card.listed")
	registrations := newCopier(b, db, "Registration", "doc")
	audit := newCopier(b, db, "CreditCardAudit")
	chain := crand.Text()
	do("BEGIN")
	for i := range n {
		at := began.Add(-time.Duration(n-i) * time.Second)
		token, lookup := "tok_"+strings.ToLower(crand.Text()), crand.Text()+crand.Text()
		listed := listing.Key(firm, at, token)
		from, body := cards.pick(b, func(d bson.M) { d["card"].(bson.M)["lookup"], d["card"].(bson.M)["listed"] = lookup, listed })
		cards.copy(b, from, token, body, lookup, listed)
		from, body = registrations.pick(b, func(d bson.M) { d["token"] = token })
		registrations.copy(b, from, ledger.Key{Firm: firm, Mode: "live", ID: ledger.NewID(at)}.String(), body)
		// Under load a page of the log holds the records of many cards.
		audit.copy(b, audit.ids[rand.IntN(len(audit.ids))], fmt.Sprintf("%s/%016d", chain, i+1))
	}
	do("COMMIT")
	do("PRAGMA journal_mode = WAL")
	b.Logf("%d cards in %s", n, time.Since(began).Round(time.Second))
}

// copier copies rows of a table, some columns of which are given.
type copier struct {
	statement *sql.Stmt
	ids       []string
	docs      [][]byte
}

func newCopier(b *testing.B, db *sql.DB, table string, given ...string) *copier {
	b.Helper()
	all, values := []string{"id"}, []string{"?2"}
	for _, name := range texts(b, db, "SELECT name FROM pragma_table_info('"+table+"') WHERE name <> 'id'") {
		column := `"` + name + `"`
		all = append(all, column)
		if i := slices.Index(given, name); i >= 0 {
			column = "?" + strconv.Itoa(i+3)
		}
		values = append(values, column)
	}
	statement, err := db.PrepareContext(b.Context(), fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE id = ?1",
		table, strings.Join(all, ", "), strings.Join(values, ", "), table))
	if err != nil {
		b.Fatal(err)
	}
	c := &copier{statement: statement, ids: texts(b, db, "SELECT id FROM "+table+" ORDER BY id")}
	for _, doc := range texts(b, db, "SELECT doc FROM "+table+" ORDER BY id") {
		c.docs = append(c.docs, []byte(doc))
	}
	return c
}

func texts(b *testing.B, db *sql.DB, query string) (all []string) {
	b.Helper()
	rows, err := db.QueryContext(b.Context(), query)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			b.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		b.Fatalf("%s: %d rows, %v", query, len(all), err)
	}
	return all
}

// pick takes one of the documents and changes it.
func (c *copier) pick(b *testing.B, change func(bson.M)) (id string, body []byte) {
	b.Helper()
	i := rand.IntN(len(c.ids))
	var d bson.M
	in := bson.NewDecoder(bson.NewDocumentReader(bytes.NewReader(c.docs[i])))
	in.DefaultDocumentM()
	err := in.Decode(&d)
	if err == nil {
		change(d)
		body, err = bson.Marshal(d)
	}
	if err != nil {
		b.Fatal(err)
	}
	return c.ids[i], body
}

// copy copies the row from, under another id and with other values in the given
// columns.
func (c *copier) copy(b *testing.B, from, id string, given ...any) {
	b.Helper()
	if _, err := c.statement.ExecContext(b.Context(), append([]any{from, id}, given...)...); err != nil {
		b.Fatal(err)
	}
}
