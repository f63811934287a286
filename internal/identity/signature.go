package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"
)

// The algorithms of our tokens (decision B11; RFC 7518 section 3.1).
const (
	ES256 = string(jose.ES256)
	RS256 = string(jose.RS256)
	HS256 = string(jose.HS256)
)

const (
	rsaBits   = 2048
	minSecret = 32 // bytes of an HS256 secret (RFC 7518 section 3.2)
)

// authentic reports whether signature is key's over signed. The algorithm is
// the key's, never the token's; a key of another type than its algorithm needs
// verifies nothing.
func authentic(key *jose.JSONWebKey, signed string, signature []byte) bool {
	sum := sha256.Sum256([]byte(signed))
	switch k := key.Key.(type) {
	case *ecdsa.PublicKey:
		return key.Algorithm == ES256 && k.Curve == elliptic.P256() && len(signature) == 64 &&
			ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case *rsa.PublicKey:
		return key.Algorithm == RS256 && k.N.BitLen() >= rsaBits &&
			rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], signature) == nil
	case []byte:
		if key.Algorithm != HS256 || len(k) < minSecret {
			return false
		}
		mac := hmac.New(sha256.New, k)
		mac.Write([]byte(signed))
		return hmac.Equal(mac.Sum(nil), signature)
	}
	return false
}
