package creditcard_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// document returns what the store has of a cardholder, as text.
func (w *world) document(id string) string {
	w.t.Helper()
	cards, err := w.db.Collection(w.t.Context(), store.Spec{Name: "CreditCard", Ordered: []string{"deletedSince"}, Expires: "expiresAt"})
	must(w.t, err)
	d, err := cards.Get(w.t.Context(), id)
	must(w.t, err)
	return bson.Raw(d.Body).String()
}

func TestDeletedCardsAreErasedAfterTheirRetention(t *testing.T) {
	w := newWorld(t)
	early, late, kept := w.add("alice", visa), w.add("alice", mastercard), w.add("alice", amex)
	want(t, w.delete("alice", early.id()), 200, "")
	w.clock.Advance(time.Hour)
	want(t, w.delete("alice", late.id()), 200, "")

	w.clock.Advance(time.Hour - time.Millisecond)
	must(t, w.service.Sweep(t.Context()))
	want(t, w.delete("alice", early.id()), 409, "ALREADY_DELETED")
	w.clock.Advance(time.Millisecond)
	must(t, w.service.Sweep(t.Context()))
	want(t, w.delete("alice", early.id()), 404, "CARD_NOT_FOUND")
	want(t, w.delete("alice", late.id()), 409, "ALREADY_DELETED")
	want(t, w.restore("alice", early.Token), 404, "CARD_NOT_FOUND")

	doc := w.document("alice")
	if strings.Contains(doc, early.Token) || strings.Count(doc, "AES256{") != 2 || strings.Count(doc, "f1.") != 2 {
		t.Errorf("the erased card left something in %s", doc)
	}
	w.clock.Advance(time.Hour)
	must(t, w.service.Sweep(t.Context()))
	if got := w.list("alice"); len(got) != 1 || got[0] != kept {
		t.Errorf("list %+v, want %+v", got, kept)
	}
	if n := len(w.audited("card.erase", "success", "")); n != 2 {
		t.Errorf("%d erasures on record, want 2", n)
	}
}

func TestWhatIsOverdueIsCounted(t *testing.T) {
	w := newWorld(t)
	w.add("alice", amex)
	for _, as := range []string{"alice", "bob"} {
		c := w.add(as, visa)
		want(t, w.delete(as, c.id()), 200, "")
		w.clock.Advance(time.Hour)
	}
	since := w.clock.Now().Add(-2 * time.Hour)
	for _, tt := range []struct {
		pass    time.Duration
		overdue int64
	}{{0, 0}, {retention / 10, 0}, {time.Millisecond, 1}, {time.Hour, 2}} {
		w.clock.Advance(tt.pass)
		c, err := w.service.Overdue(t.Context(), w.clock.Now())
		must(t, err)
		if c.Kept != 2 || c.Overdue != tt.overdue || !c.Oldest.Equal(since) {
			t.Errorf("got %+v, want %d overdue", c, tt.overdue)
		}
	}
	must(t, w.service.Sweep(t.Context()))
	if c, err := w.service.Overdue(t.Context(), w.clock.Now()); err != nil || c.Kept != 0 || c.Overdue != 0 || !c.Oldest.IsZero() {
		t.Errorf("after the sweep: %+v, %v", c, err)
	}
}

func TestTheSweepGoesThroughManyHolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 105 {
		as := "holder-" + strings.Repeat("x", i)
		w.add(as, visa)
		want(t, w.delete(as, visa), 200, "")
	}
	w.clock.Advance(retention)
	must(t, w.service.Sweep(t.Context()))
	if n := len(w.audited("card.erase", "success", "")); n != 105 {
		t.Errorf("%d cards erased, want 105", n)
	}
}

