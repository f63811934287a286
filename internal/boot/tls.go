package boot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"ccms/internal/certs"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
)

// trust is how a process shows who it is, and how it knows the others: by
// certificates for names of ours, so that no address leads it astray
// (decisions E3 and F2).
type trust struct {
	*certs.Certs
	renew      func() error               // makes our own certificate when it is due; nil without one
	transports map[string]*http.Transport // to each service over TLS
}

// ownName is what the certificate of a service must be for (decision E3).
func ownName(service string) string { return service + ".ccms.internal" }

func serviceNames() []string { return []string{eureka.Audience, loginName, cardName, portalName} }

// openTrust reads the certificates of the settings; own adds one of our own
// making, and the authority behind it.
func openTrust(s config.Settings, dir *datadir.Dir, own bool) (*trust, error) {
	var renew func() error
	if own {
		authority, err := certs.OpenAuthority(dir.File("tls"), nil)
		if err != nil {
			return nil, err
		}
		names, err := ownNames(s)
		if err != nil {
			return nil, err
		}
		renew = func() error { _, err := authority.Renew(ownPair(s, dir), names...); return err }
		if err := renew(); err != nil {
			return nil, err
		}
	}
	t, err := newTrust(shownBy(s, dir, own))
	if err != nil {
		return nil, err
	}
	t.renew = renew
	return t, nil
}

// shownBy is which certificates a process with these settings and this folder
// shows and whom it believes.
func shownBy(s config.Settings, dir *datadir.Dir, own bool) certs.Config {
	var cfg certs.Config
	if s.TLS.CertFile != "" {
		cfg.Pairs = append(cfg.Pairs, certs.Pair{Cert: s.TLS.CertFile, Key: s.TLS.KeyFile})
	}
	if s.TLS.CAFile != "" {
		cfg.Authorities = append(cfg.Authorities, s.TLS.CAFile)
	}
	if own {
		cfg.Pairs = append(cfg.Pairs, ownPair(s, dir))
		cfg.Authorities = append(cfg.Authorities, dir.File("tls", "ca.pem"))
	}
	return cfg
}

func newTrust(cfg certs.Config) (*trust, error) {
	c, err := certs.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	t := &trust{Certs: c, transports: map[string]*http.Transport{}}
	for _, name := range serviceNames() {
		base := newTransport()
		base.DialTLSContext = t.dialer(name)
		t.transports[name] = base
	}
	return t, nil
}

// ownPair is the certificate of our own making. Beside a given one, which people
// are shown, it is another and serves the services among themselves alone.
func ownPair(s config.Settings, dir *datadir.Dir) certs.Pair {
	name := "server"
	if s.TLS.CertFile != "" {
		name = "internal"
	}
	return certs.Pair{Cert: dir.File("tls", name+".pem"), Key: dir.File("tls", name+".key")}
}

// ownNames is whom our own certificate is for: the services, and unless another
// one is given, this machine and what people call us.
func ownNames(s config.Settings) ([]string, error) {
	var services []string
	for _, name := range serviceNames() {
		services = append(services, ownName(name))
	}
	if s.TLS.CertFile != "" {
		return services, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	names := append([]string{"localhost", "127.0.0.1", "::1", host}, services...)
	if s.PublicURL != nil {
		names = append(names, s.PublicURL.Hostname())
	}
	for _, addr := range []string{s.Eureka.Addr, s.Login.Addr, s.CreditCard.Addr, s.Portal.Addr} {
		host, _, _ := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
			names = append(names, host)
		}
	}
	return unique(names), nil
}

// unique is list without what stands before.
func unique(list []string) []string {
	var kept []string
	for _, s := range list {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// handshakeTimeout bounds a TLS handshake; the connection before it has its own
// bound.
const handshakeTimeout = 3 * time.Second

// dialer connects to an address and asks whoever answers for the certificate
// of a service. A registry may also be somebody else's: there the host of the
// URL, which the operator wrote, is as good as our name.
func (t *trust) dialer(service string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.dial(ctx, ownName(service), network, addr)
		if _, other := errors.AsType[x509.HostnameError](err); other && service == eureka.Audience {
			host, _, _ := net.SplitHostPort(addr)
			return t.dial(ctx, host, network, addr)
		}
		return conn, err
	}
}

// dial fails with an error of operation "dial" as long as nothing of a request
// can have been sent, so that the next instance may be tried.
func (t *trust) dial(ctx context.Context, name, network, addr string) (net.Conn, error) {
	raw, err := newDialer().DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, t.Client(name))
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: raw.RemoteAddr(), Err: fmt.Errorf("as %s: %w", name, err)}
	}
	return conn, nil
}

// secure is how to reach the services that other services look up.
func (t *trust) secure() map[string]http.RoundTripper {
	all := map[string]http.RoundTripper{}
	for name, transport := range t.transports {
		all[strings.ToUpper(name)] = transport
	}
	return all
}

// reload reads all certificates again, after it made those that are due.
// Connections that rest are closed, so that the next ones are held against
// what is trusted now.
func (t *trust) reload() error {
	if t.renew != nil {
		if err := t.renew(); err != nil {
			return err
		}
	}
	if err := t.Reload(); err != nil {
		return err
	}
	t.closeIdle()
	return nil
}

func (t *trust) closeIdle() {
	for transport := range maps.Values(t.transports) {
		transport.CloseIdleConnections()
	}
}
