package identity

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/secret"
)

func newCredential() secret.Bytes {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return secret.New(b)
}

const internalPath = "/internal/cardholders/cus_7/erase"

func (p *Prover) must(t testing.TB) string {
	t.Helper()
	text, err := p.Sign("creditcard-service", PurposeInternal, "POST", internalPath)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAProofHoldsForItsOwnRequestOnly(t *testing.T) {
	credential, clock := newCredential(), newClock()
	text := NewProver(credential, clock.Now).must(t)
	checker := NewProver(credential, clock.Now)
	if purpose, err := checker.Check(text, "creditcard-service", "POST", internalPath); err != nil || purpose != PurposeInternal {
		t.Fatalf("%q, %v", purpose, err)
	}
	for name, c := range map[string]struct{ audience, method, path string }{
		"another audience":     {"login-service", "POST", internalPath},
		"no audience":          {"", "POST", internalPath},
		"audience in capitals": {"CREDITCARD-SERVICE", "POST", internalPath},
		"another method":       {"creditcard-service", "DELETE", internalPath},
		"lower-case method":    {"creditcard-service", "post", internalPath},
		"another path":         {"creditcard-service", "POST", "/internal/cardholders/cus_8/erase"},
		"a longer path":        {"creditcard-service", "POST", internalPath + "/"},
		"no path":              {"creditcard-service", "POST", ""},
	} {
		if purpose, err := checker.Check(text, c.audience, c.method, c.path); err == nil || purpose != "" {
			t.Errorf("%s: %q", name, purpose)
		}
	}
}

func TestAProofHoldsForThirtySeconds(t *testing.T) {
	credential, clock := newCredential(), newClock()
	p := NewProver(credential, clock.Now)
	text := p.must(t)
	for at, ok := range map[time.Duration]bool{
		-6 * time.Second: false, // made in the future
		-5 * time.Second: true,  // the other clock is a little ahead
		0:                true,
		29 * time.Second: true,
		30 * time.Second: false,
		time.Hour:        false,
	} {
		checker := NewProver(credential, func() time.Time { return clock.Now().Add(at) })
		if _, err := checker.Check(text, "creditcard-service", "POST", internalPath); (err == nil) != ok {
			t.Errorf("after %v: %v", at, err)
		}
	}
}

func TestThePurposeIsTheSigners(t *testing.T) {
	p := NewProver(newCredential(), nil)
	for _, purpose := range []string{PurposeForward, PurposeInternal, PurposeRegistry} {
		text, err := p.Sign("a", purpose, "GET", "/")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Check(text, "a", "GET", "/"); err != nil || got != purpose {
			t.Errorf("%q, %v", got, err)
		}
	}
	text, _ := p.Sign("a", "", "GET", "/")
	if _, err := p.Check(text, "a", "GET", "/"); err == nil {
		t.Error("a proof without purpose holds")
	}
}

func TestAProofOfAnotherCredentialOrWithAnyCharacterChangedDoesNotHold(t *testing.T) {
	credential, clock := newCredential(), newClock()
	p := NewProver(credential, clock.Now)
	text := p.must(t)
	refuse := func(p *Prover, text string) {
		t.Helper()
		if _, err := p.Check(text, "creditcard-service", "POST", internalPath); err == nil {
			t.Errorf("holds: %q", text)
		}
	}
	refuse(NewProver(newCredential(), clock.Now), text)
	refuse(&Prover{key: credential.Reveal(), now: clock.Now}, text) // the credential is not the key
	for n := range text {
		for _, c := range []byte("A_.=\n") {
			if text[n] != c {
				refuse(p, text[:n]+string(c)+text[n+1:])
			}
		}
		refuse(p, text[:n])
	}
	for _, more := range []string{"\n", "=", ".", "A", "AAAA", ".A"} {
		refuse(p, text+more)
	}
	refuse(p, strings.Repeat(".", 1<<20))
	refuse(p, "")
}

// payload is authentic, so only the rules about its content are left.
func TestAuthenticProofsOfAnotherShapeDoNotHold(t *testing.T) {
	p := NewProver(newCredential(), newClock().Now)
	sealed := func(payload string) string {
		signed := proofHeader + encode(payload)
		return signed + "." + segment.EncodeToString(p.mac(signed))
	}
	const good = `{"aud":"a","purpose":"internal","method":"GET","path":"/","iat":1795348800,"exp":1795348830}`
	if _, err := p.Check(sealed(good), "a", "GET", "/"); err != nil {
		t.Fatal(err)
	}
	for name, payload := range map[string]string{
		"a longer life":      strings.Replace(good, "1795348830", "1795348831", 1),
		"no life":            strings.Replace(good, "1795348830", "1795348800", 1),
		"no expiry":          strings.Replace(good, `"exp":1795348830`, `"exp":null`, 1),
		"an unknown member":  strings.Replace(good, "}", `,"x":1}`, 1),
		"a member twice":     strings.Replace(good, "}", `,"purpose":"internal"}`, 1),
		"a purpose by case":  strings.Replace(good, `"purpose"`, `"Purpose"`, 1),
		"an empty object":    "{}",
		"nothing":            "",
		"an overflowing exp": strings.NewReplacer("1795348830", "9223372036854775807", "1795348800", "9223372036854775777").Replace(good),
	} {
		if _, err := p.Check(sealed(payload), "a", "GET", "/"); err == nil {
			t.Errorf("%s: holds", name)
		}
	}
}

func TestATokenIsNoProofAndAProofNoToken(t *testing.T) {
	h := newHouse(t)
	i := h.open(HS256)
	p := &Prover{key: make([]byte, minSecret), now: h.clock.Now} // the very key of HS256
	if _, err := p.Check(i.issue(customer(), time.Second*30), "ccms", "", ""); err == nil {
		t.Error("a token holds as a proof")
	}
	i.wants(p.must(t), unauthorized)
}

func TestOtherLibrariesReadOurProofs(t *testing.T) {
	p := NewProver(newCredential(), nil)
	signed, err := jose.ParseSignedCompact(p.must(t), []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(p.key); err != nil {
		t.Error(err)
	}
}

func TestAShortCredentialProvesNothing(t *testing.T) {
	for _, n := range []int{0, 1, 31} {
		p := NewProver(secret.New(make([]byte, n)), nil)
		if _, err := p.Sign("a", PurposeInternal, "GET", "/"); err == nil {
			t.Errorf("%d bytes: signs", n)
		}
		if _, err := p.Check(NewProver(newCredential(), nil).must(t), "a", "GET", "/"); err == nil {
			t.Errorf("%d bytes: checks", n)
		}
	}
}
