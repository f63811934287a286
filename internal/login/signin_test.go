package login

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/login/customer"
	"ccms/internal/login/password"
	"ccms/internal/secret"
)

const (
	first = "/api/customer/login"
	later = "/api/customer/login/subsequent"
)

// doors are both logins with their sentence for a lock.
var doors = map[string]string{
	first: "Account is locked. Please reset your password",
	later: "Account locked due to multiple failed attempts",
}

func TestBothLoginsRefuse(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	tests := []struct {
		name   string
		body   any
		status int
		code   string
		text   string
	}{
		{"no member at all", obj{}, 400, "INVALID_REQUEST", "Email and password are required"},
		{"a missing e-mail", obj{"password": p.password}, 400, "INVALID_REQUEST", "Email and password are required"},
		{"a missing password", obj{"email": p.email}, 400, "INVALID_REQUEST", "Email and password are required"},
		{"an empty password", obj{"email": p.email, "password": ""}, 400, "INVALID_REQUEST", "Email and password are required"},
		{"a null password", obj{"email": p.email, "password": nil}, 400, "INVALID_REQUEST", "Email and password are required"},
		{"an unknown member", obj{"email": p.email, "password": p.password, "role": "operator"}, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a duplicate member", `{"email":"a@example.com","email":"b@example.com","password":"x"}`, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a name in other case", `{"Email":"a@example.com","password":"x"}`, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"broken JSON", `{"email":`, 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a wrong password", p.wrong(), 401, "INVALID_CREDENTIALS", "Invalid email or password"},
		{"an unknown address", someone("nobody").credentials(), 401, "INVALID_CREDENTIALS", "Invalid email or password"},
		{"what is no address", obj{"email": "x", "password": p.password}, 401, "INVALID_CREDENTIALS", "Invalid email or password"},
		{"a password with a NUL behind it", obj{"email": p.email, "password": p.password + "\x00"}, 401, "INVALID_CREDENTIALS", "Invalid email or password"},
		{"a password that is too long", obj{"email": p.email, "password": strings.Repeat("a", 100)}, 401, "INVALID_CREDENTIALS", "Invalid email or password"},
	}
	for door := range doors {
		for i, tt := range tests {
			t.Run(door+" "+tt.name, func(t *testing.T) {
				h.call("POST", door, tt.body, from(fmt.Sprintf("198.51.%d.1", i))).is(t, tt.status, tt.code, tt.text)
			})
		}
	}
	t.Run("another media type", func(t *testing.T) {
		h.call("POST", first, p.credentials(), header{"Content-Type": "text/plain"}).is(t, 415, "UNSUPPORTED_MEDIA_TYPE")
	})
}

func TestAnUnverifiedAccountMayOnlyUseTheSecondDoor(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	h.join(p)
	h.call("POST", first, p.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT", "Account not verified. Please verify email")
	a := h.call("POST", later, p.credentials())
	a.is(t, 200)
	if a.body["accountValidated"] != false {
		t.Errorf("got %s", a.raw)
	}
	v := h.call("GET", "/api/customer/jwt/validate", nil, bearer(a.text("token")))
	if v.body["accountValidated"] != false {
		t.Errorf("got %s", v.raw)
	}
	h.call("GET", "/api/account", nil, bearer(a.text("token"))).is(t, 200)
}

func TestAnExpiredPasswordIsToldOnlyToWhoKnowsIt(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	h.pass(90 * 24 * time.Hour)
	for door := range doors {
		h.call("POST", door, p.wrong()).is(t, 401, "INVALID_CREDENTIALS")
		h.call("POST", door, p.credentials()).is(t, 403, "PASSWORD_EXPIRED", "Password expired. Please reset")
	}
	unverified := open(t)
	q := someone("jane")
	unverified.join(q)
	unverified.alter(q, func(c *customer.Customer) { c.PasswordChangedAt = c.PasswordChangedAt.AddDate(-1, 0, 0) })
	unverified.call("POST", first, q.credentials()).is(t, 403, "PASSWORD_EXPIRED") // expiry before verification
}

func TestFiveFailuresLockThePair(t *testing.T) {
	t.Parallel()
	for door, sentence := range doors {
		for _, address := range []string{"mary@example.com", "nobody@example.com"} {
			t.Run(door+" "+address, func(t *testing.T) {
				h := open(t)
				p := h.member("mary")
				for range 5 {
					h.call("POST", door, obj{"email": address, "password": "wrong-horse-42"}).is(t, 401, "INVALID_CREDENTIALS")
				}
				before := h.hashes()
				wrong := h.call("POST", door, obj{"email": address, "password": "wrong-horse-42"})
				right := h.call("POST", door, obj{"email": address, "password": p.password})
				wrong.is(t, 403, "ACCOUNT_LOCKED", sentence)
				right.is(t, 403, "ACCOUNT_LOCKED", sentence)
				if h.hashes() != before {
					t.Error("a lock was answered after a hash")
				}
				h.pass(30 * time.Minute)
				want := map[string]int{"mary@example.com": 200, "nobody@example.com": 401}[address]
				h.call("POST", door, obj{"email": address, "password": p.password}).is(t, want)
			})
		}
	}
}

func TestTheOwnerIsToldOfALock(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for range 5 {
		h.call("POST", first, p.wrong())
	}
	h.post.take(t, p.email, "was locked")
}

func TestVariantsOfAnAddressShareOneCounter(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.member("mary")
	variants := []string{"mary@example.com", "MARY@example.com", " mary@example.com ", "ｍary@example.com", "Mary@EXAMPLE.com"}
	for _, v := range variants {
		h.call("POST", first, obj{"email": v, "password": "wrong-horse-42"}).is(t, 401)
	}
	h.call("POST", later, someone("mary").credentials()).is(t, 403, "ACCOUNT_LOCKED")
}

func TestALockOfOneNetworkLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for i := range 5 {
		h.call("POST", first, p.wrong(), from(fmt.Sprintf("198.51.100.%d", i+1))).is(t, 401)
	}
	h.call("POST", first, p.credentials(), from("198.51.100.200")).is(t, 403, "ACCOUNT_LOCKED")
	h.call("POST", first, p.credentials(), from("198.51.101.1")).is(t, 200)
	for i := range 5 {
		h.call("POST", first, p.wrong(), from(fmt.Sprintf("2001:db8:0:%x::1", i))).is(t, 401)
	}
	h.call("POST", first, p.credentials(), from("2001:db8:0:ff::9")).is(t, 403, "ACCOUNT_LOCKED")
	h.call("POST", first, p.credentials(), from("2001:db8:0:100::9")).is(t, 200)
}

func TestFiftyFailuresFromEverywhereLockAllButKnownNetworks(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	h.logIn(p, from("203.0.113.7"))
	for i := range 50 {
		h.call("POST", first, p.wrong(), from(fmt.Sprintf("198.51.%d.1", i))).is(t, 401)
	}
	h.call("POST", first, p.credentials(), from("192.0.2.1")).is(t, 403, "ACCOUNT_LOCKED")
	h.call("POST", first, p.credentials(), from("203.0.113.200")).is(t, 200)
}

func TestAnAccountWithARoleLocksAfterTenFromEverywhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	h.alter(p, func(c *customer.Customer) { c.Roles = []string{"operator"} })
	for i := range 10 {
		h.call("POST", first, p.wrong(), from(fmt.Sprintf("198.51.%d.1", i))).is(t, 401)
	}
	h.call("POST", first, p.credentials(), from("192.0.2.1")).is(t, 403, "ACCOUNT_LOCKED")
}

