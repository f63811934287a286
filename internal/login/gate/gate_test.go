package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/audit"
	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/hashpool"
	"ccms/internal/login/password"
	"ccms/internal/login/trail"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store/storetest"
)

const right = "correct-horse-42"

// door is a gate with what it told.
type door struct {
	*Gate
	db   *storetest.Fault
	told []string // accounts whose owners heard of a lock
}

// build makes a gate with real counters and record; adjust may change it.
func build(t *testing.T, adjust ...func(*Config)) *door {
	t.Helper()
	d := &door{db: storetest.NewFault(storetest.New(t))}
	counters, err := limit.Open(t.Context(), limit.Config{DB: d.db, Key: secret.NewString(strings.Repeat("l", 32))})
	if err != nil {
		t.Fatal(err)
	}
	record, err := audit.Open(t.Context(), audit.Config{DB: d.db, Key: secret.NewString(strings.Repeat("a", 32))})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Counters: counters, Trail: trail.New(record),
		Locked:  func(_ context.Context, account string) error { d.told = append(d.told, account); return nil },
		Hashing: hashpool.Config{Linger: -1}, Cost: bcrypt.MinCost,
		LockAfter: 5, LockWindow: time.Minute, LockFor: time.Minute,
		RatePerAddress: 1000, RatePerNetwork: 1000, Now: time.Now,
	}
	for _, f := range adjust {
		f(&cfg)
	}
	if d.Gate, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return d
}

func from(network int) trail.Caller {
	return trail.Caller{Address: fmt.Sprintf("198.51.%d.1", network), Network: fmt.Sprintf("198.51.%d.0/24", network)}
}

var (
	errLocked = problem.New(problem.Forbidden, "L", "locked", "")
	errWrong  = problem.New(problem.Unauthorized, "W", "wrong", "")
)

