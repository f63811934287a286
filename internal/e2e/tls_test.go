package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// believing is a transport that trusts the authority of a process started with
// --tls, and nobody else.
func believing(p *process) (*http.Transport, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "tls", "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("ca.pem holds no certificate")
	}
	return &http.Transport{
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 100,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// TestReloadUnderLoad renews the certificate again and again while people come
// back on open connections and on new ones. It would fail if one request got no
// answer, or if a new certificate were not shown.
func TestReloadUnderLoad(t *testing.T) {
	p := start(t, "--tls")
	staying, err := believing(p)
	if err != nil {
		t.Fatal(err)
	}
	defer staying.CloseIdleConnections()
	coming, looking := staying.Clone(), staying.Clone()
	coming.DisableKeepAlives = true

	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered atomic.Int64
	load := func(transport *http.Transport) {
		c := http.Client{Transport: transport, Timeout: within}
		for ctx.Err() == nil {
			res, err := c.Get(p.Portal + "/.well-known/jwks.json") // which the login service answers
			if err != nil {
				t.Errorf("a request failed: %v", err)
				return
			}
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("a request was answered with %d, %v", res.StatusCode, err)
			}
			answered.Add(1)
		}
	}
	for range 3 {
		clients.Go(func() { load(staying) })
		clients.Go(func() { load(coming) })
	}
	serials := map[string]bool{}
	for range 5 {
		before := shown(t, p.Portal, looking)
		serials[before] = true
		if err := os.Remove(filepath.Join(p.dir, "tls", "server.pem")); err != nil { // so that a new one is due
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		enough := answered.Load() + 20 // requests around every change
		for deadline := time.Now().Add(within); shown(t, p.Portal, looking) == before || answered.Load() < enough; {
			if time.Now().After(deadline) {
				t.Fatalf("the new certificate is not shown, or %d requests hang\n%s", enough-answered.Load(), p.output)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
	stop()
	clients.Wait()
	t.Logf("%d requests were answered over %d certificates", answered.Load(), len(serials)+1)
	if len(serials) != 5 {
		t.Errorf("certificates %v: want 5 that differ", serials)
	}
}

// shown is the serial number of the certificate a new connection gets.
func shown(t *testing.T, base string, like *http.Transport) string {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	cfg := like.TLSClientConfig.Clone()
	cfg.NextProtos = nil
	conn, err := tls.Dial("tcp", u.Host, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Text(16)
}

// TestTheDoctorKnowsTheAuthority would fail if the doctor could not see that a
// process with certificates of its own is well.
func TestTheDoctorKnowsTheAuthority(t *testing.T) {
	p := start(t, "--tls")
	out, err := exec.Command(binary, "doctor", "--data", p.dir).CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAIL") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"certificates are good until", p.Portal + " is healthy", p.Login + " is healthy"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("not said: %s\n%s", want, out)
		}
	}
}

// TestAGivenCertificateIsForPeople starts with a certificate such as a public
// authority gives, for a public name alone. It would fail if the services could
// not trust each other, or if people were shown another certificate.
func TestAGivenCertificateIsForPeople(t *testing.T) {
	public := httptest.NewTLSServer(http.NotFoundHandler()) // whose certificate is for example.com
	defer public.Close()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair := public.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "--tls.cert-file", cert, "--tls.key-file", key, "--public-url", "https://example.com")
	transport := public.Client().Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig.ServerName = "example.com"
	res, err := (&http.Client{Transport: transport}).Get(p.Portal + "/verify?token=x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("Strict-Transport-Security %q", got)
	}
}
