package creditcard_test

import (
	"regexp"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

func TestAnothersCardLooksLikeNone(t *testing.T) {
	w := newWorld(t)
	c := w.add("alice", visa)
	w.add("bob", mastercard)
	erased := regexp.MustCompile(`"timestamp":"[^"]*"|"path":"[^"]*"`)
	const base = "/api/customer/creditcard/"
	for _, holder := range []string{"bob", "carol"} { // with and without cards of one's own
		for _, pair := range [][2]string{{c.id(), "12345"}, {c.Token, "tok_aaaaaaaaaaaaaaaaaaaaaaaaaa"}, {visa, visa2}} {
			for _, route := range []struct{ method, rest string }{{"DELETE", ""}, {"PUT", "/toggle"}, {"POST", "/restore"}} {
				foreign := w.do(call{method: route.method, path: base + pair[0] + route.rest, as: holder})
				unknown := w.do(call{method: route.method, path: base + pair[1] + route.rest, as: holder})
				want(t, foreign, 404, "CARD_NOT_FOUND")
				if erased.ReplaceAllString(foreign.body, "") != erased.ReplaceAllString(unknown.body, "") {
					t.Errorf("%s %s: foreign %s, unknown %s", route.method, route.rest, foreign.body, unknown.body)
				}
			}
		}
	}
	if got := w.list("alice"); len(got) != 1 || got[0] != c {
		t.Errorf("alice has %+v, want %+v", got, c)
	}
	if got := w.list("bob"); len(got) != 1 || got[0].WireTransactionVendor != "Mastercard" {
		t.Errorf("bob has %+v", got)
	}
	if got := w.list("carol"); len(got) != 0 {
		t.Errorf("carol has %+v", got)
	}
}

func TestEqualNumbersOfTwoHoldersCannotBeLinked(t *testing.T) {
	w := newWorld(t)
	w.add("alice", visa)
	w.add("bob", visa)
	cards, err := w.db.Collection(t.Context(), store.Spec{Name: "CreditCard", Ordered: []string{"deletedSince"}, Expires: "expiresAt"})
	must(t, err)
	seen := map[string]string{}
	for d, err := range cards.Find(t.Context(), store.Query{}) {
		must(t, err)
		var doc struct {
			Cards []struct {
				Number      string `bson:"creditCardNumber"`
				Fingerprint string `bson:"fingerprint"`
				Token       string `bson:"token"`
			} `bson:"creditcards"`
		}
		must(t, bson.Unmarshal(d.Body, &doc))
		for _, v := range []string{doc.Cards[0].Number, doc.Cards[0].Fingerprint, doc.Cards[0].Token} {
			if v == "" || seen[v] != "" {
				t.Errorf("%s and %s share %q", d.ID, seen[v], v)
			}
			seen[v] = d.ID
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d values, want 6", len(seen))
	}
}
