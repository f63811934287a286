package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// config is for a fresh store and a fresh key.
func config(t testing.TB) Config {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	return Config{DB: storetest.New(t), Key: secret.New(key)}
}

func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// act records one act with its outcome.
func act(t testing.TB, l *Log, e Entry) {
	t.Helper()
	a, err := l.Begin(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.End(t.Context(), Success); err != nil {
		t.Fatal(err)
	}
}

func verify(t testing.TB, cfg Config) Report {
	t.Helper()
	r, err := Verify(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// all returns every record of the log by chain.
func all(t testing.TB, l *Log) map[string][]record {
	t.Helper()
	chains := map[string][]record{}
	for doc, err := range l.records.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		chain, _, _ := splitID(doc.ID)
		chains[chain] = append(chains[chain], doc.Value.Records...)
	}
	return chains
}

func TestAnActIsARecordBeforeAndARecordAfter(t *testing.T) {
	cfg := config(t)
	now := time.Date(2026, 11, 22, 7, 0, 0, 123_456_789, time.UTC)
	cfg.Chain, cfg.Now = "login-1", func() time.Time { return now }
	l := open(t, cfg)
	e := Entry{Act: "card.add", Actor: "acc_1", Object: "card_7", Owner: "acc_1", From: "192.0.2.7", Request: "r-1", Reason: "asked"}
	a, err := l.Begin(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if recs := all(t, l)["login-1"]; len(recs) != 2 || recs[1].Result != "" || recs[1].Begin != 0 {
		t.Fatalf("before the act: %+v", recs)
	}
	if err := a.End(t.Context(), Refused); err != nil {
		t.Fatal(err)
	}
	if err := a.End(t.Context(), Success); err != nil {
		t.Errorf("a second End: %v", err)
	}
	if err := l.Note(t.Context(), Entry{Act: "login", From: "192.0.2.8"}, Refused); err != nil {
		t.Fatal(err)
	}
	recs := all(t, l)["login-1"]
	want := []string{
		"1 audit.open       0 ",
		"2 card.add acc_1 card_7 acc_1 192.0.2.7 r-1 asked 0 ",
		"3 card.add acc_1 card_7 acc_1 192.0.2.7 r-1 asked 2 refused",
		"4 login    192.0.2.8   0 refused",
	}
	if len(recs) != len(want) {
		t.Fatalf("records %+v", recs)
	}
	for i, r := range recs {
		got := fmt.Sprint(r.Number, " ", strings.Join([]string{r.Act, r.Actor, r.Object, r.Owner, r.From, r.Request, r.Reason}, " "), " ", r.Begin, " ", r.Result)
		if got != want[i] || !r.At.Equal(now.Truncate(time.Millisecond)) {
			t.Errorf("record %q at %v, want %q", got, r.At, want[i])
		}
	}
	r := verify(t, cfg)
	if r.Records != 4 || r.Checkpoints != 1 || len(r.Heads) != 1 || r.Heads[0].Chain != "login-1" || r.Heads[0].Number != 4 || len(r.Heads[0].Value) != keySize {
		t.Errorf("report %+v", r)
	}
}

func TestNoCardNumberEnters(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	const number = "4111111111111111"
	for _, s := range []string{number, "4111 1111 1111 1111", "a 4111-1111-1111-1111 b", strings.Repeat("x", maxText-8) + number, "%34111111111111111"} {
		act(t, l, Entry{Act: s, Actor: s, Object: s, Owner: s, From: s, Request: s, Reason: s})
		if err := l.Note(t.Context(), Entry{}, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, recs := range all(t, l) {
		for _, r := range recs {
			for _, s := range []string{r.Act, r.Actor, r.Object, r.Owner, r.From, r.Request, r.Reason, r.Result} {
				if strings.Count(strings.NewReplacer(" ", "", "-", "").Replace(s), "1") > 4 || len(s) > maxText {
					t.Errorf("kept %q", s)
				}
			}
		}
	}
	verify(t, cfg)
}

func TestAnyTextStaysVerifiable(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	for _, s := range []string{"\xff\xfe", "a\x00b", strings.Repeat("ü", maxText), "", "日本", "\u0000", "{\"$set\":1}"} {
		act(t, l, Entry{Act: s, Actor: s, Object: s, Reason: s})
	}
	if r := verify(t, cfg); r.Records != 15 {
		t.Errorf("%d records", r.Records)
	}
}

func TestConcurrentActsShareWrites(t *testing.T) {
	cfg := config(t)
	cfg.Chain = "c"
	l := open(t, cfg)
	const writers, acts = 100, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range acts {
				act(t, l, Entry{Act: "card.read", Actor: fmt.Sprint("acc_", w), Object: fmt.Sprint(i)})
			}
		})
	}
	group.Wait()
	if r := verify(t, cfg); r.Records != 1+2*writers*acts {
		t.Errorf("%d records", r.Records)
	}
	docs := 0
	for range l.records.Find(t.Context(), store.Query{}) {
		docs++
	}
	if docs > 2*writers*acts/4 {
		t.Errorf("%d documents for %d records: writers do not share", docs, 2*writers*acts)
	}
	ends := map[int64]int{}
	for _, r := range all(t, l)["c"] {
		ends[r.Begin]++
	}
	for n, count := range ends {
		if n != 0 && count != 1 {
			t.Errorf("record %d has %d outcomes", n, count)
		}
	}
}

func TestTwoLogsOfOneChainNeverForkIt(t *testing.T) {
	cfg := config(t)
	cfg.Chain = "shared"
	logs := []*Log{open(t, cfg), open(t, cfg), open(t, cfg)}
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() { act(t, logs[i%len(logs)], Entry{Act: "a", Object: fmt.Sprint(i)}) })
	}
	group.Wait()
	seen := map[string]int{}
	for _, r := range all(t, logs[0])["shared"] {
		seen[r.Object]++
	}
	for i := range 60 {
		if seen[fmt.Sprint(i)] != 2 {
			t.Errorf("act %d has %d records", i, seen[fmt.Sprint(i)])
		}
	}
	if r := verify(t, cfg); r.Records != 123 {
		t.Errorf("%d records", r.Records)
	}
}