// account has the right password.
func account(t *testing.T) *customer.Customer {
	t.Helper()
	hash, err := password.Hash(secret.NewString(right), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return &customer.Customer{Password: hash, PasswordHistory: []string{hash, "no hash"}}
}

// claims says whose password this is; a nil account is unknown.
func claims(c *customer.Customer, p string, by trail.Caller) Claim {
	claim := Claim{Route: "test", Key: "mary@example.com", Account: c, From: by, Password: secret.NewString(p), Locked: errLocked, Wrong: errWrong}
	if c != nil {
		claim.ID = "1"
	}
	return claim
}

func (d *door) knock(t *testing.T, c *customer.Customer, p string, by trail.Caller) error {
	t.Helper()
	attempt, err := d.Check(t.Context(), claims(c, p, by))
	if err == nil {
		err = attempt.Succeed(t.Context())
	}
	return err
}

func TestOnlyTheRightPasswordOfAnAccountPasses(t *testing.T) {
	t.Parallel()
	mary := account(t)
	foreign := &customer.Customer{Password: "no hash"}
	for _, tt := range []struct {
		name     string
		account  *customer.Customer
		password string
		want     error
	}{
		{"the right one", mary, right, nil},
		{"a wrong one", mary, "wrong", errWrong},
		{"an empty one", mary, "", errWrong},
		{"an unknown address", nil, right, errWrong},
		{"an account without a hash", foreign, right, errWrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := build(t).knock(t, tt.account, tt.password, from(1)); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnUnknownAddressIsComparedAtTheCostInForce(t *testing.T) {
	t.Parallel()
	d := build(t, func(c *Config) { c.Cost = bcrypt.MinCost + 1 })
	for _, hash := range []string{Claim{}.hash(d.dummy), Claim{Account: &customer.Customer{}}.hash(d.dummy)} {
		if password.Cost(hash) != bcrypt.MinCost+1 {
			t.Errorf("cost %d", password.Cost(hash))
		}
	}
}

func TestTheFifthFailureLocksAndIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*customer.Customer{"an account": account(t), "an unknown address": nil} {
		t.Run(name, func(t *testing.T) {
			d := build(t)
			for range 5 {
				if err := d.knock(t, c, "wrong", from(1)); !errors.Is(err, errWrong) {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := d.knock(t, c, right, from(1)); !errors.Is(err, errLocked) {
					t.Errorf("got %v", err)
				}
			}
			if want := map[bool]int{true: 1}[c != nil]; len(d.told) != want {
				t.Errorf("told %v", d.told)
			}
		})
	}
}

func TestAResetLeavesTheLockBehind(t *testing.T) {
	t.Parallel()
	d, c := build(t), account(t)
	for range 5 {
		_ = d.knock(t, c, "wrong", from(1))
	}
	c.LockEpoch++
	if err := d.knock(t, c, right, from(1)); err != nil {
		t.Error(err)
	}
}

func TestFailuresFromEverywhereLockNoNetworkTheAccountKnows(t *testing.T) {
	t.Parallel()
	d, c := build(t), account(t)
	c.Roles = []string{"operator"} // ten suffice
	c.Meet(from(200).Network, time.Now())
	for i := range wideLockRole {
		if err := d.knock(t, c, "wrong", from(i)); !errors.Is(err, errWrong) {
			t.Fatal(err)
		}
	}
	if err := d.knock(t, c, right, from(100)); !errors.Is(err, errLocked) {
		t.Errorf("a stranger: %v", err)
	}
	if err := d.knock(t, c, right, from(200)); err != nil {
		t.Errorf("a network that is known: %v", err)
	}
}

func TestAFailureThatCannotBeCountedTellsNothingOfThePassword(t *testing.T) {
	t.Parallel()
	d, c := build(t), account(t)
	for _, collection := range []string{"Counter", "Audit"} {
		d.db.Add(storetest.Rule{Collection: collection, Op: storetest.Insert, Err: errors.New("disk is gone")})
		if err := d.knock(t, c, "wrong", from(1)); err == nil || problem.From(err).Kind != problem.Unavailable {
			t.Errorf("without %s: %v", collection, err)
		}
		d.db.Clear()
	}
}

func TestAFullHashPoolIsNotAFailedAttempt(t *testing.T) {
	t.Parallel()
	d := build(t, func(c *Config) { c.Hashing = hashpool.Config{Slots: 1, Queue: 1, Wait: time.Millisecond, Linger: -1} })
	c := account(t)
	open, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.pool.Do(t.Context(), "x", func() { close(held); <-open }) })
	<-held
	for range 10 {
		if err := d.knock(t, c, "wrong", from(1)); !errors.Is(err, problem.ServiceUnavailable(0)) {
			t.Errorf("got %v", err)
		}
	}
	if better := d.Raise(t.Context(), from(1), "no hash", secret.NewString(right)); better != "" {
		t.Errorf("a hash from a full pool: %s", better)
	}
	close(open)
	wg.Wait()
	if err := d.knock(t, c, right, from(1)); err != nil {
		t.Error(err)
	}
}

func TestAThrottleCountsAnAddressAndItsNetwork(t *testing.T) {
	t.Parallel()
	d := build(t, func(c *Config) { c.RatePerAddress, c.RatePerNetwork = 2, 3 })
	for i, tt := range []struct {
		address string
		pass    bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"c", false}} {
		err := d.Admit(t.Context(), trail.Caller{Address: tt.address, Network: "n"})
		if (err == nil) != tt.pass {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

func TestOldPasswordsAreKnownAndHashesOfAnotherCostReplaced(t *testing.T) {
	t.Parallel()
	d, c := build(t, func(c *Config) { c.Cost = bcrypt.MinCost + 1 }), account(t)
	for p, want := range map[string]bool{right: true, "another-horse-42": false} {
		if used, err := d.Reused(t.Context(), from(1), c, secret.NewString(p)); err != nil || used != want {
			t.Errorf("%s: %v, %v", p, used, err)
		}
	}
	better := d.Raise(t.Context(), from(1), c.Password, secret.NewString(right))
	if password.Cost(better) != bcrypt.MinCost+1 {
		t.Errorf("got %q", better)
	}
	if again := d.Raise(t.Context(), from(1), better, secret.NewString(right)); again != "" {
		t.Errorf("hashed again: %s", again)
	}
}
