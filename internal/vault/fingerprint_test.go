package vault_test

import (
	"testing"

	"ccms/internal/vault"
)

func TestFingerprintsNameTheVersionOfTheirKey(t *testing.T) {
	for value, want := range map[string]uint32{
		"f1.abc": 1, "f2.abc": 2, "f4294967295.x": 4294967295,
		"": 0, "f1": 0, "f.abc": 0, "f0.abc": 0, "f01.abc": 0, "f+1.abc": 0, "f-1.abc": 0, "g1.abc": 0, "f4294967296.x": 0, "1.abc": 0,
	} {
		if got := vault.FingerprintVersion(value); got != want {
			t.Errorf("%q is of version %d, not %d", value, got, want)
		}
	}
}

// TestANumberIsKnownUnderEveryVersion goes through an exchange of a look-up key.
func TestANumberIsKnownUnderEveryVersion(t *testing.T) {
	h := newHouse(t)
	owner := "cardholders/ann"
	of := func() vault.Fingerprints {
		t.Helper()
		f, err := h.vault.Fingerprints(t.Context(), owner, []byte(number))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	old := of()
	key := vault.LookupKey(owner)
	if key != "lookup/cardholders" || len(old.Kept()) != 1 {
		t.Fatalf("%s, %+v", key, old)
	}
	_, err := h.ring.Prepare(t.Context(), key)
	do(err)
	both := of()
	if both.Active != old.Active || both.Next == "" || both.Next == both.Active || len(both.Kept()) != 2 || both.At(2) != both.Next || both.At(3) != "" {
		t.Errorf("prepared: %+v", both)
	}
	do(h.ring.Activate(t.Context(), key))
	active := of()
	if active.Active != both.Next || active.Next != "" || len(active.Kept()) != 1 || !active.Is(old.Active) || active.At(1) != old.Active {
		t.Errorf("active: %+v", active)
	}
	do(h.ring.EndSecret(t.Context(), key, 1))
	last := of()
	if last.Active != active.Active || last.Is(old.Active) || last.Is("") || last.At(1) != "" {
		t.Errorf("at last %+v", last)
	}
}
