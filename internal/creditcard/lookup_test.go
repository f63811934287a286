package creditcard_test

import (
	"fmt"
	"net/http"
	"testing"

	"ccms/internal/creditcard"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// exchange is an exchange of the look-up key of all cardholders, of which one
// process has heard and the other has not until it begins anew.
type exchange struct {
	*world
	ring    *keyring.Ring // of the process ahead
	vault   *watched
	ahead   *creditcard.Service
	parts   []http.Handler
	purpose string
}

func newExchange(t *testing.T) *exchange {
	e := &exchange{world: newWorld(t), purpose: vault.LookupKey("cardholders")}
	service, handler := e.process()
	e.ring, e.vault, e.ahead = e.world.ring, e.world.vault, service
	e.parts = []http.Handler{e.handler, handler}
	return e
}

func (e *exchange) hear() { _, e.parts[0] = e.process() }

func (e *exchange) refile() {
	e.t.Helper()
	must(e.t, e.ahead.Sealed().Refile(e.t.Context(), rewrap.Filing{
		Vault: e.vault, To: map[string]uint32{e.purpose: 2},
		Broken: func(string) { e.t.Error("a number was not moved") },
		Pace:   rewrap.Pace{PerSecond: 100_000, Patience: 1, Done: func(int64, int64, int64) {}},
	}))
}

// steps goes through the exchange and calls check in each step, between those in
// which one process has not heard of the last one.
func (e *exchange) steps(check func(step string)) {
	e.t.Helper()
	check("before")
	_, err := e.ring.Prepare(e.t.Context(), e.purpose)
	must(e.t, err)
	check("one knows the next key")
	e.hear()
	check("both know the next key")
	e.refile()
	check("all cards have the new value")
	must(e.t, e.ring.Activate(e.t.Context(), e.purpose))
	check("one uses the new key alone")
	e.hear()
	check("both use the new key alone")
	e.refile()
	must(e.t, e.ring.EndSecret(e.t.Context(), e.purpose, 1))
	check("the old key is destroyed, and one does not know yet")
	e.hear()
	check("at last")
}

// TestOfManyAddsOneWinsWhileLookupKeysAreExchanged would fail if a process that
// knows the next key, or does not, missed a card that the other one added.
func TestOfManyAddsOneWinsWhileLookupKeysAreExchanged(t *testing.T) {
	e := newExchange(t)
	n := 0
	e.steps(func(step string) {
		for i := range n + 1 {
			as := fmt.Sprint("holder-", i)
			got := tally(t, together(t, 8, e.parts, func(int) call { return addCall(as, visa) }))
			wins := 0
			if i == n {
				wins = 1
			}
			if got["201"] != wins || got["409 CARD_EXISTS"] != 8-wins {
				t.Fatalf("%s, %s: %v", step, as, got)
			}
			toggled := call{method: "PUT", path: "/api/customer/creditcard/" + visa + "/toggle", as: as}
			for _, p := range e.parts {
				want(t, send(t, p, toggled), 200, "")
			}
		}
		n++
	})
}

// TestADeletedCardIsKnownForTheSameWhileLookupKeysAreExchanged would fail if a card
// came back beside one with the same number that was added under the other key.
func TestADeletedCardIsKnownForTheSameWhileLookupKeysAreExchanged(t *testing.T) {
	e := newExchange(t)
	deleted := map[string]object{}
	n := 0
	e.steps(func(step string) {
		as := fmt.Sprint("holder-", n)
		n++
		first := decode[object](t, send(t, e.parts[n%2], addCall(as, mastercard)))
		want(t, send(t, e.parts[n%2], call{method: "DELETE", path: "/api/customer/creditcard/" + mastercard, as: as}), 200, "")
		deleted[as] = first
		for as, card := range deleted {
			for i, p := range e.parts {
				got := send(t, e.parts[1-i], addCall(as, mastercard))
				want(t, got, 201, "")
				restored := call{method: "POST", path: "/api/customer/creditcard/" + card.Token + "/restore", as: as}
				want(t, send(t, p, restored), 409, "CARD_EXISTS")
				again := decode[object](t, got)
				want(t, send(t, p, call{method: "DELETE", path: "/api/customer/creditcard/" + again.Token, as: as}), 200, "")
			}
		}
	})
}
