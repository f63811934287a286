package chassis

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"

	"ccms/internal/certs"
	"ccms/internal/datadir"
	"ccms/internal/secret"
	"ccms/internal/secret/wire"
	"ccms/internal/trust"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/keyring/transit"
)

// SharedKeys is what to do when a process lacks the keys of all.
const SharedKeys = "make keys once with ccms keys init --out FOLDER, and give them to every process by internal.credential-file and keyring.url"

// rootKey opens the root key that keyring.url names; the file own when it names
// none.
func (p *Process) rootKey(own string) (keyring.Root, error) {
	if !p.Settings.Keyring.URL.IsZero() {
		return p.RootAt(p.Settings.Keyring.URL.Reveal())
	}
	root, err := keyring.OpenFile(own)
	if errors.Is(err, fs.ErrNotExist) {
		advice := SharedKeys
		if p.Settings.Store.URL.Scheme() == "sqlite" {
			advice = datadir.LostKey
		}
		err = fmt.Errorf("%w: %s", err, advice)
	}
	return root, err
}

// RootAt opens the root key at a place that keyring.url could name.
func (p *Process) RootAt(url string) (keyring.Root, error) {
	scheme, path, _ := strings.Cut(url, ":")
	switch scheme {
	case "file":
		return keyring.OpenFile(path)
	case "https", "http":
		root, err := p.keyService(url)
		if err != nil {
			return nil, fmt.Errorf("keyring.url %w", err)
		}
		return root, nil
	}
	return nil, errors.New("keyring.url: neither a file, such as file:/etc/ccms/login.key, nor a key service, such as https://HOST:8200/transit/ccms")
}

// keyService is the root key in a key service. Its certificate is held against
// those of the system and of tls.ca-file, as it is when a connection is made.
func (p *Process) keyService(url string) (keyring.Root, error) {
	transport := trust.NewTransport()
	transport.Proxy = nil
	transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		roots, err := certs.WithSystem(p.Settings.TLS.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca-file: %w", err)
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		d := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS12}}
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return wire.Dialled(c), nil
	}
	return transit.New(transit.Config{URL: url, TokenFile: p.Settings.Keyring.TokenFile, Transport: transport})
}

// WatchKeys adds to the health of a service that its key service answers. While
// it does not, the service goes on with the keys it has in memory, so readiness
// does not depend on it.
func (p *Process) WatchKeys(s *Service, ring *keyring.Ring) {
	if ring.Renews() {
		s.Actuator.AddHealth("keyService", false, ring.Reach)
	}
}

// ReadSecret reads a secret from a file, without the white space around it.
func ReadSecret(path string) (secret.Bytes, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("read secret: %w", err)
	}
	defer clear(b)
	return secret.New(bytes.Clone(bytes.TrimSpace(b))), nil
}
