package backend

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Person is who signs up.
type Person struct {
	Username, First, Last, Email string
	Password                     secret.Bytes
}

// SignUp makes an account (contract section 2, decision B1).
func (b *Backend) SignUp(r *http.Request, p Person) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/signup", Body: upstream.Object(
		upstream.Field("username", p.Username),
		upstream.Field("name", []upstream.Member{upstream.Field("first", p.First), upstream.Field("last", p.Last)}),
		upstream.Field("email", p.Email),
		upstream.Field("password", p.Password),
	)})
}

// LogIn returns a token (decision B3: an account not verified may log in, and
// do little).
func (b *Backend) LogIn(r *http.Request, email string, password secret.Bytes) (token string, err error) {
	var out struct {
		Token string `json:"token"`
	}
	err = b.up.Ask(r, upstream.Call{
		Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/login/subsequent", Out: &out,
		Body: upstream.Object(upstream.Field("email", email), upstream.Field("password", password)),
	})
	return out.Token, err
}

// Who is whose a token is.
type Who struct {
	Username string `json:"username"`
	Expires  int64  `json:"exp"` // the token, in seconds since 1970
}

// Who returns whose a token is, when it holds, which counts as a use of its
// session (decision B12).
func (b *Backend) Who(r *http.Request, token string) (Who, error) {
	var out Who
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/customer/jwt/validate", Token: token, Out: &out})
	return out, err
}

// LogOut ends the session of token.
func (b *Backend) LogOut(r *http.Request, token string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/logout", Token: token})
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
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/account", Token: token, Out: &out})
	return out, err
}

// Change is what PUT /api/account changes; a new address needs the password
// and takes effect when it is confirmed.
type Change struct {
	First, Last string
	Email       string
	Password    secret.Bytes
}

// ChangeAccount changes the name, or the address when there is one.
func (b *Backend) ChangeAccount(r *http.Request, token string, c Change) error {
	members := []upstream.Member{upstream.Field("name", []upstream.Member{upstream.Field("first", c.First), upstream.Field("last", c.Last)})}
	if c.Email != "" {
		members = []upstream.Member{upstream.Field("email", c.Email), upstream.Field("currentPassword", c.Password)}
	}
	return b.up.Ask(r, upstream.Call{Method: http.MethodPut, Service: upstream.Login, Path: "/api/account", Token: token, Body: upstream.Object(members...)})
}

// PasswordChange is what a person who is logged in sets.
type PasswordChange struct{ Current, Password, Confirm secret.Bytes }

// ChangePassword changes the password and ends every session.
func (b *Backend) ChangePassword(r *http.Request, token string, c PasswordChange) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/account/password", Token: token, Body: upstream.Object(
		upstream.Field("currentPassword", c.Current), upstream.Field("newPassword", c.Password), upstream.Field("confirmPassword", c.Confirm),
	)})
}

// DeleteAccount erases the account and its cards.
func (b *Backend) DeleteAccount(r *http.Request, token string, password secret.Bytes) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodDelete, Service: upstream.Login, Path: "/api/account", Token: token, Body: upstream.Object(upstream.Field("password", password))})
}

// Export returns everything kept about the person, as JSON.
func (b *Backend) Export(r *http.Request, token string) ([]byte, error) {
	var out jsontext.Value
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/account/export", Token: token, Out: &out})
	return out, err
}

// LoggedIn is a place where the person is logged in.
type LoggedIn struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"lastSeen"`
	Network string    `json:"network"`
	Device  string    `json:"device"`
	Current bool      `json:"current"`
}

// Sessions returns where the person is logged in.
func (b *Backend) Sessions(r *http.Request, token string) ([]LoggedIn, error) {
	var out []LoggedIn
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/account/sessions", Token: token, Out: &out})
	return out, err
}

// EndSession logs the person out somewhere.
func (b *Backend) EndSession(r *http.Request, token, id string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodDelete, Service: upstream.Login, Path: "/api/account/sessions/" + url.PathEscape(id), Token: token})
}

// SendVerification has the verification mail sent again.
func (b *Backend) SendVerification(r *http.Request, email string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/send-verification", Body: upstream.Object(upstream.Field("email", email))})
}

// ForgotPassword has a reset mail sent.
func (b *Backend) ForgotPassword(r *http.Request, email string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/forgot-password", Body: upstream.Object(upstream.Field("email", email))})
}

// Owner returns the username of the account a verification token belongs to,
// without using the token.
func (b *Backend) Owner(r *http.Request, token string) (string, error) {
	var out struct {
		Username string `json:"username"`
	}
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/internal/verification?token=" + url.QueryEscape(token), Out: &out})
	return out.Username, err
}

// Verify uses a verification token.
func (b *Backend) Verify(r *http.Request, token string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/customer/verify?token=" + url.QueryEscape(token)})
}

// NewPassword is what a person who forgot his password sets.
type NewPassword struct {
	Token             string // of the mail
	Password, Confirm secret.Bytes
}

// Reset sets a new password with a reset token.
func (b *Backend) Reset(r *http.Request, n NewPassword) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Login, Path: "/api/customer/forgot-password/reset-password", Body: upstream.Object(
		upstream.Field("token", n.Token), upstream.Field("newPassword", n.Password), upstream.Field("confirmPassword", n.Confirm),
	)})
}
