// Package inventory owns the list of what keeps secrets secret here: algorithms,
// protocols, keys and certificates, each with its purpose, its strength, the rule
// it follows and when it is to be looked at again (PCI DSS 3.6.1.1, 4.2.1.1 and
// 12.3.3). It reads what others keep and shows no key; that they use what it says
// is in their own tests.
package inventory

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"time"

	"ccms/internal/identity"
	"ccms/internal/vault/keyring"
)

// The kinds of entries.
const (
	Algorithm   = "algorithm"
	Key         = "key"
	Certificate = "certificate"
)

// Entry is one line of the inventory.
type Entry struct {
	Kind      string     `json:"kind"`
	Purpose   string     `json:"purpose"`
	Algorithm string     `json:"algorithm"`
	Bits      int        `json:"bits,omitzero"` // of the key
	ID        string     `json:"id,omitempty"`
	Version   int64      `json:"version,omitzero"`
	State     string     `json:"state,omitempty"`
	Created   *time.Time `json:"created,omitzero"`
	Ends      *time.Time `json:"ends,omitzero"` // when it was retired, or a certificate expires
	Where     string     `json:"where"`
	Rule      string     `json:"rule"`
	// Review is when somebody has to look whether it is still right: a year after
	// its rule was reviewed, the key made, or a month before a certificate expires.
	Review time.Time `json:"review"`
}

// Due reports whether the review is due.
func (e Entry) Due(now time.Time) bool { return !now.Before(e.Review) }

// Ring is the keys of one service; *keyring.Ring lists them.
type Ring struct {
	Service string
	List    func(context.Context) iter.Seq2[keyring.Info, error]
}

// Config is what Take looks at. Nothing of it is required.
type Config struct {
	Rings []Ring
	// Signing lists the keys of tokens, nil where none are made.
	Signing func(context.Context) ([]identity.KeyInfo, error)
	// Files are those of root keys and the internal credential, by purpose.
	Files map[string]string
	// KeyServices are the URLs of root keys that lie in a key service, by purpose.
	KeyServices map[string]string
	// Certificates are PEM files; those that are not there are left out.
	Certificates []string
	// BcryptCost of passwords.
	BcryptCost int
}

// cryptoperiod is after how long a key is looked at again (PCI DSS 3.7.4).
const cryptoperiod = 365 * 24 * time.Hour

// Take makes the inventory.
func Take(ctx context.Context, c Config) ([]Entry, error) {
	all := algorithms(c.BcryptCost, fips140.Enabled())
	for _, r := range c.Rings {
		for k, err := range r.List(ctx) {
			if err != nil {
				return nil, fmt.Errorf("keys of the %s: %w", r.Service, err)
			}
			all = append(all, keyOf(r.Service, k))
		}
	}
	if c.Signing != nil {
		keys, err := c.Signing(ctx)
		if err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
		for _, k := range keys {
			all = append(all, signing(k))
		}
	}
	files, err := keyFiles(c.Files)
	if err != nil {
		return nil, err
	}
	all = append(all, files...)
	for _, purpose := range slices.Sorted(maps.Keys(c.KeyServices)) {
		all = append(all, Entry{
			Kind: Key, Purpose: purpose, Algorithm: "AEAD key of a transit engine, with associated data", Bits: 256, State: "active",
			Where: c.KeyServices[purpose], Rule: "PCI DSS 3.6.1, 3.6.1.2, 3.7.4, 3.7.5", Review: reviewed().Add(cryptoperiod),
		})
	}
	for _, file := range c.Certificates {
		certificates, err := certificatesIn(file)
		if err != nil {
			return nil, err
		}
		all = append(all, certificates...)
	}
	return all, nil
}

// keyOf is a key of a keyring.
func keyOf(service string, k keyring.Info) Entry {
	u := useOf(k.Use, k.Name)
	e := Entry{
		Kind: Key, Purpose: u.purpose, Algorithm: u.algorithm, Bits: 8 * keyring.KeySize,
		ID: k.ID, Version: k.Version, State: string(k.State), Created: dated(k.Created), Ends: dated(k.Retired),
		Where: "store, wrapped by the root key of the " + service, Rule: u.rule, Review: k.Created.Add(cryptoperiod),
	}
	if !k.Retired.IsZero() {
		e.Review = k.Retired.Add(cryptoperiod) // may it be destroyed?
	}
	return e
}

// signing is a key of tokens.
func signing(k identity.KeyInfo) Entry {
	bits := map[string]int{identity.ES256: 256, identity.RS256: 2048, identity.HS256: 256}[k.Algorithm]
	e := Entry{
		Kind: Key, Purpose: "signs tokens", Algorithm: k.Algorithm, Bits: bits, ID: k.ID, State: k.State,
		Created: dated(k.Created), Ends: dated(k.Retired), Where: "store, sealed", Rule: "RFC 7518 section 3; PCI DSS 3.7.4, 8.3.2",
		Review: k.Created.Add(cryptoperiod),
	}
	if k.Created.IsZero() {
		e.Where, e.Review = "file that login.jwt-secret-file names", reviewed().Add(cryptoperiod)
	}
	return e
}

func dated(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

// certificatesIn are those of a PEM file, none when it is not there.
func certificatesIn(file string) ([]Entry, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	var all []Entry
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificates: %s: %w", file, err)
		}
		all = append(all, certificate(file, c))
	}
	return all, nil
}

func certificate(file string, c *x509.Certificate) Entry {
	e := Entry{
		Kind: Certificate, Purpose: "shows who a service is: " + c.Subject.CommonName, Algorithm: c.PublicKeyAlgorithm.String(),
		ID: fmt.Sprintf("%x", c.SerialNumber), Created: dated(c.NotBefore), Ends: dated(c.NotAfter),
		Where: file, Rule: "PCI DSS 4.2.1, 4.2.1.1", Review: c.NotAfter.AddDate(0, -1, 0),
	}
	if c.IsCA {
		e.Purpose = "vouches for certificates: " + c.Subject.CommonName
	}
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		e.Bits = k.Curve.Params().BitSize
	case *rsa.PublicKey:
		e.Bits = k.N.BitLen()
	case ed25519.PublicKey:
		e.Bits = 256
	}
	return e
}
