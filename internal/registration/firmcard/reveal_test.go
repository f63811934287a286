package firmcard_test

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ccms/internal/registration/firmcard"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
)

func TestARevealShowsNumberExpiryAndName(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct{ name, want string }{
		{"Ada Lovelace", `"Ada Lovelace"`},
		{`Ada "the <first>" \ Łovelace` + "\u2028", `"Ada \"the <first>\" \\ Łovelace` + "\u2028" + `"`},
		{strings.Repeat("\x01", 100), `"` + strings.Repeat(`\u0001`, 100) + `"`},
	} {
		d := deposit(t, acme, "live", visa)
		d.Name = secret.NewString(tt.name)
		c, err := w.service.Put(t.Context(), d)
		must(t, err)
		a := w.reveal(acmeLive, c.Token)
		want(t, a, 200, "")
		if wanted := `{"card_number":"4111111111111111","expiry_date":"12/2030","cardholder_name":` + tt.want + `}`; a.body != wanted {
			t.Errorf("got %s, want %s", a.body, wanted)
		}
		h := a.header
		if h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json; charset=utf-8" || h.Get("Content-Length") != strconv.Itoa(len(a.body)) {
			t.Errorf("header %v", h)
		}
	}
	lines := w.audited("card.reveal", "success")
	if len(lines) != 3 || lines[0].Reason != "chargeback 17" || lines[0].Actor != "client_2" || lines[0].Owner != acme {
		t.Errorf("on record: %+v", lines)
	}
	if began := w.audited("card.reveal", ""); len(began) != 3 || began[0].Reason != "chargeback 17" {
		t.Errorf("on record before: %+v", began)
	}
}

func TestWhoMayNotRevealIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	path := "/v1/cards/" + c.Token + "/reveal"
	for _, as := range []string{acmeMember, acme + " test member cards:reveal", acme + " test client_1 cards:read,cards:manage,cards:register"} {
		want(t, w.do(as, "POST", path, `{"reason":"x"}`), 403, "FORBIDDEN")
	}
	for _, as := range []string{otherTest, acmeLive, other + " live client_9" + all} {
		want(t, w.do(as, "POST", path, `{"reason":"x"}`), 404, "NOT_FOUND")
	}
	want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+c.Token, `{"status":"disabled"}`), 200, "")
	want(t, w.do(acmeTest, "POST", path, `{"reason":"x"}`), 409, "CARD_DISABLED")
	if n := len(w.audited("card.reveal", "refused")); n != 4 {
		t.Errorf("%d refusals on record, want 4", n)
	}
	if n := len(w.audited("card.reveal", "")); n != 0 {
		t.Errorf("%d reveals began", n)
	}
}

func TestARevealNeedsAReason(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	for _, body := range []string{
		`{}`, `{"reason":""}`, `{"reason":"  "}`, `{"reason":null}`, `{"reason":7}`, `{"reason":"` + strings.Repeat("x", 201) + `"}`,
		`{"reason":"a\u0000b"}`, `{"reason":"a\nb"}`, `{"reason":"x","token":"y"}`, `{"reason":"about 4111 1111 1111 1111"}`, `[]`, ``, `{"reason":["x"]}`,
	} {
		a := w.do(acmeTest, "POST", "/v1/cards/"+c.Token+"/reveal", body)
		want(t, a, 400, "VALIDATION_ERROR")
		if strings.Contains(a.body, "4111") {
			t.Errorf("the answer repeats the reason: %s", a.body)
		}
	}
	want(t, w.do(acmeTest, "POST", "/v1/cards/"+c.Token+"/reveal", `{"reason":"`+strings.Repeat("é", 200)+`"}`), 200, "")
}

func TestWithoutARecordNothingIsOpened(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Err: errDisk})
	for _, r := range []request{
		{acmeTest, "POST", "/v1/cards/" + c.Token + "/reveal", `{"reason":"x"}`},
		{otherTest, "POST", "/v1/cards/" + c.Token + "/reveal", `{"reason":"x"}`},
		{acmeTest, "PATCH", "/v1/cards/" + c.Token, `{"status":"disabled"}`},
		{acmeTest, "DELETE", "/v1/cards/" + c.Token, ""},
	} {
		a := w.do(r.as, r.method, r.path, r.body)
		want(t, a, 503, "DATABASE_ERROR")
		if strings.Contains(a.body, visa) || strings.Contains(a.body, "host-7") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", r.method, a.body)
		}
	}
	w.db.Clear()
	if a := w.do(acmeTest, "GET", "/v1/cards/"+c.Token, ""); decode[object](t, a).Status != "enabled" {
		t.Errorf("changed without a record: %s", a.body)
	}
}

