package firmcard_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"ccms/internal/registration/firmcard"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// part is a process with a keyring of its own: it goes on with the keys it read
// until the clock moves.
type part struct {
	*firmcard.Service
	ring  *keyring.Ring
	vault *vault.Vault
}

func (w *world) part() part {
	w.t.Helper()
	s, _ := w.process()
	return part{s, w.ring, w.vault}
}

// added are test numbers, each added in a step of its own and in all after it.
func added() []string {
	return []string{
		"4111111111111111", "4242424242424242", "4012888888881881", "5555555555554444", "5105105105105100", "378282246310005",
		"371449635398431", "6011111111111117", "30569309025904", "3530111333300000",
	}
}

// race has all processes add a number at once, several times each, and returns the
// one token it got.
func race(t *testing.T, step, number string, parts ...part) string {
	t.Helper()
	const each = 3
	tokens := make(chan string, each*len(parts))
	var all sync.WaitGroup
	for _, p := range parts {
		for range each {
			d := deposit(t, acme, "test", number)
			all.Go(func() {
				c, err := p.Put(t.Context(), d)
				if err != nil {
					t.Errorf("%s: %v", step, err)
				}
				tokens <- c.Token
			})
		}
	}
	all.Wait()
	close(tokens)
	first := <-tokens
	for token := range tokens {
		if token != first {
			t.Fatalf("%s: the number has two tokens", step)
		}
	}
	return first
}

// TestOfManyWhoAddANumberOneWinsWhileLookupKeysAreExchanged goes through the steps
// of an exchange; in each, one process has heard of it and another has not. It
// would fail if a card were stored under the new value alone while others still
// store the old one alone, or were looked for under one of them only.
func TestOfManyWhoAddANumberOneWinsWhileLookupKeysAreExchanged(t *testing.T) {
	w := newWorld(t)
	purpose := vault.LookupKey(acme)
	stale, ahead := w.part(), w.part()
	tokens := map[string]string{}
	left := added()
	check := func(step string) {
		t.Helper()
		for _, number := range append([]string{left[0]}, slices.Collect(maps.Keys(tokens))...) {
			token := race(t, step, number, stale, ahead)
			if old, known := tokens[number]; known && old != token {
				t.Fatalf("%s: a number that was there has another token", step)
			}
			tokens[number] = token
		}
		left = left[1:]
	}
	refile := func(version uint32) (moved int64) {
		t.Helper()
		err := ahead.Sealed().Refile(t.Context(), rewrap.Filing{
			Vault: ahead.vault, To: map[string]uint32{purpose: version},
			Broken: func(key string) { t.Errorf("a number of %s was not moved", key) },
			Pace:   rewrap.Pace{PerSecond: 100_000, Patience: 1, Done: func(_, m, _ int64) { moved += m }},
		})
		must(t, err)
		return moved
	}
	// hear has the process that lags behind read the keys anew, as the time it
	// keeps them for would.
	hear := func() { stale = w.part() }

	check("before")
	version, err := ahead.ring.Prepare(t.Context(), purpose)
	must(t, err)
	check("one knows the next key, the other does not")
	hear()
	check("both know the next key")
	if moved := refile(version); moved != 3 {
		t.Errorf("moved %d cards, not 3", moved)
	}
	check("all cards have the new value, and further ones come with both")
	must(t, ahead.ring.Activate(t.Context(), purpose))
	check("one stores the new value alone, the other still both")
	hear()
	check("both store the new value alone")
	if moved := refile(version); moved == 0 {
		t.Error("no card had both values")
	}
	check("no card has the old value")
	must(t, ahead.ring.EndSecret(t.Context(), purpose, 1))
	check("the old key is destroyed, and one does not know yet")
	hear()
	check("at last")
	for _, token := range tokens {
		if raw := w.raw(token); strings.Contains(raw, "f1.") || strings.Count(raw, "/f2.") != 1 {
			t.Errorf("a card is kept as %s", raw)
		}
	}
	counts := rewrap.NewCounts()
	if _, err := ahead.Sealed().Count(t.Context(), counts, 0); err != nil || len(counts.Filed) != 1 ||
		counts.Filed[rewrap.Version{KeyID: purpose, Number: 2}] != int64(len(tokens)) {
		t.Errorf("%v, %v", counts.Filed, err)
	}
}

// TestWithoutWaitingANumberCouldBeThereTwice shows what the exchange waits for: one
// process two steps ahead of another has no value in common with it. If it passed
// with one token, the waiting could go.
func TestWithoutWaitingANumberCouldBeThereTwice(t *testing.T) {
	w := newWorld(t)
	behind, ahead := w.part(), w.part()
	put := func(p part) string {
		c, err := p.Put(t.Context(), deposit(t, acme, "test", "4242424242424242"))
		must(t, err)
		return c.Token
	}
	_, err := behind.Put(t.Context(), deposit(t, acme, "test", "4111111111111111")) // it has read the keys
	must(t, err)
	purpose := vault.LookupKey(acme)
	_, err = ahead.ring.Prepare(t.Context(), purpose)
	must(t, err)
	must(t, ahead.ring.Activate(t.Context(), purpose))
	if put(ahead) == put(behind) {
		t.Error("one token")
	}
}

// A number that is there twice, or does not open, keeps its look-up key from being
// destroyed.
func TestANumberThatCannotBeMovedIsTold(t *testing.T) {
	w := newWorld(t)
	p := w.part()
	one := w.put(acme, "test", "4111111111111111")
	w.put(acme, "test", "4242424242424242")
	c, err := w.collection().Get(t.Context(), one.Token)
	must(t, err)
	body := strings.Replace(string(c.Body), "AES256{A", "AES256{B", 1)
	c.Body = []byte(body)
	must(t, w.collection().Replace(t.Context(), c))
	purpose := vault.LookupKey(acme)
	version, err := p.ring.Prepare(t.Context(), purpose)
	must(t, err)
	var broken []string
	var moved, failed int64
	err = p.Sealed().Refile(t.Context(), rewrap.Filing{
		Vault: p.vault, To: map[string]uint32{purpose: version}, Broken: func(key string) { broken = append(broken, key) },
		Pace: rewrap.Pace{PerSecond: 100_000, Patience: 1, Done: func(_, m, f int64) { moved, failed = moved+m, failed+f }},
	})
	if err != nil || moved != 1 || failed != 1 || len(broken) != 1 || broken[0] != purpose {
		t.Errorf("%v; moved %d, failed %d, %v", err, moved, failed, broken)
	}
}
