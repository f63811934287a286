// Package onetime owns the tokens in the links of mails (decision B8): how they
// are made and spelt, how long they live, and what is kept of them, which is a
// hash.
//
// It does not use a token up. A token never changes: that it was used is
// written into the account, together with what it did, by one conditional
// write of the caller. It writes no mail (package letters) and has no sentences
// for people: each route has its own for the three errors.
package onetime

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"time"

	"ccms/internal/store"
)

// A token is 32 random bytes and four bytes of checksum in base64url, 48
// characters. The checksum tells a mangled link from an unknown one without a
// look-up; it keeps no secret.
const (
	randomBytes = 32
	sumBytes    = 4
	// keepExpired is how long the hash of an expired token is kept, to answer
	// "expired" instead of "unknown".
	keepExpired = 30 * 24 * time.Hour
)

// Purpose is what a token is good for.
type Purpose string

// The purposes there are.
const (
	Verify Purpose = "verify" // an address
	Reset  Purpose = "reset"  // a password
)

// Token is what is known of a token; its id is the token's SHA-256.
type Token struct {
	Purpose    Purpose   `bson:"purpose"`
	Customer   string    `bson:"customer"`
	Address    string    `bson:"address"`    // key of the address it was sent to
	Generation int64     `bson:"generation"` // of the account when it was made
	Expires    time.Time `bson:"expires"`
	Keep       time.Time `bson:"keep"`
}

// What can be wrong with a token.
var (
	ErrShape   = errors.New("onetime: malformed token")
	ErrUnknown = errors.New("onetime: unknown token")
	ErrExpired = errors.New("onetime: expired token")
)

// Config is what Open needs. The defaults are those of login.Config.
type Config struct {
	DB        store.DB
	VerifyTTL time.Duration // life of a token for Verify
	ResetTTL  time.Duration // and for Reset
	// Now is the clock, in the precision of the store.
	Now func() time.Time
}

// Tokens are persistent.
type Tokens struct {
	cfg  Config
	kept *store.Of[Token]
}

// Open opens the collection OneTimeToken.
func Open(ctx context.Context, cfg Config) (*Tokens, error) {
	kept, err := store.Open[Token](ctx, cfg.DB, store.Spec{Name: "OneTimeToken", Ordered: []string{"customer"}, Expires: "keep"})
	return &Tokens{cfg, kept}, err
}

// Issue makes a token as t says, whose times are set here, and returns its
// text. Nothing else ever knows it.
func (k *Tokens) Issue(ctx context.Context, t Token) (text string, err error) {
	text = newText()
	t.Expires = k.cfg.Now().Add(k.Life(t.Purpose))
	t.Keep = t.Expires.Add(keepExpired)
	return text, k.kept.Insert(ctx, hash(text), t)
}

// Life is how long a token is good.
func (k *Tokens) Life(p Purpose) time.Duration {
	if p == Reset {
		return k.cfg.ResetTTL
	}
	return k.cfg.VerifyTTL
}

// Find looks text up. Its errors are ErrShape, ErrUnknown, also for a token of
// another purpose, ErrExpired and those of the store.
func (k *Tokens) Find(ctx context.Context, p Purpose, text string) (store.Record[Token], error) {
	if !wellFormed(text) {
		return store.Record[Token]{}, ErrShape
	}
	t, err := k.kept.Get(ctx, hash(text))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return t, ErrUnknown
	case err != nil:
		return t, err
	case t.Value.Purpose != p:
		return t, ErrUnknown
	case !k.cfg.Now().Before(t.Value.Expires):
		return t, ErrExpired
	}
	return t, nil
}

// Drop removes every token of an account. Tokens never change, so one that
// cannot be deleted in its revision is gone.
func (k *Tokens) Drop(ctx context.Context, customer string) error {
	q := store.Query{Where: []store.Cond{{Field: "customer", Op: store.Eq, Value: customer}}}
	for t, err := range k.kept.Find(ctx, q) {
		if err == nil {
			err = k.kept.Delete(ctx, t.ID, t.Rev)
		}
		if err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return nil
}

func newText() string {
	b := make([]byte, randomBytes, randomBytes+sumBytes)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	return base64.RawURLEncoding.EncodeToString(append(b, checksum(b)...))
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte("ccms one-time token\x00"), b...))
	return sum[:sumBytes]
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// wellFormed reports whether text is a token in its only spelling.
func wellFormed(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == randomBytes+sumBytes && len(text) == base64.RawURLEncoding.EncodedLen(len(b)) &&
		bytes.Equal(checksum(b[:randomBytes]), b[randomBytes:])
}