func TestARevealWithoutAnOutcomeOnRecordStands(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	w.db.Add(storetest.Rule{Collection: "Audit", Op: storetest.Insert, Skip: 1, Times: 1, Err: errDisk})
	want(t, w.reveal(acmeTest, c.Token), 200, "")
	if len(w.audited("card.reveal", "")) != 1 || len(w.audited("card.reveal", "success")) != 0 {
		t.Error("the rule did not meet the outcome alone")
	}
	if !strings.Contains(w.logged.String(), "outcome of an act was not recorded") {
		t.Errorf("logged %q", w.logged.String())
	}
}

func TestTheQuotaIsExactUnderParallelRevealsOfTwoProcesses(t *testing.T) {
	w := newWorld(t)
	w.perHour = 50
	first, one := w.process()
	second, two := w.process()
	c, err := first.Put(t.Context(), deposit(t, acme, "test", visa))
	must(t, err)
	var shown, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		h := one
		if i%2 == 1 {
			h = two
		}
		wg.Go(func() {
			for range 3 {
				switch a := send(t.Context(), h, request{acmeTest, "POST", "/v1/cards/" + c.Token + "/reveal", `{"reason":"x"}`}); a.status {
				case 200:
					shown.Add(1)
				case 429:
					refused.Add(1)
				default:
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
	if shown.Load() != 50 || refused.Load() != 64*3-50 {
		t.Errorf("%d shown and %d refused, want 50 and the others", shown.Load(), refused.Load())
	}
	_ = second
	want(t, send(t.Context(), one, request{acme + " test client_5" + all, "POST", "/v1/cards/" + c.Token + "/reveal", `{"reason":"x"}`}), 200, "")
}

func TestAfterTheQuotaAClientWaits(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	for range perHour {
		want(t, w.reveal(acmeTest, c.Token), 200, "")
	}
	a := w.reveal(acmeTest, c.Token)
	want(t, a, 429, "TOO_MANY_REQUESTS")
	wait, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || wait < 3500 || wait > 3600 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	if lines := w.audited("card.reveal", "refused"); len(lines) != 1 || lines[0].Actor != "client_1" {
		t.Errorf("on record: %+v", lines)
	}
	w.clock.Advance(time.Hour + 10*time.Second)
	want(t, w.reveal(acmeTest, c.Token), 200, "")
}

func TestTheQuotaOutlivesAProcess(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	shown := 0
	for range 10 { // each is killed after two reveals
		_, w.handler = w.process()
		for range 2 {
			if w.reveal(acmeTest, c.Token).status == 200 {
				shown++
			}
		}
	}
	_, w.handler = w.process()
	for w.reveal(acmeTest, c.Token).status == 200 {
		shown++
	}
	if shown > perHour || shown < perHour-10 {
		t.Errorf("%d shown, want at most %d and few less", shown, perHour)
	}
}

func TestWhatIsNotShownIsNotCounted(t *testing.T) {
	w := newWorld(t)
	c, off := w.put(acme, "test", visa), w.put(acme, "test", mastercard)
	want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+off.Token, `{"status":"disabled"}`), 200, "")
	for range perHour {
		want(t, w.reveal(acmeTest, off.Token), 409, "CARD_DISABLED")
		want(t, w.reveal(acmeTest, "tok_x"), 404, "NOT_FOUND")
	}
	want(t, w.reveal(acmeTest, c.Token), 200, "")
}

func TestACardThatWasMovedDoesNotOpen(t *testing.T) {
	for _, tt := range []struct {
		name string
		from firmcard.Deposit
		to   firmcard.Deposit
	}{
		{"to another token", deposit(t, acme, "test", visa), deposit(t, acme, "test", mastercard)},
		{"to another firm", deposit(t, other, "test", visa), deposit(t, acme, "test", visa)},
		{"to the other mode", deposit(t, acme, "live", visa), deposit(t, acme, "test", visa)},
	} {
		for _, field := range []string{"number", "name"} {
			t.Run(field+" "+tt.name, func(t *testing.T) {
				w := newWorld(t)
				from, err := w.service.Put(t.Context(), tt.from)
				must(t, err)
				to, err := w.service.Put(t.Context(), tt.to)
				must(t, err)
				want(t, w.reveal(acmeTest, to.Token), 200, "")
				w.swap(from.Token, to.Token, field)
				a := w.reveal(acmeTest, to.Token)
				want(t, a, 500, "SERVER_ERROR")
				if strings.Contains(a.body, visa) || strings.Contains(a.body, "Ada") {
					t.Errorf("it shows %s", a.body)
				}
				if n := len(w.audited("card.reveal", "failed")); n != 1 {
					t.Errorf("%d failures on record", n)
				}
			})
		}
	}
}
