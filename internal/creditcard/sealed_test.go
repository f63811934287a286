package creditcard_test

import (
	"bytes"
	"testing"

	"ccms/internal/store"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// TestEverySealedNumberMovesToTheActiveVersion would fail if a document had a
// sealed value that rotation does not know of, or knows at another place than it
// was sealed for.
func TestEverySealedNumberMovesToTheActiveVersion(t *testing.T) {
	w := newWorld(t)
	w.add("ann", visa)
	w.add("ann", mastercard)
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: w.root, DB: w.db, Now: w.clock.Now})
	must(t, err)
	_, err = ring.Rotate(t.Context(), "cardholders")
	must(t, err)
	id, version, err := ring.Active(t.Context(), "cardholders")
	must(t, err)
	w.process() // its vault seals under the new version
	var values, moved, failed int64
	err = w.service.Sealed().Rewrap(t.Context(), rewrap.Job{Vault: w.vault, Active: map[string]uint32{id: version}, Pace: rewrap.Pace{Done: func(v, m, f int64) {
		values, moved, failed = values+v, moved+m, failed+f
	}}})
	if err != nil || values != 2 || moved != 2 || failed != 0 {
		t.Errorf("%d values, %d moved, %d failed, %v", values, moved, failed, err)
	}
	stored := 0
	cards, err := w.db.Collection(t.Context(), store.Spec{Name: "CreditCard", Ordered: []string{"deletedSince"}, Expires: "expiresAt"})
	must(t, err)
	for d, err := range cards.Find(t.Context(), store.Query{}) {
		must(t, err)
		stored += bytes.Count(d.Body, []byte("AES256{"))
	}
	if stored != 2 {
		t.Errorf("%d sealed values are stored", stored)
	}
}
