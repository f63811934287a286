package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The lives of what we make. Browsers refuse leaves above 398 days from any
// public authority; ours keep to it.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 397 * 24 * time.Hour
	renewBefore   = 30 * 24 * time.Hour // its end
	skew          = time.Hour           // of clocks that read NotBefore
)

// Authority is a certificate authority of one's own, kept in a folder. It
// vouches for one machine and those who were given its ca.pem, nobody else.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
	dir  string
}

// OpenAuthority opens the authority in the folder dir, ca.pem and ca.key
// (0600); the first time it makes both, good for 10 years. now nil is
// time.Now.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	a := &Authority{now: now, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create certificate folder: %w", err)
	}
	_, err := os.Stat(a.File())
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create()
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	pair, err := readPair(a.pair(), now())
	if err != nil {
		return nil, fmt.Errorf("certificate authority (remove %s to make a new one): %w", dir, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("certificate authority: %s is none of ours; remove %s to make a new one", a.File(), dir)
	}
	a.cert, a.key = pair.Leaf, key
	return a, nil
}

// File is the authority's certificate, to be given to those who connect.
func (a *Authority) File() string { return a.pair().Cert }

func (a *Authority) pair() Pair {
	return Pair{Cert: filepath.Join(a.dir, "ca.pem"), Key: filepath.Join(a.dir, "ca.key")}
}

// create makes the authority. The certificate is written last: without it
// there is no authority yet, and a crash between leaves nothing that counts.
func (a *Authority) create() error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	return issue(a.pair(), &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"CCMS"}, CommonName: "CCMS authority of " + host},
		NotBefore:             a.now().Add(-skew),
		NotAfter:              a.now().Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true, // it vouches for services, not for authorities
	}, nil)
}

// Renew makes the certificate p for names, DNS names and addresses, unless a
// good one is there that lasts another 30 days. It reports whether it did.
func (a *Authority) Renew(p Pair, names ...string) (made bool, err error) {
	if a.good(p, names) {
		return false, nil
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{Organization: []string{"CCMS"}, CommonName: names[0]},
		NotBefore:             a.now().Add(-skew),
		NotAfter:              earlier(a.now().Add(leafLife), a.cert.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if err := issue(p, template, a); err != nil {
		return false, fmt.Errorf("make certificate: %w", err)
	}
	return true, nil
}

// good reports whether p is ours, for all names, and not about to expire.
func (a *Authority) good(p Pair, names []string) bool {
	cert, err := readPair(p, a.now())
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	// An authority near its own end cannot give more than it has.
	soon := earlier(a.now().Add(renewBefore), a.cert.NotAfter)
	if cert.Leaf.NotAfter.Before(soon) {
		return false
	}
	for _, name := range names {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: a.now()}); err != nil {
			return false
		}
	}
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// issue makes a key and a certificate over it, signed by a, or by itself when
// a is nil, and writes key and then certificate.
func issue(p Pair, template *x509.Certificate, a *Authority) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return err
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	defer clear(pkcs8)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	defer clear(text)
	if err := writeFile(p.Key, text, 0o600); err != nil {
		return err
	}
	return writeFile(p.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
