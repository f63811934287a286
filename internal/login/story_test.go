package login

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/store"
)

func TestSignUpVerifyLogInValidateLogOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := someone("mary")
	a := h.call("POST", "/api/customer/signup", p.signUp())
	a.is(t, 201)
	if a.text("username") != "mary" || a.text("message") == "" {
		t.Errorf("sign-up answered %s", a.raw)
	}
	h.call("POST", "/api/customer/login", p.credentials()).is(t, 403, "UNVERIFIED_ACCOUNT", "Account not verified. Please verify email")
	token := h.post.token(t, p.email, "verify")
	h.call("GET", "/api/customer/verify?token="+token, nil).is(t, 200)

	a = h.call("POST", "/api/customer/login", p.credentials())
	a.is(t, 200)
	if a.text("message") != "Welcome Mary Jones" || a.text("note") == "" || len(a.body) != 3 {
		t.Errorf("first login answered %s", a.raw)
	}
	jwt := a.text("token")
	a = h.call("GET", "/api/customer/jwt/validate", nil, bearer(jwt))
	a.is(t, 200)
	if a.body["valid"] != true || a.text("username") != "mary" || a.text("email") != p.email ||
		a.body["accountValidated"] != true || a.text("scope") != "account cards" || a.body["exp"].(float64) < 1 {
		t.Errorf("validate answered %s", a.raw)
	}
	h.call("GET", "/api/customer/jwt/validate?token="+jwt, nil).is(t, 200)

	h.call("POST", "/api/customer/logout", nil, bearer(jwt)).is(t, 200)
	h.call("GET", "/api/customer/jwt/validate", nil, bearer(jwt)).is(t, 401, "UNAUTHORIZED", "Invalid or missing token")
	h.call("POST", "/api/customer/logout", nil, bearer(jwt)).is(t, 200)
}

func TestSubsequentLoginHasTheContractsShape(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("mary")
	a := h.call("POST", "/api/customer/login/subsequent", p.credentials())
	a.is(t, 200)
	want := `"name":{"first":"Mary","last":"Jones"},"accountValidated":true,"availableEndpoints":[` +
		`{"url":"/api/account","description":"Update personal details and password"},` +
		`{"url":"/api/creditcards","description":"View all credit cards"}]}`
	if !strings.HasSuffix(a.raw, want) || len(a.body) != 4 {
		t.Errorf("got %s", a.raw)
	}
	for _, name := range []string{"Cache-Control", "X-Content-Type-Options"} {
		if a.header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
}

func TestTheStoredCustomerHasTheContractsShape(t *testing.T) {
	t.Parallel()
	h := open(t)
	p := h.member("Mary.Jones")
	for d, err := range h.db.open["Customer"].Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		var doc bson.M
		if err := bson.Unmarshal(d.Body, &doc); err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"username", "name", "email", "password", "accountValidated", "verificationToken", "resetPasswordToken", "passwordHistory"} {
			if _, ok := doc[field]; !ok {
				t.Errorf("no field %s", field)
			}
		}
		if doc["verificationToken"] != nil || doc["resetPasswordToken"] != nil || doc["username"] != p.username {
			t.Errorf("stored %v", doc)
		}
		if !strings.HasPrefix(doc["password"].(string), "$2a$") {
			t.Errorf("password is stored as %v", doc["password"])
		}
		if strings.Contains(d.ID, "mary") || len(d.ID) < 20 {
			t.Errorf("id %s is not opaque", d.ID)
		}
	}
}

func TestTheKeysArePublished(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.call("GET", "/.well-known/jwks.json", nil)
	a.is(t, 200)
	if !strings.Contains(a.header.Get("Cache-Control"), "max-age=300") || !strings.Contains(a.raw, `"kty":"EC"`) || strings.Contains(a.raw, `"d":`) {
		t.Errorf("%v %s", a.header, a.raw)
	}
}