func TestTheSweepWaitsForTheAuditAndTriesAgain(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	want(t, w.delete("alice", visa), 200, "")
	w.clock.Advance(retention)
	w.db.Add(storetest.Rule{Collection: "Audit", Err: errDisk})
	if err := w.service.Sweep(t.Context()); err == nil {
		t.Error("the sweep hid its failure")
	}
	w.db.Clear()
	if !strings.Contains(w.document("alice"), c.Token) {
		t.Error("a card was erased without a record")
	}
	must(t, w.service.Sweep(t.Context()))
	if strings.Contains(w.document("alice"), c.Token) {
		t.Error("the card is still there")
	}
}

func TestRunErasesAndEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.add("alice", visa)
	want(t, w.delete("alice", visa), 200, "")
	w.clock.Advance(retention)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- w.service.Run(ctx) }()
	for len(w.audited("card.erase", "success", "")) == 0 && t.Context().Err() == nil {
		w.list("alice") // until the first sweep is through
	}
	stop()
	must(t, <-done)
	want(t, w.delete("alice", visa), 404, "CARD_NOT_FOUND")
}

// serve puts the routes behind a real server, which knows proofs and writes the
// access log. The proof is the purpose itself.
func (w *world) serve() string {
	w.t.Helper()
	srv, err := httpserver.Listen(w.t.Context(), httpserver.Config{
		Name: "creditcard", Addr: "127.0.0.1:0", Handler: w.handler, Log: w.log,
		Prove: func(r *http.Request) string { return r.Header.Get(identity.ProofHeader) },
	})
	must(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- srv.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		must(w.t, <-done)
	})
	return srv.URL()
}

// fetch sends one request over the wire.
func fetch(t *testing.T, url string, c call, proof string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, strings.NewReader(c.body))
	must(t, err)
	if c.as != "" {
		r.Header.Set("Authorization", "Bearer "+c.as)
	}
	if c.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if proof != "" {
		r.Header.Set(identity.ProofHeader, proof)
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(res.Body)
	must(t, err)
	return answer{res.StatusCode, res.Header, b.String()}
}

func TestAnAccountThatGoesTakesItsCardsAlong(t *testing.T) {
	w := newWorld(t)
	url := w.serve()
	live, deleted := w.add("alice", visa), w.add("alice", mastercard)
	want(t, w.delete("alice", deleted.id()), 200, "")
	bobs := w.add("bob", visa)
	deleted.Deleted = true
	erase := call{method: "POST", path: "/internal/cardholders/alice/erase"}
	export := call{method: "GET", path: "/internal/cardholders/alice/cards"}

	for _, proof := range []string{"", identity.PurposeForward, identity.PurposeRegistry} {
		want(t, fetch(t, url, erase, proof), 403, "FORBIDDEN")
		want(t, fetch(t, url, export, proof), 403, "FORBIDDEN")
	}
	a := fetch(t, url, export, identity.PurposeInternal)
	want(t, a, 200, "")
	if got := decode[[]object](t, a); len(got) != 2 || got[0] != live || got[1] != deleted {
		t.Errorf("export %+v", got)
	}
	for range 2 {
		want(t, fetch(t, url, erase, identity.PurposeInternal), 200, "")
	}
	if a = fetch(t, url, export, identity.PurposeInternal); a.status != 200 || a.body != "[]" {
		t.Errorf("export after the end: %d %s", a.status, a.body)
	}
	if doc := w.document("alice"); strings.Contains(doc, "AES256{") || strings.Contains(doc, "alice") || strings.Contains(doc, "1111") {
		t.Errorf("left behind: %s", doc)
	}
	want(t, w.do(addCall("alice", visa)), 401, "UNAUTHORIZED") // a request that was under way
	want(t, w.delete("alice", live.id()), 404, "CARD_NOT_FOUND")
	if got := w.list("bob"); len(got) != 1 || got[0] != bobs {
		t.Errorf("bob has %+v", got)
	}
	want(t, fetch(t, url, call{method: "POST", path: "/internal/cardholders/nobody/erase"}, identity.PurposeInternal), 200, "")
	want(t, w.do(addCall("nobody", visa)), 401, "UNAUTHORIZED")
	if n := len(w.audited("card.export", "success", "")); n != 2 {
		t.Errorf("%d exports on record, want 2", n)
	}
}

