package identity

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// published reads the key set as a consumer does: plain JSON.
func (i instance) published() []map[string]string {
	i.t.Helper()
	body, err := i.keys.JWKS(i.t.Context())
	if err != nil {
		i.t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || set.Keys == nil {
		i.t.Fatalf("key set %s: %v", body, err)
	}
	return set.Keys
}

func (i instance) kids() []string {
	var kids []string
	for _, k := range i.published() {
		kids = append(kids, k["kid"])
	}
	return kids
}

func kidOf(t testing.TB, tok string) string {
	t.Helper()
	parts, err := split(tok)
	if err != nil {
		t.Fatal(err)
	}
	return parts.header.KeyID
}

func TestFirstUseMakesAnActiveKeyAndPublishesTheNext(t *testing.T) {
	for algorithm, members := range map[string][]string{
		ES256: {"alg", "crv", "kid", "kty", "use", "x", "y"},
		RS256: {"alg", "e", "kid", "kty", "n", "use"},
	} {
		t.Run(algorithm, func(t *testing.T) {
			i := newHouse(t).open(algorithm)
			keys := i.published()
			if len(keys) != 2 {
				t.Fatalf("%d keys published, want the active and the next", len(keys))
			}
			for _, k := range keys {
				var got []string
				for m := range k {
					got = append(got, m)
				}
				slices.Sort(got)
				if !slices.Equal(got, members) { // so no d, p, q, dp, dq, qi, k
					t.Errorf("members %v, want exactly %v", got, members)
				}
				if k["alg"] != algorithm || k["use"] != "sig" || k["kid"] == "" {
					t.Errorf("key %v", k)
				}
			}
			if kid := kidOf(t, i.issue(customer(), time.Hour)); kid != keys[0]["kid"] {
				t.Errorf("token signed by %s, want the active key %s", kid, keys[0]["kid"])
			}
		})
	}
}

func TestInstancesThatStartTogetherShareOneSetOfKeys(t *testing.T) {
	h := newHouse(t)
	instances := make([]instance, 8)
	var wg sync.WaitGroup
	for n := range instances {
		wg.Go(func() { instances[n] = h.open(ES256) })
	}
	wg.Wait()
	for _, i := range instances {
		if !slices.Equal(i.kids(), instances[0].kids()) {
			t.Fatalf("keys %v and %v", i.kids(), instances[0].kids())
		}
		instances[0].wants(i.issue(customer(), time.Hour), "")
	}
}

func TestInstancesThatRotateTogetherKeepEveryTokenValid(t *testing.T) {
	h := newHouse(t)
	first := h.open(ES256)
	token := first.issue(customer(), time.Hour)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			i := h.open(ES256)
			if err := i.keys.Rotate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h.clock.Advance(31 * time.Second)
	if n := len(first.kids()); n != 8 {
		t.Errorf("%d keys after six rotations, want 6 retired, 1 active, 1 next", n)
	}
	first.wants(token, "")
}

func TestRotationUsesThePublishedKeyAtOnceAndKeepsTheOld(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	before := i.kids()
	old := i.issue(customer(), time.Hour)
	if err := i.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := i.kids()
	if len(after) != 3 || !slices.Equal(after[:2], before) {
		t.Fatalf("keys %v after %v", after, before)
	}
	if kid := kidOf(t, i.issue(customer(), time.Hour)); kid != before[1] {
		t.Errorf("signed by %s, want the key that was next, %s", kid, before[1])
	}
	i.wants(old, "")

	h.clock.Advance(59*time.Minute + 59*time.Second)
	i.wants(old, "")
	h.clock.Advance(time.Second)
	i.wants(old, expired) // the key outlives the token, so the token is not called forged
	h.clock.Advance(time.Minute)
	i.wants(old, unauthorized)
	if kids := i.kids(); slices.Contains(kids, before[0]) {
		t.Errorf("retired key %s still published in %v", before[0], kids)
	}
}

func TestARetiredKeyKeepsNoPrivatePartInTheStore(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	if err := i.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := i.keys.records.Get(t.Context(), keyDocument)
	if err != nil {
		t.Fatal(err)
	}
	der, err := h.sealer.Open(t.Context(), keyPurpose, r.Value.Keys[0].ID, r.Value.Keys[0].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParsePKIXPublicKey(der.Reveal()); err != nil {
		t.Errorf("the retired key is not just its public part: %v", err)
	}
}

func TestARotationForgetsKeysWhoseTokensHaveAllExpired(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	for range 3 {
		if err := i.keys.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(2 * time.Hour)
	}
	r, err := i.keys.records.Get(t.Context(), keyDocument)
	if err != nil || len(r.Value.Keys) != 3 {
		t.Errorf("%d keys kept, want the retired one, the active and the next; %v", len(r.Value.Keys), err)
	}
}

func TestAnUnknownKeyIsLookedForInTheStoreAtMostOnceASecond(t *testing.T) {
	h := newHouse(t)
	here, there := h.open(ES256), h.open(ES256)
	rotateTwice := func() string { // so that the active key is one "here" has never seen
		for range 2 {
			if err := there.keys.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return there.issue(customer(), time.Hour)
	}
	h.clock.Advance(time.Second)
	here.wants(rotateTwice(), "")
	token := rotateTwice()
	here.wants(token, unauthorized) // read a moment ago
	h.clock.Advance(time.Second)
	here.wants(token, "")
}

func TestOtherInstancesSignWithTheNewKeyAfterRefresh(t *testing.T) {
	h := newHouse(t)
	here, there := h.open(ES256), h.open(ES256)
	if err := there.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(30 * time.Second)
	if kid := kidOf(t, here.issue(customer(), time.Hour)); kid != kidOf(t, there.issue(customer(), time.Hour)) {
		t.Error("the rotation was not seen")
	}
}

func TestAChangedAlgorithmSignsAtOnceAndOldTokensStayValid(t *testing.T) {
	h := newHouse(t)
	elliptic := h.open(ES256)
	token := elliptic.issue(customer(), time.Hour)
	rsa := h.open(RS256)
	rsa.wants(token, "")
	signed := rsa.issue(customer(), time.Hour)
	if parts, _ := split(signed); parts.header.Algorithm != RS256 {
		t.Errorf("signed with %s", parts.header.Algorithm)
	}
	for n, k := range rsa.published() {
		if want := []string{ES256, RS256, RS256}[n]; k["alg"] != want {
			t.Errorf("key %d is %s, want %s", n, k["alg"], want)
		}
	}
	before := rsa.kids()
	if again := h.open(RS256); !slices.Equal(again.kids(), before) {
		t.Error("a second start with the same algorithm rotated again")
	}
}

func TestHS256HasOneKeyThatIsNeverPublished(t *testing.T) {
	h := newHouse(t)
	i := h.open(HS256)
	if keys := i.published(); len(keys) != 0 {
		t.Errorf("published %v", keys)
	}
	i.wants(i.issue(customer(), time.Hour), "")
	i.wants(h.open(ES256).issue(customer(), time.Hour), unauthorized)
	if err := i.keys.Rotate(t.Context()); !errors.Is(err, errFixed) {
		t.Errorf("rotate: %v", err)
	}
}

func TestOpenKeysRefusesWhatItCannotUse(t *testing.T) {
	for name, cfg := range map[string]KeysConfig{
		"a secret of 31 bytes": {Algorithm: HS256, Secret: secret.New(make([]byte, 31))},
		"no secret":            {Algorithm: HS256},
		"algorithm none":       {Algorithm: "none"},
		"HS512":                {Algorithm: "HS512"},
	} {
		if _, err := OpenKeys(t.Context(), cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestATokenMayNotOutliveItsKey(t *testing.T) {
	i := newHouse(t).open(ES256)
	if _, err := i.issuer.Issue(t.Context(), customer(), time.Hour+time.Second); err == nil {
		t.Error("issued for longer than TokenLife")
	}
}

func TestKeysExchangedInTheStoreAreRefused(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	change := func(f func(*keySet) error) {
		if _, err := i.keys.records.Update(t.Context(), keyDocument, f); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(*keySet) error{
		"two keys change places": func(s *keySet) error {
			s.Keys[0].Sealed, s.Keys[1].Sealed = s.Keys[1].Sealed, s.Keys[0].Sealed
			return nil
		},
		"one bit of the seal": func(s *keySet) error { s.Keys[0].Sealed[20] ^= 1; return nil },
		"another algorithm":   func(s *keySet) error { s.Keys[0].Algorithm = RS256; return nil },
		"an id of its own":    func(s *keySet) error { s.Keys[0].ID = "mine"; return nil },
		"retired without its public part": func(s *keySet) error {
			s.Keys[0].Retired = h.clock.Now()
			return nil
		},
		"no active key": func(s *keySet) error { s.Keys = s.Keys[1:]; return nil },
	} {
		var intact keySet
		change(func(s *keySet) error {
			intact = keySet{slices.Clone(s.Keys)}
			for n := range intact.Keys {
				intact.Keys[n].Sealed = slices.Clone(s.Keys[n].Sealed)
			}
			return damage(s)
		})
		_, err := OpenKeys(t.Context(), KeysConfig{DB: h.db, Sealer: h.sealer, Now: h.clock.Now})
		if err == nil {
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %v", name, err)
		}
		change(func(s *keySet) error { *s = intact; return nil })
	}
	h.open(ES256)
}

func TestWhileTheStoreIsAwayKnownKeysWorkAndUnknownOnesAreNoForgeries(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	token := i.issue(customer(), time.Hour)
	stranger := newHouse(t).open(ES256).issue(customer(), time.Hour)
	if err := h.db.Close(); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Minute)
	i.wants(token, "")
	i.wants(i.issue(customer(), time.Hour), "")
	if n := len(i.kids()); n != 2 {
		t.Errorf("%d keys published", n)
	}
	for range 2 { // asked, and within the second after
		i.wants(stranger, "DATABASE_ERROR")
	}
	if err := i.keys.Rotate(t.Context()); !errors.Is(err, problem.Database(nil)) {
		t.Errorf("rotate: %v", err)
	}
	if _, err := OpenKeys(t.Context(), KeysConfig{DB: h.db, Sealer: h.sealer}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("open: %v", err)
	}
}
