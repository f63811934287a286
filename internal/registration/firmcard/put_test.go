package firmcard_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/card"
	"ccms/internal/registration/firmcard"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
)

func TestOneCardHasOneTokenHoweverManyRegisterItAtOnce(t *testing.T) {
	w := newWorld(t)
	second, _ := w.process()
	processes := []*firmcard.Service{w.service, second}
	tokens := make([]string, 64)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() {
			c, err := processes[i%2].Put(t.Context(), deposit(t, acme, "test", visa))
			if err != nil {
				t.Error(err)
			}
			tokens[i] = c.Token
		})
	}
	wg.Wait()
	for _, token := range tokens {
		if token != tokens[0] || token == "" {
			t.Fatalf("tokens %q", tokens)
		}
	}
	c, err := w.service.Card(t.Context(), acme, tokens[0])
	must(t, err)
	if n := c.Registered(w.now()); n != 64 {
		t.Errorf("registered %d times, want 64", n)
	}
}

func TestFirmsAndModesHaveCardsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, c := range []firmcard.Card{
		w.put(acme, "test", visa), w.put(acme, "live", visa), w.put(other, "test", visa), w.put(acme, "test", mastercard),
	} {
		if seen[c.Token] {
			t.Errorf("%s is the token of two cards", c.Token)
		}
		seen[c.Token] = true
	}
	if c := w.put(acme, "live", visa); !seen[c.Token] {
		t.Error("the same card got another token")
	}
}

func TestADepositTellsTheCardAndKeepsTheNewestExpiryAndName(t *testing.T) {
	w := newWorld(t)
	first := w.put(acme, "test", amex)
	if first.Brand != "American Express" || first.BIN != "378282" || first.Last4 != "0005" || first.Status != firmcard.Enabled ||
		first.FirmID != acme || first.Mode != "test" || first.Expiry != (card.Expiry{Month: 12, Year: 2030}) || !first.CreatedAt.Equal(w.now()) {
		t.Errorf("got %+v", first)
	}
	w.clock.Advance(time.Minute)
	d := deposit(t, acme, "test", amex)
	d.Expiry, d.Name = card.Expiry{Month: 3, Year: 2031}, secret.NewString("Ada King")
	again, err := w.service.Put(t.Context(), d)
	must(t, err)
	if again.Token != first.Token || again.Expiry != d.Expiry || !again.CreatedAt.Equal(first.CreatedAt) || !again.UpdatedAt.Equal(w.now()) {
		t.Errorf("got %+v", again)
	}
	if a := w.reveal(acmeTest, first.Token); a.body != `{"card_number":"378282246310005","expiry_date":"03/2031","cardholder_name":"Ada King"}` {
		t.Errorf("got %s", a.body)
	}
}

func TestADepositTriedAgainDoesNothingTwice(t *testing.T) {
	w := newWorld(t)
	d := deposit(t, acme, "test", visa)
	for _, times := range []int{1, 1} {
		c, err := w.service.Put(t.Context(), d)
		must(t, err)
		if c.Token != d.Token || c.Registered(w.now()) != times {
			t.Errorf("token %s, want %s; registered %d times, want %d", c.Token, d.Token, c.Registered(w.now()), times)
		}
	}
	second := deposit(t, acme, "test", visa)
	for range 3 {
		c, err := w.service.Put(t.Context(), second)
		must(t, err)
		if c.Token != d.Token || c.Registered(w.now()) != 2 {
			t.Errorf("token %s, want %s; registered %d times, want 2", c.Token, d.Token, c.Registered(w.now()))
		}
	}
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+d.Token, ""), 200, "")
	c, err := w.service.Put(t.Context(), d)
	must(t, err)
	if c.Token != d.Token || c.Status != firmcard.Deleted || strings.Contains(w.raw(d.Token), "AES256{") {
		t.Errorf("a deleted card came back: %+v", c)
	}
}

func TestATokenOfAnotherFirmIsNotTakenOver(t *testing.T) {
	w := newWorld(t)
	first := deposit(t, acme, "test", visa)
	_, err := w.service.Put(t.Context(), first)
	must(t, err)
	thief := deposit(t, other, "test", mastercard)
	thief.Token = first.Token
	if c, err := w.service.Put(t.Context(), thief); err == nil {
		t.Errorf("got %+v", c)
	}
}

func TestADeletedCardComesBackUnderANewToken(t *testing.T) {
	w := newWorld(t)
	first := w.put(acme, "test", visa)
	want(t, w.do(acmeTest, "DELETE", "/v1/cards/"+first.Token, ""), 200, "")
	second := w.put(acme, "test", visa)
	if second.Token == first.Token || second.Status != firmcard.Enabled || second.Registered(w.now()) != 1 {
		t.Errorf("got %+v after %+v", second, first)
	}
	want(t, w.reveal(acmeTest, first.Token), 404, "NOT_FOUND")
	want(t, w.reveal(acmeTest, second.Token), 200, "")
}

func TestADisabledCardStaysDisabledWhenRegisteredAgain(t *testing.T) {
	w := newWorld(t)
	c := w.put(acme, "test", visa)
	want(t, w.do(acmeTest, "PATCH", "/v1/cards/"+c.Token, `{"status":"disabled"}`), 200, "")
	if again := w.put(acme, "test", visa); again.Token != c.Token || again.Status != firmcard.Disabled {
		t.Errorf("got %+v", again)
	}
}

func TestRegistrationsAreCountedByTheDay(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.put(acme, "test", visa)
	}
	w.clock.Advance(11*time.Hour + 59*time.Minute)
	if c := w.put(acme, "test", visa); c.Registered(w.now()) != 4 {
		t.Errorf("%d registrations on one day, want 4", c.Registered(w.now()))
	}
	w.clock.Advance(time.Minute)
	c, err := w.service.Card(t.Context(), acme, w.put(acme, "test", visa).Token)
	must(t, err)
	if c.Registered(w.now()) != 1 || c.Registered(w.now().Add(-time.Minute)) != 0 {
		t.Errorf("%d registrations on the next day, want 1", c.Registered(w.now()))
	}
}

func TestAWriteWhoseAnswerWasLostIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	d := deposit(t, acme, "test", visa)
	w.db.Add(storetest.Rule{Collection: "Card", Op: storetest.Insert, Times: 1, After: true, Err: errDisk})
	if _, err := w.service.Put(t.Context(), d); err == nil {
		t.Fatal("a failure of the store was not told")
	}
	c, err := w.service.Put(t.Context(), d)
	must(t, err)
	if c.Token != d.Token || c.Registered(w.now()) != 1 {
		t.Errorf("got %+v, registered %d times", c, c.Registered(w.now()))
	}
}
