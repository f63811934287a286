//go:build peers

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/registration/firmcard"
	"ccms/internal/rotation"
	"ccms/internal/secret"
	"ccms/internal/store/mongostore"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/rewrap"
)

// TestKeysAndTheirCheckOnMongoDB is what docs/keys.md tells operators to do, on a
// MongoDB: rotate and re-wrap under load, examine everything, end a firm. The
// product is one process here; that several rotate is in the test below.
func TestKeysAndTheirCheckOnMongoDB(t *testing.T) {
	at, _ := database(t)
	dir := t.TempDir()
	p, err := up(dir, append(onMongo(at), busy...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:manage,cards:reveal")
	stop := steady(t, p, firm, 40)
	for range 3 {
		operator(t, dir, "keys", "rotate")
		operator(t, dir, "keys", "rotate", "--jwt")
		operator(t, dir, "keys", "rewrap")
	}
	sent, cards := stop()
	operator(t, dir, "keys", "rewrap")
	if versions, stale := sealedUnder(t, dir); versions[4] == 0 || stale != 0 {
		t.Errorf("values lie under %v, %d of them under no active version", versions, stale)
	}
	revealAll(t, p, firm, cards)
	examined(t, dir, "values of cards")
	destroyFirm(t, p, firm, cards[0].id, tokenOf(t, c, p, firm, cards[0].id))
	operator(t, dir, "audit", "verify")
	t.Logf("3 rotations during %d requests, %d registrations", sent, len(cards))

	// The checks of a dump that was restored (docs/backup.md): no service runs.
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	examined(t, dir, "whose keys were destroyed for good", onMongo(at)...)
	operator(t, dir, append([]string{"audit", "verify"}, onMongo(at)...)...)
}

// examined has everything in the store examined: it is as it should be, and that
// is said in these words. What the doctor thinks of the machine does not matter.
func examined(t *testing.T, dir, says string, flags ...string) {
	t.Helper()
	out, _ := ccms(dir, append([]string{"doctor", "--deep", "-o", "json"}, flags...)...)
	var found []struct {
		Check string `json:"check"`
		OK    bool   `json:"ok"`
		Says  string `json:"says"`
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&found); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	heard, sealed := false, 0
	for _, f := range found {
		heard = heard || strings.Contains(f.Says, says)
		switch f.Check {
		case "sealed":
			sealed++
			fallthrough
		case "store", "audit", "deep", "keys":
			if !f.OK {
				t.Errorf("%s: %s", f.Check, f.Says)
			}
		}
	}
	if !heard || sealed < 8 {
		t.Errorf("%d kinds of sealed values, %q was not said: %s", sealed, says, out)
	}
}

// instance is what one of several card services has: keys that it remembers for a
// while, and the cards of firms.
type instance struct {
	ring  *keyring.Ring
	vault *vault.Vault
	cards *firmcard.Service
}

// TestLookupKeysAreExchangedUnderRacesOnMongoDB has two instances put the same
// numbers at once, old ones and new ones, while one of them exchanges the look-up
// keys. It would fail if a number got two tokens, or lost the one it had. The
// instances remember keys for 400 ms instead of a minute, since the exchange
// waits for that twice.
func TestLookupKeysAreExchangedUnderRacesOnMongoDB(t *testing.T) {
	at, _ := database(t)
	file := filepath.Join(t.TempDir(), "root.key")
	must(t, keyring.CreateFile(file))
	first, second := openInstance(t, at, file), openInstance(t, at, file)
	ctx := t.Context()
	key, err := first.ring.Secret(ctx, "audit")
	must(t, err)
	db := openMongo(t, at)
	log, err := audit.Open(ctx, audit.Config{DB: db, Key: key})
	must(t, err)
	keeper := rotation.New(rotation.Config{
		Service: "creditcard-service", Ring: first.ring, Audit: log, Vault: first.vault, Books: []rewrap.Book{first.cards.Sealed()},
	})
	tokens := &tokensOf{all: map[string]map[string]bool{}}
	var numbers []string
	for range 40 {
		numbers = append(numbers, randomCard(t))
		tokens.put(t, first, numbers[len(numbers)-1])
	}

	racing, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, i := range []instance{first, second} {
		for n := range 3 {
			group.Go(func() {
				for k := n; racing.Err() == nil; k++ {
					tokens.put(t, i, numbers[k%len(numbers)])
				}
			})
		}
	}
	group.Go(func() { // a new number, by both at once
		for racing.Err() == nil {
			var both sync.WaitGroup
			number := randomCard(t)
			for _, i := range []instance{first, second, first, second} {
				both.Go(func() { tokens.put(t, i, number) })
			}
			both.Wait()
		}
	})
	_, err = keeper.RotateLookup(ctx, rotation.Administrator())
	must(t, err)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !keeper.Progress().Over() {
		<-tick.C
	}
	stop()
	group.Wait()
	p := keeper.Progress()
	if p.State != rotation.Done || p.Moved < 40 {
		t.Errorf("%+v", p)
	}
	for number := range tokens.all {
		tokens.put(t, second, number) // it is found by the new key alone
	}
	for number, all := range tokens.all {
		if len(all) != 1 {
			t.Errorf("a number that ends in %s has %d tokens", number[12:], len(all))
		}
	}
	status, err := keeper.Status(ctx)
	must(t, err)
	for _, k := range status.Keys {
		if strings.HasPrefix(k.Name, "lookup/") && (k.State != "destroyed" && k.State != "active" || *k.Values != map[string]int64{"active": int64(len(tokens.all))}[k.State]) {
			t.Errorf("%s is %s with %d numbers", k.ID, k.State, *k.Values)
		}
	}
	must(t, log.Close(ctx))
	t.Logf("%d numbers, %d puts, %+v", len(tokens.all), tokens.puts, p)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openMongo(t *testing.T, at string) *mongostore.DB {
	t.Helper()
	db, err := mongostore.Open(t.Context(), mongostore.Config{URL: at, AllowStandalone: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openInstance(t *testing.T, at, file string) instance {
	t.Helper()
	db := openMongo(t, at)
	root, err := keyring.OpenFile(file)
	must(t, err)
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: root, DB: db, Refresh: 400 * time.Millisecond})
	must(t, err)
	v := vault.New(vault.Config{Keys: ring})
	cards, err := firmcard.Open(t.Context(), firmcard.Config{DB: db, Vault: v})
	must(t, err)
	return instance{ring, v, cards}
}

// tokensOf are the tokens that numbers were given.
type tokensOf struct {
	mu   sync.Mutex
	puts int
	all  map[string]map[string]bool
}

func (k *tokensOf) put(t *testing.T, i instance, number string) {
	n, err := card.Parse(number)
	if err == nil {
		var kept firmcard.Card
		kept, err = i.cards.Put(t.Context(), firmcard.Deposit{
			FirmID: "firm_acme", Mode: "live", Token: vault.NewToken(), Number: n,
			Expiry: card.Expiry{Month: 12, Year: 2040}, Name: secret.NewString("Ann Example"),
		})
		k.mu.Lock()
		defer k.mu.Unlock()
		k.puts++
		if k.all[number] == nil {
			k.all[number] = map[string]bool{}
		}
		k.all[number][kept.Token] = true
	}
	if err != nil {
		t.Error(err)
	}
}
