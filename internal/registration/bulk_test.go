package registration_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/registration"
	"ccms/internal/registration/firmcard"
	"ccms/internal/store/storetest"
)

// result is a line of a bulk answer as a client reads it.
type result struct {
	Line      int    `json:"line"`
	Code      int    `json:"code"`
	ID        string `json:"registration_id"`
	Status    string `json:"status"`
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Details   string `json:"details"`
}

func bulkCall(as string, lines ...string) call {
	return call{method: "POST", path: "/v1/registrations/bulk", as: as, media: "application/x-ndjson", body: strings.Join(lines, "\n")}
}

func (w *world) bulk(c call) (all []result) {
	w.t.Helper()
	a := w.do(c)
	want(w.t, a, 200, "")
	if got := a.header.Get("Content-Type"); got != "application/x-ndjson; charset=utf-8" {
		w.t.Errorf("the answer is %s", got)
	}
	for line := range strings.Lines(a.body) {
		all = append(all, decode[result](w.t, answer{body: line}))
	}
	return all
}

func TestBulkAnswersLineForLine(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	all := w.bulk(bulkCall(as,
		cardBody(visa, member{"reference", `"1"`}),
		"",
		`{"card_number":"4111111111111112","expiry_date":"12/30","cvv":"123","cardholder_name":"Doe"}`,
		"  ",
		"no JSON "+visa,
		`{}`,
		`[`+cardBody(visa)+`]`,
		cardBody(visa, member{"unknown", "1"}),
		cardBody(amex, member{"idempotency_key", `"k"`})+"\r",
	))
	wanted := []struct {
		line, code int
		word       string
	}{{1, 201, ""}, {3, 400, "INVALID_CARD"}, {5, 400, "VALIDATION_ERROR"}, {6, 400, "VALIDATION_ERROR"}, {7, 400, "VALIDATION_ERROR"},
		{8, 400, "VALIDATION_ERROR"}, {9, 201, ""}}
	if len(all) != len(wanted) {
		t.Fatalf("answered %+v", all)
	}
	for i, c := range wanted {
		got := all[i]
		if got.Line != c.line || got.Code != c.code || got.ErrorCode != c.word || (c.code == 201) != (got.ID != "" && got.Status == "pending") || (c.word == "") != (got.Error == "") {
			t.Errorf("line %d: %+v", c.line, got)
		}
		if strings.Contains(fmt.Sprint(got), "4111") {
			t.Errorf("line %d came back: %+v", c.line, got)
		}
	}
	if all[3].Error != "Missing required fields" {
		t.Errorf("line 6: %+v", all[3])
	}
	if got := w.statusOf(as, all[6].ID); got.Brand != "American Express" {
		t.Errorf("line 9 became %+v", got)
	}
}

func TestBulkRepeatedMakesNothingNew(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	byHeader := bulkCall(as, cardBody(visa), cardBody(visa), cardBody(mastercard))
	byHeader.key = "import 1"
	byLine := bulkCall(as, cardBody(amex, member{"idempotency_key", `"row 1"`}), cardBody(amex, member{"idempotency_key", `"row 2"`}))
	for name, c := range map[string]call{"by the header": byHeader, "by the lines": byLine} {
		first, second := w.bulk(c), w.bulk(c)
		if fmt.Sprint(first) != fmt.Sprint(second) || first[0].ID == first[1].ID {
			t.Errorf("%s: %+v, then %+v", name, first, second)
		}
	}
	if all := w.listAll(as, ""); len(all) != 5 {
		t.Errorf("there are %d registrations", len(all))
	}
	byHeader.body = strings.Join([]string{cardBody(visa), cardBody(amex), cardBody(mastercard)}, "\n")
	if got := w.bulk(byHeader); got[0].Code != 201 || got[1].Code != 422 || got[1].ErrorCode != "IDEMPOTENCY_MISMATCH" {
		t.Errorf("with another second line: %+v", got)
	}
	if got := w.bulk(bulkCall(as, cardBody(visa, member{"idempotency_key", `"é"`}))); got[0].Code != 400 {
		t.Errorf("a key that is none: %+v", got)
	}
}