func TestASuccessfulLoginClearsTheCountAndAMereRightPasswordDoesNot(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	for range 3 {
		for range 4 {
			h.call("POST", first, p.wrong()).is(t, 401)
		}
		h.logIn(p)
	}
	q := someone("jane")
	h.join(q)
	for range 4 {
		h.call("POST", first, q.wrong()).is(t, 401)
	}
	h.call("POST", first, q.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT")
	h.call("POST", first, q.wrong()).is(t, 401)
	h.call("POST", first, q.credentials()).is(t, 403, "ACCOUNT_LOCKED")
}

func TestParallelGuessesNeverExceedTheLimit(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"mary", "nobody"} {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			h.member("mary")
			before := h.hashes()
			var wg sync.WaitGroup
			var mu sync.Mutex
			statuses := map[int]int{}
			for range 200 {
				wg.Go(func() {
					a, err := h.try("POST", first, someone(name).wrong())
					mu.Lock()
					defer mu.Unlock()
					if statuses[a.status]++; err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			// A slow machine may let some run out of time; none may guess more.
			shed := statuses[503] + statuses[504]
			if n := h.hashes() - before; n != 5 || statuses[401] != 5 || statuses[403]+shed != 195 {
				t.Errorf("%d bcrypt runs, statuses %v", n, statuses)
			}
		})
	}
}

func TestEveryRefusalCostsTheSame(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	bodies := map[string]obj{
		"unknown address":          someone("nobody").wrong(),
		"wrong password":           p.wrong(),
		"over-long password":       {"email": p.email, "password": strings.Repeat("x", 200)},
		"NUL":                      {"email": p.email, "password": "a\x00b"},
		"unknown and over-long":    {"email": "nobody@example.com", "password": strings.Repeat("x", 200)},
		"unknown address with NUL": {"email": "nobody@example.com", "password": "\x00"},
	}
	var shape string
	i := 0
	for name, body := range bodies {
		before := h.hashes()
		a := h.call("POST", first, body, from(fmt.Sprintf("198.51.%d.1", i)))
		i++
		if n := h.hashes() - before; n != 1 {
			t.Errorf("%s: %d bcrypt runs", name, n)
		}
		delete(a.body, "timestamp")
		if s := fmt.Sprint(a.status, a.body); shape != "" && s != shape {
			t.Errorf("%s: %s, others %s", name, s, shape)
		} else {
			shape = s
		}
	}
}

func TestALoginRaisesTheCostOfAnOldHash(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.BcryptCost = bcrypt.MinCost + 1 })
	p := h.member("mary")
	old := must(password.Hash(secret.NewString(p.password), bcrypt.MinCost))
	h.alter(p, func(c *customer.Customer) { c.Password = old; c.PasswordHistory = []string{old} })
	h.logIn(p)
	c := h.record(p).Value
	if password.Cost(c.Password) != bcrypt.MinCost+1 || c.PasswordHistory[0] != c.Password || len(c.PasswordHistory) != 1 {
		t.Errorf("stored %s, history %v", c.Password, c.PasswordHistory)
	}
	h.logIn(p)
}

