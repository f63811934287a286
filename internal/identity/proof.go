package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/secret"
)

// proofLife is how long a proof holds, proofAhead how far the clock of the one
// who made it may be ahead of ours. maxProof bounds its length in bytes.
const (
	proofLife  = 30 * time.Second
	proofAhead = 5 * time.Second
	maxProof   = 8 << 10
)

// proofLabel separates the key of proofs from every other key derived from the
// internal credential.
const proofLabel = "ccms proof between services, version 1"

var (
	errNoCredential = errors.New("identity: internal credential is shorter than 32 bytes")
	errProof        = errors.New("identity: proof does not hold")
)

// Prover signs and checks what our services prove to each other (decision A8):
// a compact JWS (HS256) that names audience, purpose, method and path and lives
// for 30 s. Both sides hold the internal credential, which never travels: the
// signing key is derived from it with HKDF (RFC 5869). A proof may be used
// again for the same method and path while it lives.
type Prover struct {
	key []byte // nil when the credential is unfit
	now func() time.Time
}

// proofHeader is the one header a proof has, {"alg":"HS256","typ":"ccms-proof"}
// in base64url, with the dot. Its typ keeps proofs and tokens apart even if they
// ever shared a key (RFC 8725 section 3.11).
const proofHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImNjbXMtcHJvb2YifQ."

type proof struct {
	Audience string `json:"aud"`
	Purpose  string `json:"purpose"`
	Method   string `json:"method"`
	Path     string `json:"path"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// NewProver returns a Prover; now nil means time.Now. With a credential below
// 32 bytes Sign fails and Check refuses everything.
func NewProver(credential secret.Bytes, now func() time.Time) *Prover {
	if now == nil {
		now = time.Now
	}
	p := &Prover{now: now}
	if credential.Len() >= minSecret {
		// Key fails only when asked for more than 255 blocks.
		p.key, _ = hkdf.Key(sha256.New, credential.Reveal(), nil, proofLabel, sha256.Size)
	}
	return p
}

// Sign returns a proof for one request: audience is the service asked, such as
// "login-service", path the escaped path without query.
func (p *Prover) Sign(audience, purpose, method, path string) (string, error) {
	if p.key == nil {
		return "", errNoCredential
	}
	now := p.now()
	payload, err := json.Marshal(proof{audience, purpose, method, path, now.Unix(), now.Add(proofLife).Unix()})
	if err != nil {
		return "", err
	}
	signed := proofHeader + segment.EncodeToString(payload)
	return signed + "." + segment.EncodeToString(p.mac(signed)), nil
}

// Check returns the purpose of a proof made for exactly this audience, method
// and path and still alive. Its error does not say what was wrong with it.
func (p *Prover) Check(text, audience, method, path string) (purpose string, err error) {
	if p.key == nil {
		return "", errNoCredential
	}
	payload, ok := p.authentic(text)
	if !ok {
		return "", errProof
	}
	var c proof
	if err := json.Unmarshal(payload, &c, json.RejectUnknownMembers(true)); err != nil {
		return "", errProof
	}
	if c.Audience != audience || c.Method != method || c.Path != path || c.Purpose == "" {
		return "", errProof
	}
	now := p.now().Unix()
	if c.Expires != c.IssuedAt+int64(proofLife/time.Second) || now >= c.Expires || c.IssuedAt > now+int64(proofAhead/time.Second) {
		return "", errProof
	}
	return c.Purpose, nil
}

// authentic returns the payload of a proof whose signature holds.
func (p *Prover) authentic(text string) ([]byte, bool) {
	if !compact(text, maxProof) || !strings.HasPrefix(text, proofHeader) {
		return nil, false
	}
	last := strings.LastIndexByte(text, '.') // the second dot: compact saw two
	mac, err := segment.DecodeString(text[last+1:])
	if err != nil || !hmac.Equal(mac, p.mac(text[:last])) {
		return nil, false
	}
	payload, err := segment.DecodeString(text[len(proofHeader):last])
	return payload, err == nil
}

func (p *Prover) mac(signed string) []byte {
	m := hmac.New(sha256.New, p.key)
	m.Write([]byte(signed))
	return m.Sum(nil)
}
