package credential

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
)

func TestASecretHasOneSpelling(t *testing.T) {
	t.Parallel()
	made, digest := NewSecret()
	text := made.Reveal()
	if !bytes.HasPrefix(text, []byte("ccms_secret_")) || len(text) != len("ccms_secret_")+48 || digest != sha256.Sum256(text) {
		t.Fatalf("made %d bytes", len(text))
	}
	if got, ok := Parse(text); !ok || got != digest {
		t.Error("a secret is not parsed")
	}
	for at := range text {
		other := bytes.Clone(text)
		other[at] ^= 1
		if got, ok := Parse(other); ok || got == digest {
			t.Errorf("changed at %d it is one still", at)
		}
	}
	for name, other := range map[string][]byte{
		"nothing":          nil,
		"the prefix alone": text[:12],
		"without prefix":   text[12:],
		"cut":              text[:len(text)-1],
		"with a line end":  append(bytes.Clone(text), '\n'),
		"a line end in it": append(bytes.Clone(text[:len(text)-1]), '\n'),
		"padded":           append(bytes.Clone(text), '='),
		"with a blank":     append([]byte{' '}, text...),
	} {
		if _, ok := Parse(other); ok {
			t.Errorf("%s is a secret", name)
		}
	}
	again, _ := NewSecret()
	if again.Equal(made) {
		t.Error("two secrets are the same")
	}
}

func FuzzParse(f *testing.F) {
	made, _ := NewSecret()
	f.Add(made.Reveal())
	f.Add([]byte("ccms_secret_"))
	f.Fuzz(func(t *testing.T, text []byte) {
		digest, ok := Parse(text)
		if digest != sha256.Sum256(text) {
			t.Error("the digest is of something else")
		}
		if ok && (len(text) != 60 || bytes.ContainsAny(text, "\r\n =+/")) {
			t.Errorf("%q is a secret", text)
		}
	})
}

func TestASecretIsShownOnce(t *testing.T) {
	t.Parallel()
	made, _ := NewSecret()
	want := `{"client_secret":"` + string(bytes.Clone(made.Reveal())) + `"}`
	answer := struct {
		Secret Once `json:"client_secret"`
	}{Once{Bytes: made}}
	for _, text := range []string{fmt.Sprint(answer), fmt.Sprintf("%#v", answer), fmt.Sprintf("%+v", answer.Secret)} {
		if strings.Contains(text, "ccms_secret_") {
			t.Errorf("printed: %s", text)
		}
	}
	got, err := json.Marshal(answer)
	if err != nil || string(got) != want {
		t.Errorf("%v: got %d bytes", err, len(got))
	}
	if made.Len() != 0 {
		t.Error("it is not wiped")
	}
	if _, err := json.Marshal(answer); err == nil {
		t.Error("it is shown twice")
	}
}

