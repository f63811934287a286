package trust

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
)

// Proving returns a transport that adds to every request the proof of decision
// A8 and the id and trace of the request it is made for. The service asked is
// the host, so next is what turns it into an address.
func Proving(next http.RoundTripper, prover *identity.Prover) http.RoundTripper {
	return proving{next, prover}
}

type proving struct {
	next   http.RoundTripper
	prover *identity.Prover
}

// RoundTrip implements http.RoundTripper. The proof is of purpose internal where
// the path is, else forward.
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

// Vouch tells a service whom a request is made for (decision A7); the proof
// makes it believe us.
func Vouch(r *http.Request, client netip.Addr) {
	if client.IsValid() {
		r.Header.Set("X-Forwarded-For", client.String())
	} else {
		r.Header.Del("X-Forwarded-For")
	}
}
