package credential

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
)

// The limits of a client's keys.
const (
	maxKeys   = 8
	maxJWKS   = 16 << 10 // bytes
	maxKeyID  = 128
	minRSA    = 2048 // bits (NIST SP 800-131A)
	maxRSA    = 4096 // a longer one makes each check dear
	minRSAExp = 1<<16 + 1
)

// ParseKeys returns a JSON Web Key Set (RFC 7517) with nothing in it but what a
// check of client assertions needs: public keys for ES256, EdDSA, PS256 or RS256,
// each with an id of its own. A set with anything private is refused: whoever sent
// it must replace the key. Its error is VALIDATION_ERROR.
func ParseKeys(text []byte) ([]byte, error) {
	var in jose.JSONWebKeySet
	if len(text) > maxJWKS || json.Unmarshal(text, &in) != nil || len(in.Keys) == 0 || len(in.Keys) > maxKeys {
		return nil, badKeys()
	}
	out := jose.JSONWebKeySet{}
	for _, k := range in.Keys {
		alg, ok := algorithmOf(k)
		known := slices.ContainsFunc(out.Keys, func(o jose.JSONWebKey) bool { return o.KeyID == k.KeyID })
		if !ok || known || k.KeyID == "" || !plain(k.KeyID) || k.Use != "" && k.Use != "sig" {
			return nil, badKeys()
		}
		out.Keys = append(out.Keys, jose.JSONWebKey{Key: k.Key, KeyID: k.KeyID, Algorithm: alg, Use: "sig"})
	}
	return json.Marshal(out)
}

// algorithmOf returns what a public key is used with, "" for an RSA key that
// leaves the choice between PS256 and RS256 to each assertion.
func algorithmOf(k jose.JSONWebKey) (alg string, ok bool) {
	if !k.Valid() || !k.IsPublic() {
		return "", false
	}
	switch key := k.Key.(type) {
	case *ecdsa.PublicKey:
		return fits(k, key.Curve == elliptic.P256(), jose.ES256)
	case ed25519.PublicKey:
		return fits(k, true, jose.EdDSA)
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		good := minRSA <= bits && bits <= maxRSA && key.E >= minRSAExp
		if k.Algorithm == "" {
			return "", good
		}
		return fits(k, good, jose.PS256, jose.RS256)
	}
	return "", false
}

// fits returns the algorithm the key names, which must be one of these, or the
// first when it names none.
func fits(k jose.JSONWebKey, good bool, algorithms ...jose.SignatureAlgorithm) (string, bool) {
	if k.Algorithm == "" {
		return string(algorithms[0]), good
	}
	return k.Algorithm, good && slices.Contains(algorithms, jose.SignatureAlgorithm(k.Algorithm))
}

func badKeys() *problem.Error {
	return problem.Validation("Send keys as a JSON Web Key Set of 1 to 8 public keys, each with its own kid, for ES256, EdDSA, PS256 or RS256.")
}

// plain reports whether a key's id is short printable ASCII.
func plain(id string) bool {
	return len(id) <= maxKeyID && !strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' })
}