// The number and the code occur nowhere else in this test; neither may be found
// in any file of the store, nor in the log, in any of their usual forms.
func TestNeitherNumberNorCodeIsWrittenAnywhere(t *testing.T) {
	w := newWorld(t)
	w.log = slog.New(slog.NewTextHandler(&w.logged, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTimes}))
	w.service, w.handler = w.process()
	url := w.serve()
	const number, code = "371881634498004", "7391"
	body := `{"cardNumber":"3718 8163449 8004","cvv":"` + code + `","expiryMonth":12,"expiryYear":2030}`
	add := call{method: "POST", path: "/api/customer/creditcard", as: "alice", body: body, key: "k"}
	want(t, fetch(t, url, add, ""), 201, "")
	want(t, fetch(t, url, add, ""), 201, "")
	add.key = ""
	want(t, fetch(t, url, add, ""), 409, "CARD_EXISTS")
	add.body = strings.Replace(body, "2030", "1990", 1)
	want(t, fetch(t, url, add, ""), 400, "INVALID_EXPIRY")
	w.db.Add(storetest.Rule{Collection: "CreditCard", Err: errDisk})
	add.body = body
	want(t, fetch(t, url, add, ""), 503, "DATABASE_ERROR")
	w.db.Clear()
	for _, path := range []string{number, "3718-816344-98004", "3718%20816344%2098004"} {
		want(t, fetch(t, url, call{method: "PUT", path: "/api/customer/creditcard/" + path + "/toggle", as: "alice"}, ""), 200, "")
	}
	want(t, fetch(t, url, call{method: "DELETE", path: "/api/customer/creditcard/" + number, as: "alice"}, ""), 200, "")
	w.clock.Advance(retention)
	must(t, w.service.Sweep(t.Context()))

	traces := map[string][]byte{
		"number": []byte(number), "grouped number": []byte("3718 816344 98004"), "number as sent": []byte("3718 8163449 8004"),
		"packed number": {0x37, 0x18, 0x81, 0x63, 0x44, 0x98, 0x00, 0x4f}, "first ten digits": []byte(number[:10]),
		"binary number": binary.LittleEndian.AppendUint64(nil, 371881634498004), "code": []byte(code),
	}
	places := map[string][]byte{"log": []byte(w.logged.String())}
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		places[filepath.Base(f)] = b
	}
	if len(places["test.db"])+len(places["test.db-wal"]) == 0 || !bytes.Contains(places["log"], []byte("/toggle")) {
		t.Fatal("nothing to search")
	}
	for place, b := range places {
		for trace, v := range traces {
			if i := bytes.Index(b, v); i >= 0 {
				t.Errorf("%s holds the %s: …%q…", place, trace, b[max(0, i-40):min(len(b), i+40)])
			}
		}
	}
}

func TestNumbersAreWipedWhenTheirRequestIsOver(t *testing.T) {
	w := newWorld(t)
	w.add("alice", visa)
	want(t, w.do(addCall("alice", visa)), 409, "CARD_EXISTS")
	want(t, w.toggle("alice", visa), 200, "")
	want(t, w.toggle("alice", mastercard), 404, "CARD_NOT_FOUND")
	want(t, w.delete("alice", visa), 200, "")
	if len(w.vault.seen) != 7 {
		t.Errorf("the vault was given %d numbers, want 7", len(w.vault.seen))
	}
	for i, number := range w.vault.seen {
		if !bytes.Equal(number, make([]byte, 16)) {
			t.Errorf("number %d is still in memory", i)
		}
	}
}

// withoutTimes leaves out what is full of digits that mean nothing.
func withoutTimes(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, "event.duration", "http.request.id", "url.full":
		return slog.Attr{}
	}
	return a
}