// set is a JSON Web Key Set of keys.
func set(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func p256(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysOfClients(t *testing.T) {
	t.Parallel()
	ec := p256(t, elliptic.P256())
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	one := func(key crypto.PublicKey, id, alg string) []byte {
		return set(t, jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg})
	}
	short := jose.JSONWebKey{Key: &rsa.PublicKey{N: p256(t, elliptic.P521()).X, E: 65537}, KeyID: "a"}
	even := jose.JSONWebKey{Key: &rsa.PublicKey{N: long.N, E: 3}, KeyID: "a"}
	nine := make([]jose.JSONWebKey, 9)
	for i := range nine {
		nine[i] = jose.JSONWebKey{Key: ec.Public(), KeyID: fmt.Sprint(i)}
	}
	for name, c := range map[string]struct {
		text []byte
		alg  string // "-" for refused
	}{
		"P-256":                          {one(ec.Public(), "a", ""), "ES256"},
		"P-256 for ES256":                {one(ec.Public(), "a", "ES256"), "ES256"},
		"Ed25519":                        {one(edwards, "a", "EdDSA"), "EdDSA"},
		"RSA for either":                 {one(long.Public(), "a", ""), ""},
		"RSA for PS256":                  {one(long.Public(), "a", "PS256"), "PS256"},
		"RSA for RS256":                  {one(long.Public(), "a", "RS256"), "RS256"},
		"RSA for RS512":                  {one(long.Public(), "a", "RS512"), "-"},
		"P-256 for RS256":                {one(ec.Public(), "a", "RS256"), "-"},
		"P-256 for none":                 {one(ec.Public(), "a", "none"), "-"},
		"P-384":                          {one(p256(t, elliptic.P384()).Public(), "a", ""), "-"},
		"a short RSA key":                {set(t, short), "-"},
		"an RSA key with a small power":  {set(t, even), "-"},
		"a private key":                  {set(t, jose.JSONWebKey{Key: ec, KeyID: "a"}), "-"},
		"a private RSA key":              {set(t, jose.JSONWebKey{Key: long, KeyID: "a"}), "-"},
		"a symmetric key":                {set(t, jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "a"}), "-"},
		"a key without id":               {one(ec.Public(), "", ""), "-"},
		"a key with a line end":          {one(ec.Public(), "a\n", ""), "-"},
		"a key with a long id":           {one(ec.Public(), strings.Repeat("a", 129), ""), "-"},
		"a key for encryption":           {set(t, jose.JSONWebKey{Key: ec.Public(), KeyID: "a", Use: "enc"}), "-"},
		"two keys with one id":           {set(t, jose.JSONWebKey{Key: ec.Public(), KeyID: "a"}, jose.JSONWebKey{Key: edwards, KeyID: "a"}), "-"},
		"no key":                         {set(t), "-"},
		"nine keys":                      {set(t, nine...), "-"},
		"a point beside the curve":       {[]byte(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}]}`), "-"},
		"null":                           {[]byte(`null`), "-"},
		"a list":                         {[]byte(`[]`), "-"},
		"text":                           {[]byte(`"keys"`), "-"},
		"too much":                       {append(bytes.Repeat([]byte{' '}, 16<<10), one(ec.Public(), "a", "")...), "-"},
		"half a set":                     {one(ec.Public(), "a", "")[:20], "-"},
		"a key that is to be fetched":    {[]byte(`{"keys":[{"jku":"https://example.com"}]}`), "-"},
		"a key of a kind there is not":   {[]byte(`{"keys":[{"kty":"XY","kid":"a"}]}`), "-"},
		"a certificate beside the point": {[]byte(`{"keys":[{"kty":"EC","x5c":["AA=="]}]}`), "-"},
	} {
		t.Run(name, func(t *testing.T) {
			kept, err := ParseKeys(c.text)
			if c.alg == "-" {
				if p := problem.From(err); err == nil || p.Code != "VALIDATION_ERROR" {
					t.Errorf("accepted: %s, %v", kept, err)
				}
				return
			}
			var back jose.JSONWebKeySet
			if err != nil || json.Unmarshal(kept, &back) != nil || len(back.Keys) != 1 || back.Keys[0].Algorithm != c.alg || back.Keys[0].KeyID != "a" {
				t.Errorf("%v: %s", err, kept)
			}
			if again, err := ParseKeys(kept); err != nil || !bytes.Equal(again, kept) {
				t.Errorf("what is kept is not accepted again: %v", err)
			}
		})
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add(set(f, jose.JSONWebKey{Key: p256(f, elliptic.P256()).Public(), KeyID: "a"}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA","kid":"a"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB","kid":"a"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		kept, err := ParseKeys(text)
		if err != nil {
			return
		}
		var back struct {
			Keys []map[string]any `json:"keys"`
		}
		if err := json.Unmarshal(kept, &back); err != nil {
			t.Fatal(err)
		}
		for _, k := range back.Keys {
			for _, private := range []string{"d", "p", "q", "k", "dp", "dq", "qi"} {
				if k[private] != nil {
					t.Errorf("kept %s of %s", private, kept)
				}
			}
		}
	})
}
