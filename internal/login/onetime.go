package login

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

// A one-time token (decision B8) is 32 random bytes and four bytes of checksum
// in base64url, 48 characters. The checksum tells a mangled link from an
// unknown one without a look-up; it keeps no secret.
const (
	tokenRandom = 32
	tokenSum    = 4
	// keepExpired is how long the hash of an expired token is kept, to answer
	// "expired" instead of "unknown".
	keepExpired = 30 * 24 * time.Hour
)

// The purposes of a token.
const (
	purposeVerify = "verify"
	purposeReset  = "reset"
)

// oneTime is what is known of a token; its id is the token's SHA-256. It never
// changes: that it was used is written into the customer, together with what it
// did, by one conditional write.
type oneTime struct {
	Purpose    string    `bson:"purpose"`
	Customer   string    `bson:"customer"`
	Address    string    `bson:"address"` // key of the address it was sent to
	Generation int64     `bson:"generation"`
	Expires    time.Time `bson:"expires"`
	Keep       time.Time `bson:"keep"`
}

func oneTimeSpec() store.Spec {
	return store.Spec{Name: "OneTimeToken", Ordered: []string{"customer"}, Expires: "keep"}
}

// What can be wrong with a token; each route has its own words for it.
var (
	errTokenShape   = errors.New("login: malformed one-time token")
	errTokenUnknown = errors.New("login: unknown one-time token")
	errTokenExpired = errors.New("login: expired one-time token")
)

// newToken returns a token and its hash.
func newToken() (text, hash string) {
	b := make([]byte, tokenRandom, tokenRandom+tokenSum)
	_, _ = rand.Read(b) // never fails (Go 1.24)
	text = base64.RawURLEncoding.EncodeToString(append(b, checksum(b)...))
	return text, hashToken(text)
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte("ccms one-time token\x00"), b...))
	return sum[:tokenSum]
}

func hashToken(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// wellFormed reports whether text is a token in its only spelling.
func wellFormed(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == tokenRandom+tokenSum && len(text) == base64.RawURLEncoding.EncodedLen(len(b)) &&
		bytes.Equal(checksum(b[:tokenRandom]), b[tokenRandom:])
}

// issueToken makes a token for the account rec, bound to the address with this
// key.
func (s *Service) issueToken(ctx context.Context, purpose string, rec store.Record[customer], address string) (string, error) {
	text, hash := newToken()
	expires := s.now().Add(s.tokenLife(purpose))
	return text, s.tokens.Insert(ctx, hash, oneTime{
		Purpose: purpose, Customer: rec.ID, Address: address, Generation: rec.Value.Generation,
		Expires: expires, Keep: expires.Add(keepExpired),
	})
}

func (s *Service) tokenLife(purpose string) time.Duration {
	if purpose == purposeReset {
		return s.cfg.ResetTTL
	}
	return s.cfg.VerifyTTL
}

// findToken looks text up. A token of another purpose is an unknown one.
func (s *Service) findToken(ctx context.Context, purpose, text string) (store.Record[oneTime], error) {
	if !wellFormed(text) {
		return store.Record[oneTime]{}, errTokenShape
	}
	t, err := s.tokens.Get(ctx, hashToken(text))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return t, errTokenUnknown
	case err != nil:
		return t, err
	case t.Value.Purpose != purpose:
		return t, errTokenUnknown
	case !s.now().Before(t.Value.Expires):
		return t, errTokenExpired
	}
	return t, nil
}

// dropTokens removes every token of an account. Tokens never change, so one
// that cannot be deleted in its revision is gone.
func (s *Service) dropTokens(ctx context.Context, customer string) error {
	q := store.Query{Where: []store.Cond{{Field: "customer", Op: store.Eq, Value: customer}}}
	for t, err := range s.tokens.Find(ctx, q) {
		if err == nil {
			err = s.tokens.Delete(ctx, t.ID, t.Rev)
		}
		if err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return nil
}
