package identity

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// signES256 gives the 64 bytes of RFC 7518 section 3.4.
func signES256(t testing.TB, key crypto.Signer, sum []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, key.(*ecdsa.PrivateKey), sum)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}

// The examples of RFC 7515 appendix A, with the keys printed there.
func TestTheExamplesOfRFC7515Hold(t *testing.T) {
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for name, c := range map[string]struct{ key, signed, signature string }{
		"A.1 HS256": {
			key:       `{"kty":"oct","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
			signed:    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload,
			signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
		},
		"A.2 RS256": {
			key: `{"kty":"RSA","alg":"RS256","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddx` +
				`HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re` +
				`xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethF` +
				`kMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}`,
			signed: "eyJhbGciOiJSUzI1NiJ9." + payload,
			signature: "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjb" +
				"KBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6Bf" +
				"I7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
		},
		"A.3 ES256": {
			key:       `{"kty":"EC","alg":"ES256","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			signed:    "eyJhbGciOiJFUzI1NiJ9." + payload,
			signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var key jose.JSONWebKey
			if err := key.UnmarshalJSON([]byte(c.key)); err != nil {
				t.Fatal(err)
			}
			signature, err := segment.DecodeString(c.signature)
			if err != nil {
				t.Fatal(err)
			}
			if !authentic(&key, c.signed, signature) {
				t.Error("refused")
			}
			for n := range signature {
				for bit := range 8 {
					changed := bytes.Clone(signature)
					changed[n] ^= 1 << bit
					if n%16 == 0 && authentic(&key, c.signed, changed) {
						t.Fatalf("bit %d of byte %d changed: accepted", bit, n)
					}
				}
			}
			for _, alg := range []string{"", "none", "ES384", "PS256", "HS384", ES256, RS256, HS256} {
				other := key
				other.Algorithm = alg
				if alg != key.Algorithm && authentic(&other, c.signed, signature) {
					t.Errorf("accepted as %q", alg)
				}
			}
		})
	}
}

// Cases in the manner of Wycheproof, made when the test runs.
func TestSignaturesOfAnotherShapeAreRefused(t *testing.T) {
	const signed = "e30.e30"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := &jose.JSONWebKey{Key: &key.PublicKey, Algorithm: ES256}
	sum := crypto.SHA256.New()
	sum.Write([]byte(signed))
	good := signES256(t, key, sum.Sum(nil))
	der, err := key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if !authentic(jwk, signed, good) {
		t.Fatal("the good one is refused")
	}
	n := elliptic.P256().Params().N
	number := func(r, s *big.Int) []byte {
		out := make([]byte, 64)
		return append(append(out[:0], r.FillBytes(make([]byte, 32))...), s.FillBytes(make([]byte, 32))...)
	}
	zero, one := big.NewInt(0), big.NewInt(1)
	less := new(big.Int).Sub(n, one)
	for name, signature := range map[string][]byte{
		"none":             nil,
		"DER":              der,
		"r and s zero":     number(zero, zero), // CVE-2022-21449
		"r zero":           number(zero, one),
		"s zero":           number(one, zero),
		"r and s one":      number(one, one),
		"r the order":      number(n, one),
		"s the order":      number(one, n),
		"both order less":  number(less, less),
		"all bits":         bytes.Repeat([]byte{0xff}, 64),
		"a byte short":     good[:63],
		"a byte long":      append(bytes.Clone(good), 0),
		"a zero in front":  append([]byte{0}, good...),
		"halves exchanged": append(bytes.Clone(good[32:]), good[:32]...),
		"r alone":          good[:32],
		"twice":            append(bytes.Clone(good), good...),
	} {
		if authentic(jwk, signed, signature) {
			t.Errorf("ECDSA, %s: accepted", name)
		}
	}
	if authentic(jwk, strings.ToUpper(signed), good) {
		t.Error("another text: accepted")
	}
}

func TestKeysThatAreTooWeakVerifyNothing(t *testing.T) {
	const signed = "e30.e30"
	sum := crypto.SHA256.New()
	sum.Write([]byte(signed))
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := rsa.SignPKCS1v15(rand.Reader, strong, crypto.SHA256, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	pss, err := rsa.SignPSS(rand.Reader, strong, crypto.SHA256, sum.Sum(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	short := make([]byte, minSecret-1)
	raw := bytes.Repeat([]byte{1}, 64)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weakly, err := rsa.SignPKCS1v15(rand.Reader, weak, crypto.SHA256, sum.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key       any
		algorithm string
		signature []byte
	}{
		"P-384 as ES256":         {&p384.PublicKey, ES256, raw},
		"RSA of 1024 bits":       {&weak.PublicKey, RS256, weakly},
		"PSS as PKCS #1":         {&strong.PublicKey, RS256, pss},
		"zeros":                  {&strong.PublicKey, RS256, make([]byte, 256)},
		"a byte long":            {&strong.PublicKey, RS256, append(bytes.Clone(pkcs), 0)},
		"a secret of 31 bytes":   {short, HS256, (&Prover{key: short}).mac(signed)},
		"an empty secret":        {[]byte{}, HS256, (&Prover{}).mac(signed)},
		"a private key":          {strong, RS256, pkcs},
		"half a MAC":             {make([]byte, 32), HS256, (&Prover{key: make([]byte, 32)}).mac(signed)[:16]},
		"no key":                 {nil, ES256, raw},
		"an RSA key called HMAC": {&strong.PublicKey, HS256, pkcs},
	} {
		if authentic(&jose.JSONWebKey{Key: c.key, Algorithm: c.algorithm}, signed, c.signature) {
			t.Errorf("%s: accepted", name)
		}
	}
	if !authentic(&jose.JSONWebKey{Key: &strong.PublicKey, Algorithm: RS256}, signed, pkcs) {
		t.Error("the good one is refused")
	}
}
