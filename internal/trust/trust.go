// Package trust owns whom a process believes and how it is believed: the
// certificates it shows, connections to our services by name and not by address
// (decisions E3 and F2), the proof on every request between them (A8), and such
// a request as a call. It reads no settings and chooses no instance: package
// boot says which files and services there are, and discovery finds addresses.
package trust

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ccms/internal/certs"
)

// ExpiresSoon is how long before its end somebody should renew a certificate we
// did not make.
const ExpiresSoon = 14 * 24 * time.Hour

// Config describes Trust.
type Config struct {
	// Services are ours, as the registry and the proofs spell them. Each can be
	// reached by Transport, and our own certificate is for each.
	Services []string
	// Given is the certificate shown to everyone. Default none.
	Given certs.Pair
	// Authority is a PEM file of who vouches for others. Default none: the
	// system's.
	Authority string
	// Known is a PEM file, leaf first, for Believe: who holds the key of that
	// certificate is believed to be each of Services, whatever it is for and
	// whoever vouches for it. Default none.
	Known string
	// Own adds a certificate of our own making, and the authority behind it.
	// Beside a given one, which people are shown, it serves the services among
	// themselves alone. Default false.
	Own bool
	// Folder is where our own are kept.
	Folder string
	// Names are those of this machine and what people call us: without a given
	// certificate, our own is for them too.
	Names []string
}

// Shown is which certificates such a process shows and whom it believes.
func (c Config) Shown() certs.Config {
	var shown certs.Config
	if c.given() {
		shown.Pairs = append(shown.Pairs, c.Given)
	}
	if c.Authority != "" {
		shown.Authorities = append(shown.Authorities, c.Authority)
	}
	if c.Own {
		shown.Pairs = append(shown.Pairs, c.ownPair())
		shown.Authorities = append(shown.Authorities, c.ownAuthority())
	}
	return shown
}

func (c Config) given() bool { return c.Given.Cert != "" }

func (c Config) ownAuthority() string { return filepath.Join(c.Folder, "ca.pem") }

// HasOwn reports whether there are certificates of our own making.
func (c Config) HasOwn() bool {
	_, err := os.Stat(c.ownAuthority())
	return err == nil
}

func (c Config) ownPair() certs.Pair {
	name := "server"
	if c.given() {
		name = "internal"
	}
	return certs.Pair{Cert: filepath.Join(c.Folder, name+".pem"), Key: filepath.Join(c.Folder, name+".key")}
}

// ownNames is whom our own certificate is for: the services, and unless another
// one is given, this machine and what people call us.
func (c Config) ownNames() []string {
	var names []string
	if !c.given() {
		names = append(names, c.Names...)
	}
	for _, service := range c.Services {
		names = append(names, NameOf(service))
	}
	return names
}

// NameOf is what the certificate of a service must be for (decision E3).
func NameOf(service string) string { return service + ".ccms.internal" }

// Trust is how a process shows who it is, and how it knows the others: by
// certificates for names of ours, so that no address leads it astray.
type Trust struct {
	*certs.Certs
	cfg        Config
	renew      func() error               // makes our own certificate when it is due; nil without one
	transports map[string]*http.Transport // to each service over TLS
	known      *x509.Certificate          // nil without one
}

// Open reads the certificates, and makes our own when they are due. Its error
// says what is wrong with which file.
func Open(cfg Config) (*Trust, error) {
	t := &Trust{cfg: cfg, transports: map[string]*http.Transport{}}
	if cfg.Own {
		authority, err := certs.OpenAuthority(cfg.Folder, nil)
		if err != nil {
			return nil, err
		}
		t.renew = func() error { _, err := authority.Renew(cfg.ownPair(), cfg.ownNames()...); return err }
		if err := t.renew(); err != nil {
			return nil, err
		}
	}
	return t, t.connect(cfg.Shown())
}

// Believe reads no certificate to show and makes none: it is for who only
// connects to services that show those of cfg.
func Believe(cfg Config) (*Trust, error) {
	shown := cfg.Shown()
	shown.Pairs = nil
	t := &Trust{cfg: cfg, transports: map[string]*http.Transport{}}
	if cfg.Known != "" {
		var err error
		if t.known, err = certs.ReadLeaf(cfg.Known); err != nil {
			return nil, err
		}
	}
	return t, t.connect(shown)
}

func (t *Trust) connect(shown certs.Config) (err error) {
	if t.Certs, err = certs.Open(shown); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	for _, service := range t.cfg.Services {
		base := NewTransport()
		base.DialTLSContext = t.dialer(service)
		t.transports[service] = base
	}
	return nil
}

// Transport reaches whoever shows the certificate of a service.
func (t *Trust) Transport(service string) http.RoundTripper { return t.transports[service] }

// Secure is how to reach the services that other services look up, under the
// names of the registry.
func (t *Trust) Secure() map[string]http.RoundTripper {
	all := map[string]http.RoundTripper{}
	for name, transport := range t.transports {
		all[strings.ToUpper(name)] = transport
	}
	return all
}

// OwnAuthority is the file of who vouches for what people are shown, when that
// is our own; else "".
func (t *Trust) OwnAuthority() string {
	if t.cfg.Own && !t.cfg.given() {
		return t.cfg.ownAuthority()
	}
	return ""
}

// Reload reads all certificates again, after it made those that are due.
// Connections that rest are closed, so that the next ones are held against
// what is trusted now. When it fails, the old certificates hold.
func (t *Trust) Reload() error {
	if t.renew != nil {
		if err := t.renew(); err != nil {
			return err
		}
	}
	if err := t.Certs.Reload(); err != nil {
		return err
	}
	t.CloseIdle()
	return nil
}

// CloseIdle closes the connections that rest.
func (t *Trust) CloseIdle() {
	for transport := range maps.Values(t.transports) {
		transport.CloseIdleConnections()
	}
}
