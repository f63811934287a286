package login

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSignUpRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.join(someone("taken"))
	with := func(member string, value any) obj {
		body := someone("new").signUp()
		body[member] = value
		if value == nil {
			delete(body, member)
		}
		return body
	}
	const incomplete = "Username, name, email and password are required"
	tests := []struct {
		name   string
		body   any
		status int
		code   string
		text   string
	}{
		{"a missing username", with("username", nil), 400, "INVALID_REQUEST", incomplete},
		{"a missing name", with("name", nil), 400, "INVALID_REQUEST", incomplete},
		{"a missing last name", with("name", obj{"first": "Mary"}), 400, "INVALID_REQUEST", incomplete},
		{"a missing e-mail", with("email", nil), 400, "INVALID_REQUEST", incomplete},
		{"a missing password", with("password", nil), 400, "INVALID_REQUEST", incomplete},
		{"an empty body object", obj{}, 400, "INVALID_REQUEST", incomplete},
		{"a short username", with("username", "ab"), 400, "INVALID_REQUEST", incomplete},
		{"a long username", with("username", strings.Repeat("a", 65)), 400, "INVALID_REQUEST", incomplete},
		{"a username with a space", with("username", "mary jones"), 400, "INVALID_REQUEST", incomplete},
		{"a username with other letters", with("username", "märy"), 400, "INVALID_REQUEST", incomplete},
		{"a name of spaces", with("name", obj{"first": " ", "last": "Jones"}), 400, "INVALID_REQUEST", incomplete},
		{"a name of 101 characters", with("name", obj{"first": strings.Repeat("é", 101), "last": "J"}), 400, "INVALID_REQUEST", incomplete},
		{"a name with a line break", with("name", obj{"first": "Ma\nry", "last": "J"}), 400, "INVALID_REQUEST", incomplete},
		{"an e-mail without a domain", with("email", "mary"), 400, "INVALID_EMAIL", "Invalid email format"},
		{"an e-mail with a display name", with("email", "Mary <mary@example.com>"), 400, "INVALID_EMAIL", "Invalid email format"},
		{"an e-mail with a line break", with("email", "mary@example.com\r\nBcc: all@example.com"), 400, "INVALID_EMAIL", "Invalid email format"},
		{"an e-mail of 255 characters", with("email", "m@"+strings.Repeat("a.", 126)+"e"), 400, "INVALID_EMAIL", "Invalid email format"},
		{"a short password", with("password", "horse-42"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"a common password", with("password", "Password1234"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"a password over 72 bytes", with("password", strings.Repeat("kx7wPq2m", 9)+"a"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"a password with a NUL", with("password", "correct\x00horse-42"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"the address as password", with("password", "new@example.com1"), 400, "WEAK_PASSWORD", "Password does not meet requirements"},
		{"a taken e-mail", with("email", "taken@example.com"), 409, "EMAIL_EXISTS", "Email is already registered"},
		{"a taken e-mail in other case", with("email", "Taken@Example.COM"), 409, "EMAIL_EXISTS", "Email is already registered"},
		{"a taken username", with("username", "taken"), 409, "USERNAME_EXISTS", "Username is already taken"},
		{"a taken username in other case", with("username", "TAKEN"), 409, "USERNAME_EXISTS", "Username is already taken"},
		{"an unknown member", with("accountValidated", true), 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a password of another type", with("password", 123456789012), 400, "VALIDATION_ERROR", "Request validation failed"},
		{"an array", "[]", 400, "VALIDATION_ERROR", "Request validation failed"},
		{"a body over 4 KiB", with("email", strings.Repeat("a", 5000)), 413, "PAYLOAD_TOO_LARGE", "Request body too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.call("POST", "/api/customer/signup", tt.body).is(t, tt.status, tt.code, tt.text)
		})
	}
}

func TestATakenAddressCostsNoHash(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	before := h.hashes()
	h.call("POST", "/api/customer/signup", p.signUp()).is(t, 409, "EMAIL_EXISTS")
	if h.hashes() != before {
		t.Error("a hash was computed")
	}
}

func TestSignUpShowsNamesAsGiven(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := person{"Mary.Jones", "Mary.Jones@Example.com", goodPassword}
	h.call("GET", "/api/customer/verify?token="+h.join(p), nil).is(t, 200)
	a := h.call("GET", "/api/account", nil, bearer(h.logIn(person{email: "mary.jones@example.com", password: p.password})))
	if a.text("username") != "Mary.Jones" || a.text("email") != "Mary.Jones@Example.com" {
		t.Errorf("got %s", a.raw)
	}
}

func TestOfManySignUpsWithOneAddressExactlyOneWins(t *testing.T) {
	t.Parallel()
	h := open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 16 {
		wg.Go(func() {
			p := someone("mary")
			if i%2 == 0 {
				p.username = "mary" + string(rune('a'+i))
			}
			a, err := h.try("POST", "/api/customer/signup", p.signUp())
			mu.Lock()
			defer mu.Unlock()
			if statuses[a.status]++; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if statuses[201] != 1 || statuses[409] != 15 {
		t.Errorf("statuses %v", statuses)
	}
}

func TestSignUpStartsTheResendWindow(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	h.join(p)
	a := h.call("POST", "/api/customer/send-verification", obj{"email": p.email})
	a.is(t, 429, "TOO_MANY_REQUESTS", "Please wait before requesting again")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.pass(time.Minute)
	h.call("POST", "/api/customer/send-verification", obj{"email": p.email}).is(t, 200)
	h.post.token(t, p.email, "verify")
}

func TestHardenedModeDoesNotTellWhetherAnAddressIsKnown(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Hardened = true })
	p := h.member("mary")
	h.pass(time.Minute)

	before := h.hashes()
	again := person{"other", p.email, goodPassword}
	known := h.call("POST", "/api/customer/signup", again.signUp())
	known.is(t, 201)
	spent := h.hashes() - before
	h.post.take(t, p.email, "already have an account")
	fresh := h.call("POST", "/api/customer/signup", person{"other", "fresh@example.com", goodPassword}.signUp())
	fresh.is(t, 201)
	if known.raw != fresh.raw || h.hashes()-before != 2*spent {
		t.Errorf("known %s after %d hashes, unknown %s", known.raw, spent, fresh.raw)
	}
	h.call("POST", "/api/customer/signup", person{"mary", "third@example.com", goodPassword}.signUp()).is(t, 409, "USERNAME_EXISTS")
	h.call("POST", "/api/customer/signup", again.signUp()).is(t, 409, "USERNAME_EXISTS")

	for _, path := range []string{"/api/customer/send-verification", "/api/customer/forgot-password"} {
		h.pass(time.Minute)
		known := h.call("POST", path, obj{"email": p.email})
		unknown := h.call("POST", path, obj{"email": "nobody@example.com"})
		known.is(t, 200)
		if unknown.status != 200 || known.raw != unknown.raw {
			t.Errorf("%s: %s and %s", path, known.raw, unknown.raw)
		}
	}
	h.post.token(t, p.email, "reset-password") // the real one arrives all the same
	h.join(someone("last"))                    // the queue has moved past the others
	if n := h.post.count(p.email); n != 0 {
		t.Errorf("%d letters to who is verified already", n)
	}
}

func TestAnOwnerIsNotFloodedByStrangersSigningUp(t *testing.T) {
	t.Parallel()
	h := open(t, func(c *Config) { c.Hardened = true })
	p := h.member("mary")
	h.pass(time.Minute)
	for _, name := range []string{"aaa", "bbb", "ccc"} {
		h.call("POST", "/api/customer/signup", person{name, p.email, goodPassword}.signUp()).is(t, 201)
	}
	h.post.take(t, p.email, "already have an account")
	h.join(person{"ddd", "ddd@example.com", goodPassword}) // the queue has moved past the others
	if n := h.post.count(p.email); n != 0 {
		t.Errorf("%d more letters", n)
	}
}
