package boot

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
)

// newTransport is how our services reach each other: no proxy from the
// environment, quick to notice a dead instance, connections kept.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           newDialer().DialContext,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

// proving adds to every request the proof of decision A8, internal where the
// path is, else forward, and the id and trace of the request it is made for. The
// service asked is the host, before the registry turns it into an address.
type proving struct {
	next   http.RoundTripper
	prover *identity.Prover
}

// RoundTrip implements http.RoundTripper.
func (t proving) RoundTrip(r *http.Request) (*http.Response, error) {
	purpose := identity.PurposeForward
	if strings.HasPrefix(r.URL.Path, "/internal/") {
		purpose = identity.PurposeInternal
	}
	proof, err := t.prover.Sign(strings.ToLower(r.URL.Host), purpose, r.Method, r.URL.EscapedPath())
	if err != nil {
		return nil, fmt.Errorf("prove ourselves: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set(identity.ProofHeader, proof)
	httpserver.Propagate(r.Context(), r.Header)
	return t.next.RoundTrip(r)
}

// vouch tells a service whom a request is made for (decision A7); the proof
// makes it believe us.
func vouch(r *http.Request, client netip.Addr) {
	if client.IsValid() {
		r.Header.Set("X-Forwarded-For", client.String())
	} else {
		r.Header.Del("X-Forwarded-For")
	}
}

// newDialer gives up early: a dead instance must not hold a request that
// another one could answer.
func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: time.Second, KeepAlive: 15 * time.Second}
}
