package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func TestATokenSaysWhatDecisionB11Lists(t *testing.T) {
	i := newHouse(t).open(ES256)
	token := i.issue(customer(), time.Hour)
	parts := strings.Split(token, ".")
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	if want := `{"alg":"ES256","kid":"` + i.kids()[0] + `","typ":"JWT"}`; string(head) != want {
		t.Errorf("header\n%s, want\n%s", head, want)
	}
	want := `{"iss":"https://cards.example","aud":"ccms","sub":"cus_7","iat":1795348800,"exp":1795352400,` +
		`"jti":"jti_1","sid":"ses_1","username":"johndoe","email":"john.doe@example.com",` +
		`"accountValidated":true,"scope":"account cards"}`
	if string(body) != want {
		t.Errorf("payload\n%s, want\n%s", body, want)
	}
}

func TestAFirmsTokenNamesFirmClientScopeAndMode(t *testing.T) {
	i := newHouse(t).open(ES256)
	p, code := i.verify(i.issue(Claims{
		Subject: "cli_1", FirmID: "frm_1", ClientID: "cli_1", Mode: "test", Scope: "cards:register cards:read",
	}, 10*time.Minute))
	if code != "" || p.FirmID != "frm_1" || p.ClientID != "cli_1" || p.Mode != "test" || !p.Has("cards:read") || p.Validated || p.TokenID == "" {
		t.Errorf("%q, %+v", code, p)
	}
}

func TestIssueAndVerifyGiveThePrincipalBack(t *testing.T) {
	for _, algorithm := range []string{ES256, RS256, HS256} {
		h := newHouse(t)
		i := h.open(algorithm)
		p, code := i.verify(i.issue(customer(), time.Hour))
		if code != "" || p.Subject != "cus_7" || p.Username != "johndoe" || p.Email != "john.doe@example.com" ||
			!p.Validated || p.Session != "ses_1" || p.TokenID != "jti_1" || !p.Has(ScopeCards) || !p.Has(ScopeAccount) ||
			!p.Expires.Equal(h.clock.Now().Add(time.Hour)) {
			t.Errorf("%s: %q, %+v", algorithm, code, p)
		}
	}
}

