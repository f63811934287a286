package customer

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store/storetest"
)

func TestNetworksAreKnownForThirtyDays(t *testing.T) {
	t.Parallel()
	var c Customer
	now := time.Now()
	c.Meet("a", now)
	if !c.Knows("a", now.Add(knownFor-1)) || c.Knows("a", now.Add(knownFor)) || c.Knows("b", now) {
		t.Error("known for another time")
	}
	for i := range 2 * knownNetworks {
		c.Meet(fmt.Sprint(i), now)
	}
	if len(c.Networks) != knownNetworks || c.Knows("a", now) {
		t.Errorf("%d networks", len(c.Networks))
	}
}

func TestANewPasswordEndsWhatTheOldOneOpened(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := Customer{Sessions: []Session{{ID: "a"}}, Pending: &PendingEmail{"new@example.com", "new@example.com"}, Generation: 7}
	for i := range 6 {
		c.SetPassword(fmt.Sprint(i), now)
	}
	if c.Sessions != nil || c.Pending != nil || c.Generation != 13 || !c.PasswordChangedAt.Equal(now) {
		t.Errorf("left %+v", c)
	}
	if c.Password != "5" || !slices.Equal(c.PasswordHistory, []string{"5", "4", "3", "2"}) {
		t.Errorf("history %v", c.PasswordHistory)
	}
	c.Rehash("5 again")
	if c.Password != "5 again" || !slices.Equal(c.PasswordHistory, []string{"5 again", "4", "3", "2"}) || c.Generation != 13 {
		t.Errorf("after another hash of the same: %v", c.PasswordHistory)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	until := time.Now()
	unverified := Customer{Email: "Old@example.com", EmailKey: "old@example.com", UnverifiedUntil: &until}
	verified := Customer{Email: "Old@example.com", EmailKey: "old@example.com", AccountValidated: true, VerifiedBy: "first"}
	moving := verified
	moving.Pending = &PendingEmail{"New@example.com", "new@example.com"}
	byMail := verified // by the mail of a reset
	byMail.VerifiedBy = ""
	tests := []struct {
		name           string
		account        Customer
		address, token string
		want           error
		email          string
	}{
		{"the address of the account", unverified, "old@example.com", "first", nil, "Old@example.com"},
		{"an address nobody asked for", unverified, "new@example.com", "first", ErrUnasked, "Old@example.com"},
		{"the same token again", verified, "old@example.com", "first", ErrConfirmed, "Old@example.com"},
		{"any token after a reset", byMail, "old@example.com", "second", ErrConfirmed, "Old@example.com"},
		{"an older token", verified, "old@example.com", "second", ErrUnasked, "Old@example.com"},
		{"a new address", moving, "new@example.com", "second", nil, "New@example.com"},
		{"an older token while a new address waits", moving, "old@example.com", "second", ErrUnasked, "Old@example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.account
			err := c.Confirm(tt.address, tt.token)
			if !errors.Is(err, tt.want) || c.Email != tt.email {
				t.Errorf("%v, address %s", err, c.Email)
			}
			if err == nil && (!c.AccountValidated || c.UnverifiedUntil != nil || c.Pending != nil || c.VerifiedBy != tt.token || c.EmailKey != FoldKey(c.Email)) {
				t.Errorf("left %+v", c)
			}
		})
	}
}

func TestTheOldestOfTooManySessionsEndsAndThoseThatAreOverGo(t *testing.T) {
	t.Parallel()
	var c Customer
	now := time.Now()
	begin := func(id string, at time.Time) {
		c.Begin(Session{ID: id, Created: at, Seen: at, Expires: at.Add(time.Hour)}, 15*time.Minute)
	}
	begin("idle", now.Add(-15*time.Minute))
	for i := range maxSessions + 1 {
		begin(fmt.Sprint(i), now)
	}
	if len(c.Sessions) != maxSessions || c.Session("idle") != nil || c.Session("0") != nil || c.Session("1") == nil {
		t.Errorf("%d sessions, the first %s", len(c.Sessions), c.Sessions[0].ID)
	}
	c.Session("1").Device = "phone"
	if c.Sessions[0].Device != "phone" {
		t.Error("a change of a session did not reach the account")
	}
}

func TestErasureLeavesNothingAndFreesTheKeys(t *testing.T) {
	t.Parallel()
	all, err := Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	mary := Customer{Username: "mary", UsernameKey: "mary", Email: "mary@example.com", EmailKey: "mary@example.com", Generation: 3}
	if err := all.Insert(t.Context(), "1", mary); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := all.ByUsername(t.Context(), "mary"); !ok || err != nil {
		t.Fatal("not found by its username")
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	if _, err := all.Change(t.Context(), "1", func(c *Customer) error { c.Erase(now); return nil }); err != nil {
		t.Fatal(err)
	}
	rec, err := all.Get(t.Context(), "1")
	if err != nil || rec.Value.Username+rec.Value.Email+rec.Value.EmailKey != "" || rec.Value.Generation != 4 || !rec.Value.Erasing.Equal(now) {
		t.Errorf("left %+v, %v", rec.Value, err)
	}
	if err := all.Insert(t.Context(), "2", mary); err != nil {
		t.Errorf("the address is not free: %v", err)
	}
	for _, id := range []string{"1", "nobody"} {
		if _, ok, err := all.ByID(t.Context(), id); ok || err != nil {
			t.Errorf("%s: found, or %v", id, err)
		}
		if _, err := all.Present(t.Context(), id); !errors.Is(err, problem.NoToken()) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := all.Change(t.Context(), "nobody", nil); !errors.Is(err, problem.NoToken()) {
		t.Errorf("change of nobody: %v", err)
	}
}

func TestNamesAndAddresses(t *testing.T) {
	t.Parallel()
	long := string(slices.Repeat([]byte("ä"), maxName))
	for n, want := range map[Name]bool{
		{" Mary ", "Jones"}:    true,
		{"Mary", long}:         true,
		{"Mary", long + "ä"}:   false,
		{"Mary", " "}:          false,
		{"Mary", "Jo\u202ene"}: false,
	} {
		if tidy, ok := n.Tidy(); ok != want || ok && tidy.First != "Mary" {
			t.Errorf("%q: %v %q", n, ok, tidy)
		}
	}
	for s, want := range map[string]bool{"Mary.Jones_1-2": true, "mj": false, "mary jones": false, "märy": false} {
		if ValidUsername(s) != want {
			t.Errorf("username %q", s)
		}
	}
	for s, want := range map[string]bool{"mary@example.com": true, "mary": false, "mary@example.com\n": false, "\xff@example.com": false} {
		if ValidEmail(s) != want {
			t.Errorf("address %q", s)
		}
	}
}

func FuzzFoldKey(f *testing.F) {
	for _, s := range []string{"Mary@Example.com", "ｍary@example.com", "İ", "ﬁ", "´", " \x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := FoldKey(s); FoldKey(once) != once {
			t.Errorf("%q folds to %q and then to %q", s, once, FoldKey(once))
		}
	})
}
