package writers

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/eureka"
)

func TestANameIsOpenToWhoeverTheListSays(t *testing.T) {
	password, token := rand.Text(), rand.Text()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(strings.NewReader(fmt.Sprintf("# who may write\n\nORDERS basic orders:%s\norders bearer sha256:%x\nPAY-* certificate pay.example.org\n", hash, sha256.Sum256([]byte(token)))), nil)
	if err != nil {
		t.Fatal(err)
	}
	with := func(f func(r *http.Request)) *http.Request {
		r := httptest.NewRequest("PUT", "/eureka/apps/X/y", nil)
		f(r)
		return r
	}
	nobody := with(func(*http.Request) {})
	good := with(func(r *http.Request) { r.SetBasicAuth("orders", password) })
	wrong := with(func(r *http.Request) { r.SetBasicAuth("orders", password+"x") })
	other := with(func(r *http.Request) { r.SetBasicAuth("pay", password) })
	bear := with(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
	cert := &x509.Certificate{DNSNames: []string{"pay.example.org"}}
	proven := with(func(r *http.Request) {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}}}
	})
	unproven := with(func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}} })
	for _, c := range []struct {
		name string
		r    *http.Request
		in   eureka.Instance
		want Verdict
	}{
		{"a name without a line is open", nobody, eureka.Instance{App: "FREE"}, Allowed},
		{"no credentials", nobody, eureka.Instance{App: "ORDERS"}, Unknown},
		{"a wrong password", wrong, eureka.Instance{App: "orders"}, Unknown},
		{"another user", other, eureka.Instance{App: "ORDERS"}, Unknown},
		{"the password", good, eureka.Instance{App: "Orders"}, Allowed},
		{"the token", bear, eureka.Instance{App: "ORDERS"}, Allowed},
		{"a long s is an S to some clients", nobody, eureka.Instance{App: "orderſ"}, Unknown},
		{"the beginning of a name", nobody, eureka.Instance{App: "PAY-OUT"}, Unknown},
		{"credentials for another name", good, eureka.Instance{App: "PAY-OUT"}, Denied},
		{"the certificate", proven, eureka.Instance{App: "PAY-OUT"}, Allowed},
		{"a certificate nobody vouched for", unproven, eureka.Instance{App: "PAY-OUT"}, Unknown},
		{"a VIP address counts too", nobody, eureka.Instance{App: "FREE", VIPAddress: new("a, orders")}, Unknown},
		{"a secure one as well", good, eureka.Instance{App: "ORDERS", SecureVIPAddress: new("pay-out")}, Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second time from memory
				if got := p.May(c.r, &c.in); got != c.want {
					t.Errorf("got %d, want %d", got, c.want)
				}
			}
		})
	}
	if got := p.Challenge(nobody); len(got) != 2 || !strings.HasPrefix(got[0], "Basic ") {
		t.Errorf("challenge %q", got)
	}
	var none *Policy
	if none.May(nobody, &eureka.Instance{App: "ORDERS"}) != Allowed {
		t.Error("without a policy names are open")
	}
}

// A password that was right is asked of bcrypt again some minutes later, so
// that a changed list takes effect with a new Policy and memory stays small.
func TestAPasswordIsRememberedForAWhile(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("x"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	p, err := Parse(strings.NewReader("A basic u:"+string(hash)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("PUT", "/", nil)
	r.SetBasicAuth("u", "x")
	p.May(r, &eureka.Instance{App: "A"})
	for digest := range p.known {
		if _, known := p.recall(digest); !known {
			t.Error("not remembered")
		}
		now = now.Add(remember)
		if _, known := p.recall(digest); known {
			t.Error("remembered for good")
		}
	}
}

func TestALineThatSaysNothingIsNamedWithoutItsSecret(t *testing.T) {
	for _, line := range []string{"ORDERS", "A basic u:notbcrypt", "A bearer sha256:12", "A bearer 12", "A magic x", "A basic " + "u", "A b c d"} {
		_, err := Parse(strings.NewReader("# one\n"+line), nil)
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "notbcrypt") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("A basic u:x\n* bearer sha256:")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(strings.NewReader(text), nil)
		if err == nil {
			p.May(httptest.NewRequest("PUT", "/", nil), &eureka.Instance{App: text})
		}
	})
}