func TestOtherLibrariesReadOurTokens(t *testing.T) {
	for _, algorithm := range []string{ES256, RS256} {
		h := newHouse(t)
		i := h.open(algorithm)
		token, err := jwt.ParseSigned(i.issue(customer(), time.Hour), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := i.keys.JWKS(t.Context())
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(body, &set); err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := token.Claims(set, &claims); err != nil {
			t.Fatal(err)
		}
		if err := claims.Validate(jwt.Expected{Issuer: testIssuer, AnyAudience: jwt.Audience{testAudience}, Subject: "cus_7", Time: h.clock.Now()}); err != nil {
			t.Error(err)
		}
	}
}

// forger makes tokens with the key of an instance, but with headers and
// payloads no issuer of ours would write.
type forger struct {
	instance
	private *jose.JSONWebKey
}

func newForger(t testing.TB, algorithm string) forger {
	h := newHouse(t)
	i := h.open(algorithm)
	if algorithm == HS256 {
		return forger{i, i.keys.current.Load().keys[0].jwk}
	}
	r, err := i.keys.records.Get(t.Context(), keyDocument)
	if err != nil {
		t.Fatal(err)
	}
	private, err := i.keys.unseal(t.Context(), r.Value.Keys[0])
	if err != nil {
		t.Fatal(err)
	}
	return forger{i, private}
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign signs any text with the right key.
func (f forger) sign(signed string) []byte {
	f.t.Helper()
	raw := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(f.private.Algorithm), Key: f.private.Key}
	sum := crypto.SHA256.New()
	sum.Write([]byte(signed))
	switch key := raw.Key.(type) {
	case []byte:
		return (&Prover{key: key}).mac(signed)
	case crypto.Signer:
		if f.private.Algorithm == RS256 {
			s, err := key.Sign(rand.Reader, sum.Sum(nil), crypto.SHA256)
			if err != nil {
				f.t.Fatal(err)
			}
			return s
		}
		return signES256(f.t, key, sum.Sum(nil))
	}
	f.t.Fatalf("key %T", raw.Key)
	return nil
}

func (f forger) token(head, payload string) string {
	signed := encode(head) + "." + encode(payload)
	return signed + "." + base64.RawURLEncoding.EncodeToString(f.sign(signed))
}

// head is the right header.
func (f forger) head() string {
	return `{"alg":"` + f.private.Algorithm + `","kid":"` + f.private.KeyID + `","typ":"JWT"}`
}

const goodPayload = `{"iss":"https://cards.example","aud":"ccms","sub":"cus_7","iat":1795348800,"exp":1795352400,"jti":"j"}`

func TestTheForgersOwnTokenIsGood(t *testing.T) {
	for _, algorithm := range []string{ES256, RS256, HS256} {
		f := newForger(t, algorithm)
		f.wants(f.token(f.head(), goodPayload), "") // else the refusals below prove nothing
	}
}

func TestHeadersThatAreNotOursAreRefusedThoughTheSignatureHolds(t *testing.T) {
	f := newForger(t, ES256)
	kid := f.private.KeyID
	for name, head := range map[string]string{
		"algorithm none":           `{"alg":"none","kid":"` + kid + `","typ":"JWT"}`,
		"algorithm None":           `{"alg":"None","kid":"` + kid + `","typ":"JWT"}`,
		"no algorithm":             `{"kid":"` + kid + `","typ":"JWT"}`,
		"lower-case algorithm":     `{"alg":"es256","kid":"` + kid + `","typ":"JWT"}`,
		"another algorithm":        `{"alg":"RS256","kid":"` + kid + `","typ":"JWT"}`,
		"a MAC":                    `{"alg":"HS256","kid":"` + kid + `","typ":"JWT"}`,
		"no key id":                `{"alg":"ES256","typ":"JWT"}`,
		"an unknown key id":        `{"alg":"ES256","kid":"../../dev/null","typ":"JWT"}`,
		"no type":                  `{"alg":"ES256","kid":"` + kid + `"}`,
		"an access token's type":   `{"alg":"ES256","kid":"` + kid + `","typ":"at+jwt"}`,
		"a lower-case type":        `{"alg":"ES256","kid":"` + kid + `","typ":"jwt"}`,
		"crit":                     `{"alg":"ES256","crit":["exp"],"kid":"` + kid + `","typ":"JWT"}`,
		"empty crit":               `{"alg":"ES256","crit":[],"kid":"` + kid + `","typ":"JWT"}`,
		"jku":                      `{"alg":"ES256","jku":"https://evil.example/k","kid":"` + kid + `","typ":"JWT"}`,
		"jwk":                      `{"alg":"ES256","jwk":{"kty":"EC"},"kid":"` + kid + `","typ":"JWT"}`,
		"x5u":                      `{"alg":"ES256","kid":"` + kid + `","typ":"JWT","x5u":"https://evil.example"}`,
		"x5c":                      `{"alg":"ES256","kid":"` + kid + `","typ":"JWT","x5c":["AA"]}`,
		"x5t":                      `{"alg":"ES256","kid":"` + kid + `","typ":"JWT","x5t":"AA"}`,
		"unencoded payload":        `{"alg":"ES256","b64":false,"kid":"` + kid + `","typ":"JWT"}`,
		"zip":                      `{"alg":"ES256","kid":"` + kid + `","typ":"JWT","zip":"DEF"}`,
		"content type":             `{"alg":"ES256","cty":"JWT","kid":"` + kid + `","typ":"JWT"}`,
		"a member twice":           `{"alg":"ES256","alg":"ES256","kid":"` + kid + `","typ":"JWT"}`,
		"a member by another case": `{"alg":"ES256","ALG":"none","kid":"` + kid + `","typ":"JWT"}`,
		"algorithm as a list":      `{"alg":["ES256"],"kid":"` + kid + `","typ":"JWT"}`,
		"algorithm null":           `{"alg":null,"kid":"` + kid + `","typ":"JWT"}`,
		"a list":                   `["ES256"]`,
		"null":                     `null`,
		"nothing":                  ``,
		"two objects":              `{"alg":"ES256","kid":"` + kid + `","typ":"JWT"}{}`,
		"broken UTF-8":             "{\"alg\":\"ES256\",\"kid\":\"" + kid + "\",\"typ\":\"JWT\xff\"}",
		"a byte order mark":        "\ufeff" + f.head(),
	} {
		t.Run(name, func(t *testing.T) { f.wants(f.token(head, goodPayload), unauthorized) })
	}
}

func TestPayloadsThatAreNotOursAreRefusedThoughTheSignatureHolds(t *testing.T) {
	f := newForger(t, ES256)
	without := func(member string) string { return strings.Replace(goodPayload, member, `"x":1`, 1) }
	with := func(more string) string { return goodPayload[:len(goodPayload)-1] + "," + more + "}" }
	for name, payload := range map[string]string{
		"no issuer":                without(`"iss":"https://cards.example"`),
		"another issuer":           without(`"iss":"https://cards.example"`) + "",
		"issuer with a slash more": strings.Replace(goodPayload, "cards.example", "cards.example/", 1),
		"issuer in capitals":       strings.Replace(goodPayload, "cards.example", "CARDS.example", 1),
		"no audience":              without(`"aud":"ccms"`),
		"another audience":         strings.Replace(goodPayload, `"ccms"`, `"shop"`, 1),
		"audience in a list":       strings.Replace(goodPayload, `"ccms"`, `["ccms"]`, 1),
		"audience in a wider list": strings.Replace(goodPayload, `"ccms"`, `["ccms","shop"]`, 1),
		"no subject":               without(`"sub":"cus_7"`),
		"an empty subject":         strings.Replace(goodPayload, `"cus_7"`, `""`, 1),
		"subject null":             strings.Replace(goodPayload, `"cus_7"`, `null`, 1),
		"a number as subject":      strings.Replace(goodPayload, `"cus_7"`, `7`, 1),
		"no id":                    without(`"jti":"j"`),
		"no issue time":            without(`"iat":1795348800`),
		"no expiry":                without(`"exp":1795352400`),
		"expiry 0":                 strings.Replace(goodPayload, `1795352400`, `0`, 1),
		"a negative expiry":        strings.Replace(goodPayload, `1795352400`, `-1`, 1),
		"expiry null":              strings.Replace(goodPayload, `1795352400`, `null`, 1),
		"expiry as text":           strings.Replace(goodPayload, `1795352400`, `"1795352400"`, 1),
		"expiry as a fraction":     strings.Replace(goodPayload, `1795352400`, `1795352400.5`, 1),
		"expiry with an exponent":  strings.Replace(goodPayload, `1795352400`, `1e12`, 1),
		"expiry beyond 64 bits":    strings.Replace(goodPayload, `1795352400`, `99999999999999999999`, 1),
		"expiry before issue":      strings.Replace(goodPayload, `1795352400`, `1795348799`, 1),
		"not yet valid":            with(`"nbf":1795348801`),
		"a negative not-before":    with(`"nbf":-1`),
		"a member twice":           with(`"exp":1795352400`),
		"a member twice, escaped":  with(`"ex\u0070":1895352400`),
		"expiry by another case":   with(`"EXP":1895352400`),
		"issuer by another case":   with(`"Iss":"x"`),
		"subject with a long s":    with(`"ſub":"cus_8"`),
		"validation by case":       with(`"accountvalidated":true`),
		"trailing text":            goodPayload + " x",
		"two objects":              goodPayload + goodPayload,
		"a list":                   "[" + goodPayload + "]",
		"null":                     "null",
		"nothing":                  "",
		"broken UTF-8":             with("\"username\":\"\xff\""),
		"a lone surrogate":         with(`"username":"\ud800"`),
	} {
		t.Run(name, func(t *testing.T) { f.wants(f.token(f.head(), payload), unauthorized) })
	}
	for name, payload := range map[string]string{
		"a member of a later version": with(`"ver":2`),
		"not-before in the past":      with(`"nbf":1795348800`),
		"spaces":                      strings.ReplaceAll(goodPayload, ",", " ,\n "),
	} {
		t.Run("accepts "+name, func(t *testing.T) { f.wants(f.token(f.head(), payload), "") })
	}
}

func TestATokenUnderAPublicKeyUsedAsSecretIsRefused(t *testing.T) {
	for _, algorithm := range []string{ES256, RS256} {
		f := newForger(t, algorithm)
		public := f.private.Public()
		der, err := x509.MarshalPKIXPublicKey(public.Key)
		if err != nil {
			t.Fatal(err)
		}
		jwk, _ := public.MarshalJSON()
		for _, secret := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), jwk, {}} {
			for _, alg := range []string{HS256, algorithm} {
				signed := encode(`{"alg":"`+alg+`","kid":"`+f.private.KeyID+`","typ":"JWT"}`) + "." + encode(goodPayload)
				mac := (&Prover{key: secret}).mac(signed)
				f.wants(signed+"."+base64.RawURLEncoding.EncodeToString(mac), unauthorized)
			}
		}
	}
}