func TestAThrottleCountsRequestsOfAnAddressAndItsNetwork(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.RatePerAddress, c.RatePerNetwork = 3, 5 })
	p := someone("nobody")
	for range 3 {
		h.call("POST", first, p.wrong(), from("198.51.100.1")).is(t, 401)
	}
	a := h.call("POST", first, p.wrong(), from("198.51.100.1"))
	a.is(t, 429, "TOO_MANY_REQUESTS", "Too many requests")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.call("POST", first, obj{}, from("198.51.100.1")).is(t, 400, "INVALID_REQUEST") // shape before throttle
	for range 2 {
		h.call("POST", first, someone("other").wrong(), from("198.51.100.2")).is(t, 401)
	}
	h.call("POST", first, p.wrong(), from("198.51.100.3")).is(t, 429)
	h.call("POST", first, p.wrong(), from("198.51.200.1")).is(t, 401)
}

func TestManyLoginsAtOnceAllOpenASession(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			a, err := h.try("POST", first, p.credentials())
			if err != nil || a.status != 200 {
				t.Errorf("login: %v %s", err, a.raw)
				return
			}
			v, err := h.try("GET", "/api/customer/jwt/validate", nil, bearer(a.text("token")))
			if err != nil || v.status != 200 {
				t.Errorf("validate: %v %s", err, v.raw)
			}
		})
	}
	wg.Wait()
}
