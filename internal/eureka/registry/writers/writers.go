// Package writers says who may write which application in the registry: an
// operator's list of names and of the credentials that open them. Names without
// a line are open, as in the reference. Reserved names, which need a proof of
// our own (decision E3), are package registry's.
package writers

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/eureka"
)

// Policy is a list of rules. Its methods may be called at any time.
type Policy struct {
	rules   []rule
	schemes map[string]bool
	now     func() time.Time
	pepper  [32]byte

	checking sync.Mutex // one bcrypt at a time: a flood of wrong passwords takes one core
	mu       sync.Mutex
	known    map[[32]byte]memory // credentials looked at lately
}

// rule opens one name, or those that begin like it.
type rule struct {
	name   string // upper case
	prefix bool
	scheme string
	user   string // of basic
	secret []byte // bcrypt of basic's password, SHA-256 of the bearer token
	cert   string // the name a client certificate is for
}

// memory is what came out when credentials were held against a hash.
type memory struct {
	good  bool
	until time.Time
}

const (
	basic       = "basic"
	bearer      = "bearer"
	certificate = "certificate"

	remember = 5 * time.Minute // a password that was right, so that heartbeats cost no bcrypt
	refuse   = 30 * time.Second
	memories = 10_000
)

// Parse reads a policy. Each line names an application, or the beginning of
// names followed by an asterisk, a scheme and who it opens to:
//
//	ORDERS    basic        orders:$2a$12$...   (bcrypt of the password)
//	ORDERS    bearer       sha256:9f86...      (of a token of 32 random characters or more)
//	PAY-*     certificate  pay.example.org     (a name in a verified client certificate)
//
// Lines that begin with # and empty ones are passed over. Its error names the
// line, never what it holds.
func Parse(in io.Reader, now func() time.Time) (*Policy, error) {
	if now == nil {
		now = time.Now
	}
	p := &Policy{now: now, schemes: map[string]bool{}, known: map[[32]byte]memory{}}
	_, _ = rand.Read(p.pepper[:]) // never fails
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		r, ok := parseRule(strings.Fields(text))
		if !ok {
			return nil, fmt.Errorf("writers: line %d: want an application, basic, bearer or certificate, and who", n)
		}
		p.rules = append(p.rules, r)
		p.schemes[r.scheme] = true
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("writers: %w", err)
	}
	return p, nil
}

func parseRule(f []string) (rule, bool) {
	if len(f) != 3 {
		return rule{}, false
	}
	r := rule{name: strings.ToUpper(f[0]), scheme: strings.ToLower(f[1])}
	r.name, r.prefix = strings.CutSuffix(r.name, "*")
	switch r.scheme {
	case basic:
		user, hash, ok := strings.Cut(f[2], ":")
		_, err := bcrypt.Cost([]byte(hash))
		r.user, r.secret = user, []byte(hash)
		return r, ok && err == nil
	case bearer:
		text, ok := strings.CutPrefix(f[2], "sha256:")
		sum, err := hex.DecodeString(text)
		r.secret = sum
		return r, ok && err == nil && len(sum) == sha256.Size
	case certificate:
		r.cert = strings.ToLower(f[2])
		return r, true
	}
	return rule{}, false
}

// Verdict is whether a request may write.
type Verdict int

// The verdicts.
const (
	Allowed Verdict = iota
	Unknown         // 401: no credentials, or wrong ones
	Denied          // 403: good ones, for another application
)

// May reports whether r may write under all names an instance goes by: its
// application and both VIP addresses, since clients look instances up by any
// of them. A nil Policy allows everything.
func (p *Policy) May(r *http.Request, in *eureka.Instance) Verdict {
	if p == nil || len(p.rules) == 0 {
		return Allowed
	}
	worst := Allowed
	for name := range namesOf(in) {
		worst = max(worst, p.may(r, name))
	}
	if worst != Allowed && !p.anybody(r) {
		return Unknown
	}
	return worst
}

// namesOf yields the names an instance goes by, in upper case.
func namesOf(in *eureka.Instance) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !yield(strings.ToUpper(in.App)) {
			return
		}
		for _, list := range []*string{in.VIPAddress, in.SecureVIPAddress} {
			if list == nil {
				continue
			}
			for v := range strings.SplitSeq(*list, ",") {
				if !yield(strings.ToUpper(strings.TrimSpace(v))) {
					return
				}
			}
		}
	}
}

func (p *Policy) may(r *http.Request, name string) Verdict {
	verdict := Allowed
	for i := range p.rules {
		if !p.rules[i].covers(name) {
			continue
		}
		if p.opens(&p.rules[i], r) {
			return Allowed
		}
		verdict = Denied
	}
	return verdict
}

func (r *rule) covers(name string) bool {
	return name == r.name || r.prefix && strings.HasPrefix(name, r.name)
}

// anybody reports whether the credentials of r open anything at all.
func (p *Policy) anybody(r *http.Request) bool {
	for i := range p.rules {
		if p.opens(&p.rules[i], r) {
			return true
		}
	}
	return false
}

// opens reports whether the credentials of a request are those of a rule.
func (p *Policy) opens(rule *rule, r *http.Request) bool {
	switch rule.scheme {
	case basic:
		user, password, ok := r.BasicAuth()
		return ok && subtle.ConstantTimeCompare([]byte(user), []byte(rule.user)) == 1 && p.matches(rule, user, password)
	case bearer:
		token, ok := tokenOf(r)
		sum := sha256.Sum256([]byte(token))
		return ok && subtle.ConstantTimeCompare(sum[:], rule.secret) == 1
	case certificate:
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			return false
		}
		return r.TLS.PeerCertificates[0].VerifyHostname(rule.cert) == nil
	}
	return false
}

// tokenOf is the bearer token that came with r.
func tokenOf(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, bearer)
}

// matches holds a password against its hash, and remembers what came out by a
// keyed digest of both.
func (p *Policy) matches(rule *rule, user, password string) bool {
	h := sha256.New()
	h.Write(p.pepper[:])
	fmt.Fprintf(h, "%d:%s%s%s", len(user), user, rule.secret, password)
	var digest [32]byte
	h.Sum(digest[:0])
	if good, known := p.recall(digest); known {
		return good
	}
	p.checking.Lock()
	defer p.checking.Unlock()
	if good, known := p.recall(digest); known {
		return good
	}
	good := bcrypt.CompareHashAndPassword(rule.secret, []byte(password)) == nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= memories {
		clear(p.known)
	}
	m := memory{good, p.now().Add(refuse)}
	if good {
		m.until = p.now().Add(remember)
	}
	p.known[digest] = m
	return good
}

func (p *Policy) recall(digest [32]byte) (good, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.known[digest]
	return m.good, ok && p.now().Before(m.until)
}

// Challenge is the value of WWW-Authenticate on a 401 to r. Basic comes with it
// always: the clients know nothing else. A token that came is told to be invalid
// (RFC 6750 section 3).
func (p *Policy) Challenge(r *http.Request) []string {
	challenge := []string{`Basic realm="eureka", charset="UTF-8"`}
	if !p.schemes[bearer] {
		return challenge
	}
	if _, sent := tokenOf(r); sent {
		return append(challenge, `Bearer realm="eureka", error="invalid_token"`)
	}
	return append(challenge, `Bearer realm="eureka"`)
}