func TestForgedAndExpiredIsForgedAndAuthenticAndExpiredNamesItsOwner(t *testing.T) {
	h := newHouse(t)
	i, stranger := h.open(ES256), newHouse(t).open(ES256)
	token, forged := i.issue(customer(), time.Minute), stranger.issue(customer(), time.Minute)
	h.clock.Advance(time.Minute - time.Second)
	i.wants(token, "")
	h.clock.Advance(time.Second) // exp itself is too late
	for range 2 {                // verified, and remembered
		p, code := i.verify(token)
		if code != expired || p.Session != "ses_1" || p.Subject != "cus_7" {
			t.Errorf("%q, %+v", code, p)
		}
	}
	tampered := token[:len(token)-4] + "AAAA"
	for _, bad := range []string{forged, tampered} {
		if p, code := i.verify(bad); code != unauthorized || p.Subject != "" {
			t.Errorf("%q, %+v", code, p)
		}
	}
}

func TestAnExpiredTokenNeverSeenBeforeIsExpired(t *testing.T) {
	h := newHouse(t)
	i := h.open(ES256)
	token := i.issue(customer(), time.Minute)
	h.clock.Advance(2 * time.Minute)
	i.wants(token, expired)
}

func TestEveryChangeOfOneCharacterIsRefused(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00"
	f := newForger(t, HS256)
	try := func(f forger, letters string) {
		token := f.token(f.head(), goodPayload)
		for n := range token {
			for _, c := range []byte(letters) {
				if token[n] != c {
					f.wants(token[:n]+string(c)+token[n+1:], unauthorized)
				}
			}
		}
	}
	try(f, alphabet)
	try(newForger(t, ES256), "Aw.")
	try(newForger(t, RS256), "Aw")
}

