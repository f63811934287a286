// Package session owns the cookie in which a browser keeps what it needs to be
// known again: the person's token, sealed, so that the portal has no store and
// a copied cookie tells nothing. Whether the token is still good is the login
// service's to say.
package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/secret"
)

// Session is who is logged in.
type Session struct {
	Token   string    `json:"t"` // the Bearer token, sent onward
	Person  string    `json:"p"` // username, to be shown
	Expires time.Time `json:"e"` // the token's
}

// Jar reads and writes the cookie. It is safe for concurrent use.
type Jar struct {
	aead   cipher.AEAD
	name   string
	secure bool
	now    func() time.Time
}

// maxSealed bounds a cookie; browsers keep 4096 bytes of one.
const maxSealed = 4000

// New returns a Jar that seals under key, 32 bytes. Where people reach the
// portal by https the cookie is bound to the host (RFC 6265bis §4.1.3.2);
// browsers take no such cookie in the clear, which happens on loopback only.
// now nil means time.Now.
func New(key secret.Bytes, https bool, now func() time.Time) (*Jar, error) {
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("session key: %w", err)
	}
	if now == nil {
		now = time.Now
	}
	j := &Jar{aead: aead, name: "ccms", secure: https, now: now}
	if https {
		j.name = "__Host-ccms"
	}
	return j, nil
}

// Set gives the browser a session. It ends with the browser, and with the
// token at the latest.
func (j *Jar) Set(w http.ResponseWriter, s Session) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	sealed := base64.RawURLEncoding.EncodeToString(j.aead.Seal(nil, nil, plain, []byte(j.name)))
	if len(sealed) > maxSealed {
		return errors.New("session: the token is too long for a cookie")
	}
	http.SetCookie(w, j.cookie(sealed, 0))
	return nil
}

// Clear takes the session away.
func (j *Jar) Clear(w http.ResponseWriter) { http.SetCookie(w, j.cookie("", -1)) }

// Lax lets a link in a mail open a page of the person who is logged in; forms
// of other sites are refused by their origin.
func (j *Jar) cookie(value string, age int) *http.Cookie {
	return &http.Cookie{Name: j.name, Value: value, Path: "/", MaxAge: age, Secure: j.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Get returns the session r comes with. A cookie that was altered, sealed under
// another key or whose token has expired is none.
func (j *Jar) Get(r *http.Request) (Session, bool) {
	var s Session
	c, err := r.Cookie(j.name)
	if err != nil || len(c.Value) > maxSealed {
		return s, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return s, false
	}
	plain, err := j.aead.Open(nil, nil, sealed, []byte(j.name))
	if err != nil || json.Unmarshal(plain, &s) != nil || !j.now().Before(s.Expires) {
		return Session{}, false
	}
	return s, true
}