func TestBulkLimits(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	lines := make([]string, 1001)
	for i := range lines {
		lines[i] = "{}"
	}
	for _, c := range []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"a thousand lines", bulkCall(as, lines[:1000]...), 200, ""},
		{"a thousand lines that end", bulkCall(as, append(lines[:1000:1000], "")...), 200, ""},
		{"a thousand and one", bulkCall(as, lines...), 413, "PAYLOAD_TOO_LARGE"},
		{"more than 4 MiB", bulkCall(as, quote("x", 4<<20)), 413, "PAYLOAD_TOO_LARGE"},
		{"nothing", bulkCall(as, ""), 400, "VALIDATION_ERROR"},
		{"nothing but ends of lines", bulkCall(as, "", " ", "\r", ""), 400, "VALIDATION_ERROR"},
		{"JSON", call{method: "POST", path: "/v1/registrations/bulk", as: as, body: cardBody(visa)}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"a bad key", keyed(bulkCall(as, "{}"), "é"), 400, "VALIDATION_ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.do(c.call)
			want(t, a, c.status, c.code)
			if n := strings.Count(a.body, "\n"); c.status == 200 && n != 1000 {
				t.Errorf("answered %d lines", n)
			}
		})
	}
}

// TestBulkTellsEachLineOfAFailure would fail if the first failure ended the
// answer, or its cause reached the caller.
func TestBulkTellsEachLineOfAFailure(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	w.db.Add(storetest.Rule{Collection: "Registration", Op: storetest.Insert, Times: 1, Err: errors.New("disk of host x")})
	codes := map[int]int{}
	for _, r := range w.bulk(bulkCall(as, cardBody(visa), cardBody(visa), cardBody(visa))) {
		codes[r.Code]++
		if strings.Contains(r.Error+r.Details, "disk") {
			t.Errorf("told %+v", r)
		}
	}
	if codes[503] != 1 || codes[201] != 2 {
		t.Errorf("codes %v", codes)
	}
	if !strings.Contains(w.logged.String(), "disk of host x") {
		t.Error("the cause is not in the log")
	}
}

// held keeps cards from a number of them on only once it is let go.
type held struct {
	registration.Cards
	from    int64
	n       atomic.Int64
	release chan struct{}
}

func (h *held) Put(ctx context.Context, d firmcard.Deposit) (firmcard.Card, error) {
	if h.n.Add(1) >= h.from {
		select {
		case <-h.release:
		case <-ctx.Done():
			return firmcard.Card{}, ctx.Err()
		}
	}
	return h.Cards.Put(ctx, d)
}

// TestBulkAnswersAsItGoes would hang if the answer waited for the last line: the
// later ones are held until the first has been read.
func TestBulkAnswersAsItGoes(t *testing.T) {
	h := &held{from: 2, release: make(chan struct{})}
	w := newWorld(t, func(w *world) {
		w.wrap = func(c registration.Cards) registration.Cards { h.Cards = c; return h }
	})
	lines := make([]string, 100)
	for i := range lines {
		lines[i] = cardBody(visa, member{"reference", fmt.Sprintf(`"%d"`, i)})
	}
	lines[0] = "{}" // answered without a card
	c := bulkCall(client("firm_a", "test"), lines...)
	r, err := http.NewRequestWithContext(t.Context(), c.method, w.serve(t)+c.path, strings.NewReader(c.body))
	must(t, err)
	c.header(r)
	resp, err := http.DefaultClient.Do(r)
	must(t, err)
	defer resp.Body.Close()
	scanner := bufio.NewScanner(resp.Body)
	for i := range lines {
		if !scanner.Scan() {
			t.Fatalf("the answer ended at line %d: %v", i+1, scanner.Err())
		}
		var got result
		must(t, json.Unmarshal(scanner.Bytes(), &got))
		if i == 0 {
			close(h.release)
		}
		if got.Line != i+1 || (got.Code == 201) != (i > 0) {
			t.Fatalf("got %+v as line %d", got, i+1)
		}
	}
}

// TestALineThatWasBegunIsFinished would fail if a caller who goes away cut off
// the lines at work: their keys would be taken until the lease is over.
func TestALineThatWasBegunIsFinished(t *testing.T) {
	h := &held{release: make(chan struct{})}
	w := newWorld(t, func(w *world) {
		w.wrap = func(c registration.Cards) registration.Cards { h.Cards = c; return h }
	})
	ctx, leave := context.WithCancel(t.Context())
	as := client("firm_a", "test")
	c := keyed(bulkCall(as, cardBody(visa)), "once")
	r, err := http.NewRequestWithContext(ctx, c.method, w.serve(t)+c.path, strings.NewReader(c.body))
	must(t, err)
	c.header(r)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if resp, err := http.DefaultClient.Do(r); err == nil {
			_ = resp.Body.Close()
		}
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for h.n.Load() == 0 {
		<-tick.C
	}
	leave()
	<-gone
	close(h.release)
	for deadline := time.Now().Add(2 * time.Minute); len(w.listAll(as, "")) == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the line was cut off")
		}
	}
}