func TestTruncatedAndExtendedTokensAreRefused(t *testing.T) {
	f := newForger(t, HS256)
	token := f.token(f.head(), goodPayload)
	for n := range token {
		f.wants(token[:n], unauthorized)
		f.wants(token[n+1:], unauthorized)
		f.wants(token[:n]+"A"+token[n:], unauthorized)
	}
	for _, more := range []string{"=", "==", ".", "..", ".A", "\n", " ", "A", "AA", "AAAA", strings.Repeat("A", 8<<10)} {
		f.wants(token+more, unauthorized)
		f.wants(more+token, unauthorized)
	}
}

func TestGarbageOfAnySizeIsRefusedWithoutAllocating(t *testing.T) {
	for name, garbage := range map[string]string{
		"a megabyte of dots":    strings.Repeat(".", 1<<20),
		"4 KiB of dots":         strings.Repeat(".", 4<<10),
		"a long token":          strings.Repeat("A", 4<<10) + ".A.A",
		"one dot":               "A.A",
		"three dots":            "A.A.A.A",
		"letters of base64":     "A+A.A/A.A=A",
		"nothing":               "",
		"a line break":          "A.A.A\n",
		"an encrypted token":    "A..A.A.A",
		"a quoted JSON of JWS":  `{"payload":"A"}`,
		"a NUL":                 "A.A.\x00",
		"letters of other hand": "А.А.А",
	} {
		if WellFormed(garbage) {
			t.Errorf("%s: well formed", name)
		}
		if n := testing.AllocsPerRun(10, func() { _ = WellFormed(garbage) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