func TestARestartGoesOn(t *testing.T) {
	cfg := config(t)
	cfg.Chain = "named"
	for range 3 {
		act(t, open(t, cfg), Entry{Act: "a"})
	}
	cfg.Chain = ""
	for range 2 {
		l := open(t, cfg)
		act(t, l, Entry{Act: "a"})
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r := verify(t, cfg)
	if r.Records != 3*3+2*4 || len(r.Heads) != 3 || r.Checkpoints != 3+2*2 {
		t.Errorf("report %+v", r)
	}
}

func TestManyProcessesStartAtOnce(t *testing.T) {
	cfg := config(t)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := Open(t.Context(), cfg); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if r := verify(t, cfg); r.Checkpoints != 16 || len(r.Heads) != 16 {
		t.Errorf("report %+v", r)
	}
}

func TestVerifyWhileOthersAppend(t *testing.T) {
	cfg := config(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for ctx.Err() == nil {
				l := open(t, cfg)
				for range 5 {
					act(t, l, Entry{Act: "a"})
				}
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		verify(t, cfg)
	}
	cancel()
	group.Wait()
	verify(t, cfg)
}

func TestNoActWithoutARecord(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	a, err := l.Begin(ctx, Entry{Act: "a"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := l.Begin(ctx, Entry{Act: "b"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin with a cancelled context: %v", err)
	}
	if err := a.End(ctx, Success); err != nil {
		t.Errorf("the outcome is lost with the caller: %v", err)
	}
	verify(t, cfg)
	if err := cfg.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Begin(t.Context(), Entry{Act: "c"}); !errors.Is(err, problem.Database(nil)) {
		t.Errorf("Begin without a store: %v", err)
	}
	if err := l.Note(t.Context(), Entry{Act: "c"}, Failed); !errors.Is(err, problem.Database(nil)) {
		t.Errorf("Note without a store: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := config(t)
	short, slash := good, good
	short.Key = secret.New(make([]byte, keySize-1))
	slash.Chain = "a/b"
	for name, cfg := range map[string]Config{"a short key": short, "a chain with a slash": slash} {
		if _, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := Verify(t.Context(), short); err == nil {
		t.Error("Verify took a short key")
	}
}

func BenchmarkActs(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(writers, "writers"), func(b *testing.B) {
			l := open(b, config(b))
			b.SetParallelism(writers)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := l.Begin(b.Context(), Entry{Act: "card.read", Actor: "acc_1", Object: "card_1"}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func TestAnOutcomeMayBeExplained(t *testing.T) {
	cfg := config(t)
	cfg.Chain = "c"
	l := open(t, cfg)
	for _, words := range []string{"", "verified, card 4111111111111111"} {
		a, err := l.Begin(t.Context(), Entry{Act: "registration.create", Reason: "asked"})
		if err != nil {
			t.Fatal(err)
		}
		a.Explain(words)
		if err := a.End(t.Context(), Success); err != nil {
			t.Fatal(err)
		}
	}
	var reasons []string
	for _, r := range all(t, l)["c"][1:] {
		reasons = append(reasons, r.Reason)
	}
	want := []string{"asked", "asked", "asked", "verified, card ************1111"}
	if !slices.Equal(reasons, want) {
		t.Errorf("reasons %q, want %q", reasons, want)
	}
	verify(t, cfg)
}
