package backend

import (
	"net/http"
	"net/url"

	"ccms/internal/secret"
)

// Person is who signs up.
type Person struct {
	Username, First, Last, Email string
	Password                     secret.Bytes
}

// SignUp makes an account (contract section 2, decision B1).
func (b *Backend) SignUp(r *http.Request, p Person) error {
	return b.ask(r, call{method: http.MethodPost, service: Login, path: "/api/customer/signup", body: object(
		member{"username", p.Username},
		member{"name", []member{{"first", p.First}, {"last", p.Last}}},
		member{"email", p.Email},
		member{"password", p.Password},
	)})
}

// LogIn returns a token (decision B3: an account not verified may log in, and
// do little).
func (b *Backend) LogIn(r *http.Request, email string, password secret.Bytes) (token string, err error) {
	var out struct {
		Token string `json:"token"`
	}
	err = b.ask(r, call{
		method: http.MethodPost, service: Login, path: "/api/customer/login/subsequent", out: &out,
		body: object(member{"email", email}, member{"password", password}),
	})
	return out.Token, err
}

// LogOut ends the session of token.
func (b *Backend) LogOut(r *http.Request, token string) error {
	return b.ask(r, call{method: http.MethodPost, service: Login, path: "/api/customer/logout", token: token})
}

// Account is what its owner sees of an account.
type Account struct {
	Username string `json:"username"`
	Name     struct {
		First string `json:"first"`
		Last  string `json:"last"`
	} `json:"name"`
	Email        string `json:"email"`
	PendingEmail string `json:"pendingEmail"`
	Validated    bool   `json:"accountValidated"`
}

// Account returns the account of token.
func (b *Backend) Account(r *http.Request, token string) (Account, error) {
	var out Account
	err := b.ask(r, call{method: http.MethodGet, service: Login, path: "/api/account", token: token, out: &out})
	return out, err
}

// Owner returns the username of the account a verification token belongs to,
// without using the token.
func (b *Backend) Owner(r *http.Request, token string) (string, error) {
	var out struct {
		Username string `json:"username"`
	}
	err := b.ask(r, call{method: http.MethodGet, service: Login, path: "/internal/verification?token=" + url.QueryEscape(token), out: &out})
	return out.Username, err
}

// Verify uses a verification token.
func (b *Backend) Verify(r *http.Request, token string) error {
	return b.ask(r, call{method: http.MethodGet, service: Login, path: "/api/customer/verify?token=" + url.QueryEscape(token)})
}

// NewPassword is what a person who forgot his password sets.
type NewPassword struct {
	Token             string // of the mail
	Password, Confirm secret.Bytes
}

// Reset sets a new password with a reset token.
func (b *Backend) Reset(r *http.Request, n NewPassword) error {
	return b.ask(r, call{method: http.MethodPost, service: Login, path: "/api/customer/forgot-password/reset-password", body: object(
		member{"token", n.Token}, member{"newPassword", n.Password}, member{"confirmPassword", n.Confirm},
	)})
}
