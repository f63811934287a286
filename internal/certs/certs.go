// Package certs owns the certificates of a process: it reads chains, keys and
// authorities from PEM files, replaces them while connections are made
// (decision F2), and makes an authority and certificates of its own for "ccms
// up --tls". It opens no connection and knows no HTTP: package boot hands the
// tls.Configs it gives to listeners and dialers.
package certs

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Pair names the PEM files of a certificate: its chain, leaf first, and its
// private key.
type Pair struct{ Cert, Key string }

// Config describes Certs.
type Config struct {
	// Pairs are shown to those who connect: the last that fits the name they
	// ask for, so that one for few names goes before one for many, else the
	// first. Default none: Server returns nil.
	Pairs []Pair
	// Authorities are PEM files of those who vouch for others. Default none:
	// the system's.
	Authorities []string
	Now         func() time.Time // default time.Now
}

// Certs are the certificates of a process. Its methods may be called at any
// time by anyone.
type Certs struct {
	cfg     Config
	current atomic.Pointer[set]
}

// set is what was read at one moment; nothing in it changes.
type set struct {
	shown []*tls.Certificate
	roots *x509.CertPool // nil: the system's
}

// Open reads all files. Its error says what is wrong with which of them.
func Open(cfg Config) (*Certs, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Certs{cfg: cfg}
	return c, c.Reload()
}

// Reload reads all files again. Connections made from then on use what they
// hold; those that stand are not disturbed. When it fails, nothing changes.
func (c *Certs) Reload() error {
	next := new(set)
	for _, p := range c.cfg.Pairs {
		cert, err := readPair(p, c.cfg.Now())
		if err != nil {
			return err
		}
		next.shown = append(next.shown, cert)
	}
	if len(c.cfg.Authorities) > 0 {
		next.roots = x509.NewCertPool()
	}
	for _, name := range c.cfg.Authorities {
		if err := addRoots(next.roots, name); err != nil {
			return err
		}
	}
	c.current.Store(next)
	return nil
}

// readPair reads a certificate that is good now. One that is not yet or no
// longer valid is refused here, where somebody is told, and not by every
// caller in turn.
func readPair(p Pair, now time.Time) (*tls.Certificate, error) {
	chain, err := readFile(p.Cert)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	key, err := readKey(p.Key)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	defer clear(key)
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", p.Cert, p.Key, err)
	}
	switch leaf := cert.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("certificate %s expired at %s: renew it", p.Cert, leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("certificate %s is not valid before %s: check the clock", p.Cert, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return &cert, nil
}

// ReadLeaf reads the first certificate of a PEM file, without its key.
func ReadLeaf(name string) (*x509.Certificate, error) {
	b, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("certificate: %s holds none (PEM)", name)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	return leaf, nil
}

func addRoots(pool *x509.CertPool, name string) error {
	b, err := readFile(name)
	if err != nil {
		return fmt.Errorf("authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(b) {
		return fmt.Errorf("authorities: %s holds no certificate (PEM)", name)
	}
	return nil
}

// WithSystem returns the authorities of the system and those in a PEM file, none
// more when file is "", for servers that are seldom ours.
func WithSystem(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("authorities of the system: %w", err)
	}
	if file == "" {
		return pool, nil
	}
	return pool, addRoots(pool, file)
}

// Server is how a listener speaks TLS, nil when there is nothing to show:
// version 1.2 and up with authenticated encryption alone, and Go's curves, among
// them the post-quantum hybrids, which any list of our own would lose.
func (c *Certs) Server() *tls.Config {
	if len(c.cfg.Pairs) == 0 {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: Suites(), GetCertificate: c.choose, Time: c.cfg.Now}
}

// Asking is Server that asks clients for a certificate and checks the one they
// show, if any, against the authorities of that moment; nil as Server is, and
// just Server without authorities.
func (c *Certs) Asking() *tls.Config {
	server := c.Server()
	if server == nil || len(c.cfg.Authorities) == 0 {
		return server
	}
	server.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := c.Server()
		now.ClientAuth, now.ClientCAs = tls.VerifyClientCertIfGiven, c.current.Load().roots
		now.NextProtos = []string{"h2", "http/1.1"}
		return now, nil
	}
	return server
}

// Suites are those taken in TLS 1.2: ephemeral keys and authenticated
// encryption. Go would take CBC with SHA-1 too (PCI DSS 4.2.1, RFC 9325 §4.2).
// TLS 1.3 has none but good ones, and no choice.
func Suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

func (c *Certs) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	shown := c.current.Load().shown
	if len(shown) == 1 {
		return shown[0], nil // there is nothing to choose
	}
	for _, cert := range slices.Backward(shown) {
		if hello.ServerName != "" && hello.SupportsCertificate(cert) == nil {
			return cert, nil
		}
	}
	return shown[0], nil
}

// Client is how to connect to whoever has a certificate for name from an
// authority of this moment, whatever the address. Take a new one for each
// connection.
func (c *Certs) Client(name string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, CipherSuites: Suites(), ServerName: name,
		RootCAs: c.current.Load().roots, Time: c.cfg.Now,
	}
}

// Vouched says why nobody who believes in the same authorities would take what
// is shown for name; nil when they would.
func (c *Certs) Vouched(name string) error {
	now := c.current.Load()
	if len(now.shown) == 0 {
		return errors.New("there is no certificate")
	}
	var why error
	for _, cert := range now.shown {
		opts := x509.VerifyOptions{DNSName: name, Roots: now.roots, Intermediates: x509.NewCertPool(), CurrentTime: c.cfg.Now()}
		for _, der := range cert.Certificate[1:] {
			if in, err := x509.ParseCertificate(der); err == nil {
				opts.Intermediates.AddCert(in)
			}
		}
		_, err := cert.Leaf.Verify(opts)
		if err == nil {
			return nil
		}
		why = cmp.Or(why, err)
	}
	return why
}

// Expires is when the first of what is shown expires; zero when there is none.
func (c *Certs) Expires() time.Time {
	var first time.Time
	for _, cert := range c.current.Load().shown {
		if first.IsZero() || cert.Leaf.NotAfter.Before(first) {
			first = cert.Leaf.NotAfter
		}
	}
	return first
}

// Fingerprint tells what is shown from what was shown before: serial numbers
// in hexadecimal, for logs.
func (c *Certs) Fingerprint() string {
	return strings.Join(slices.Collect(c.serials), " ")
}

func (c *Certs) serials(yield func(string) bool) {
	for _, cert := range c.current.Load().shown {
		if !yield(cert.Leaf.SerialNumber.Text(16)) {
			return
		}
	}
}
