package login

import (
	"errors"
	"testing"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/outbox"
	"ccms/internal/store"
)

// gone waits until the account is erased.
func (h *house) gone(id string) {
	h.t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := h.s.customers.Get(h.t.Context(), id); errors.Is(err, store.ErrNotFound) {
			return
		}
		select {
		case <-deadline:
			h.t.Fatal("the account was not erased")
		case <-tick.C:
		}
	}
}

func TestAnAccountIsErasedWithItsCards(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.cards.fail = 3
	p := h.member("mary")
	reset := h.resetToken(p)
	token := h.logIn(p)
	id := h.record(p).ID
	h.call("DELETE", "/api/account", obj{}, bearer(token)).is(t, 400, "VALIDATION_ERROR")
	h.call("DELETE", "/api/account", obj{"password": "wrong"}, bearer(token)).is(t, 403, "INVALID_CREDENTIALS", "Current password is wrong")
	a := h.call("DELETE", "/api/account", obj{"password": p.password}, bearer(token))
	a.is(t, 200)
	if a.text("message") == "" || len(a.body) != 1 {
		t.Errorf("got %s", a.raw)
	}
	// Dead at once, whatever the card service does.
	if h.valid(token) != 401 {
		t.Error("the token lived on")
	}
	h.call("POST", first, p.credentials()).is(t, 401, "INVALID_CREDENTIALS")
	h.call("POST", resetPath, resetBody(reset, nextPassword)).is(t, 400, "INVALID_TOKEN")

	h.post.take(t, p.email, "was deleted")
	h.gone(id)
	if len(h.cards.erased) != 1 || h.cards.erased[0] != id {
		t.Errorf("cards erased: %v", h.cards.erased)
	}
	for _, name := range []string{"Customer", "OneTimeToken", "Audit", "Counter"} {
		if h.stored(name, p.email) || h.stored(name, "Jones") {
			t.Errorf("%s still knows the person", name)
		}
	}
}

func TestWhoComesAfterADeletedAccountInheritsNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	old := struct{ id, reset, token string }{h.record(p).ID, h.resetToken(p), h.logIn(p)}
	h.call("DELETE", "/api/account", obj{"password": p.password}, bearer(old.token)).is(t, 200)
	h.gone(old.id)
	h.pass(time.Minute)
	again := person{p.username, p.email, "a second life 22"}
	link := h.join(again)
	h.call("POST", first, again.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
	h.call("GET", verifyPath(link), nil).is(t, 200)
	if h.record(again).ID == old.id {
		t.Error("the id was used again")
	}
	if h.valid(old.token) != 401 {
		t.Error("the old token is good again")
	}
	h.call("POST", resetPath, resetBody(old.reset, nextPassword)).is(t, 400, "INVALID_TOKEN")
	a := h.call("POST", later, again.credentials())
	a.is(t, 200)
	h.call("POST", first, p.credentials()).is(t, 401) // nor the old password
}

func TestAnAccountUnverifiedForSevenDaysIsErased(t *testing.T) {
	t.Parallel()
	h := open(t)
	idle, kept := someone("idle"), h.member("kept")
	h.join(idle)
	id := h.record(idle).ID
	sweep := func() {
		t.Helper()
		if err := h.s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	h.pass(7*24*time.Hour - time.Minute)
	sweep()
	h.record(idle)
	h.pass(2 * time.Minute)
	sweep()
	h.gone(id)
	h.record(kept)
	if h.post.count(idle.email) != 0 {
		t.Error("a letter went to an address nobody confirmed")
	}
	h.join(idle)
}

func TestAnErasureThatLostItsMessageIsTakenUp(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	id := h.record(p).ID
	h.alter(p, func(c *customer.Customer) { *c = customer.Customer{Erasing: new(h.s.now())} })
	if err := h.s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.pass(eraseRetry)
	if err := h.s.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.gone(id)
}

func TestAnAccountThatIsNotMarkedIsNeverErased(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	err := h.s.Erase(t.Context(), outbox.Message{Payload: []byte(`{"customer":"` + h.record(p).ID + `"}`)})
	if err == nil {
		t.Error("erased")
	}
	h.logIn(p)
	if len(h.cards.erased) != 0 {
		t.Error("the cards of a living account were erased")
	}
}
