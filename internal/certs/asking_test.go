package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"ccms/internal/certs"
)

// TestWhoseCertificatesAnAskingListenerTakes would fail if a certificate of
// somebody else's authority, or one for servers, opened what a client's opens, or
// if who has none were sent away.
func TestWhoseCertificatesAnAskingListenerTakes(t *testing.T) {
	r, other := newRoot(t), newRoot(t)
	forClients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, len(r.TLS.VerifiedChains))
	}))
	ours := open(t, certs.Config{Pairs: []certs.Pair{r.leaf(t, ecKey(t), nil)}, Authorities: []string{r.file()}})
	server.TLS = ours.Asking()
	server.StartTLS()
	t.Cleanup(server.Close)
	for which, c := range map[string]struct {
		shown *certs.Pair
		want  string // how many chains; "" for no answer
	}{
		"none":                     {nil, "0"},
		"a client's":               {new(r.leaf(t, ecKey(t), forClients)), "1"},
		"a server's":               {new(r.leaf(t, ecKey(t), nil)), ""},
		"one of another authority": {new(other.leaf(t, ecKey(t), forClients)), ""},
	} {
		cfg := ours.Client(name)
		if c.shown != nil {
			cert, err := tls.LoadX509KeyPair(c.shown.Cert, c.shown.Key)
			if err != nil {
				t.Fatal(err)
			}
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
		}
		transport := &http.Transport{TLSClientConfig: cfg}
		res, err := (&http.Client{Transport: transport}).Get(server.URL)
		got := ""
		if err == nil {
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			got = string(b)
		}
		transport.CloseIdleConnections()
		if got != c.want {
			t.Errorf("%s: %q, want %q (%v)", which, got, c.want, err)
		}
	}
	if open(t, certs.Config{Pairs: []certs.Pair{r.leaf(t, ecKey(t), nil)}}).Asking().GetConfigForClient != nil {
		t.Error("asks without an authority to check against")
	}
}
