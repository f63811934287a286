package identity

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// IssuerConfig describes an Issuer.
type IssuerConfig struct {
	Keys     *Keys
	Issuer   string           // iss: public-url
	Audience string           // aud: ccms
	Now      func() time.Time // default time.Now
}

// Issuer makes tokens.
type Issuer struct{ cfg IssuerConfig }

// NewIssuer returns an Issuer.
func NewIssuer(cfg IssuerConfig) *Issuer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Issuer{cfg}
}

// Issue returns a token that says c and lives for ttl, in whole seconds. It
// sets iss, aud, iat, exp and, when empty, a random jti. A ttl above the Keys'
// TokenLife is refused: the key might be gone before the token.
func (i *Issuer) Issue(ctx context.Context, c Claims, ttl time.Duration) (string, error) {
	if ttl > i.cfg.Keys.cfg.TokenLife {
		return "", fmt.Errorf("issue token: life %v is above the limit %v", ttl, i.cfg.Keys.cfg.TokenLife)
	}
	now := i.cfg.Now()
	c.Issuer, c.Audience = i.cfg.Issuer, i.cfg.Audience
	c.IssuedAt, c.Expires = now.Unix(), now.Add(ttl).Unix()
	if c.TokenID == "" {
		c.TokenID = rand.Text()
	}
	c.Unknown = nil
	payload, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	signed, err := i.cfg.Keys.signer(ctx).Sign(payload)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	return token, nil
}
