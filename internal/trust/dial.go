package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/patience"
	"ccms/internal/secret/wire"
)

// The bounds of a connection between our services: they give up early, since a
// dead instance must not hold a request that another one could answer.
const (
	dialTimeout      = patience.Times * time.Second
	handshakeTimeout = patience.Times * 3 * time.Second // after the connection
)

// NewTransport is how our services reach each other: no proxy from the
// environment, quick to notice a dead instance, connections kept.
func NewTransport() *http.Transport {
	return &http.Transport{
		DialContext:           dial,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   128,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := newDialer().DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return wire.Dialled(c), nil
}

func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
}

// dialer connects to an address and asks whoever answers for the certificate
// of a service. A registry may also be somebody else's: there the host of the
// URL, which the operator wrote, is as good as our name. What a process of this
// machine shows may be for people alone: then it is enough that it is known.
func (t *Trust) dialer(service string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := t.dial(ctx, t.Client(NameOf(service)), network, addr)
		_, other := errors.AsType[x509.HostnameError](err)
		if other && service == eureka.Audience {
			host, _, _ := net.SplitHostPort(addr)
			conn, err = t.dial(ctx, t.Client(host), network, addr)
		}
		if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused && t.known != nil {
			return t.dial(ctx, t.toKnown(), network, addr)
		}
		return conn, err
	}
}

// toKnown accepts the known certificate and no other.
func (t *Trust) toKnown() *tls.Config {
	cfg := t.Client("")
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(t.known)
	for _, ip := range t.known.IPAddresses {
		cfg.ServerName = ip.String()
	}
	for _, name := range t.known.DNSNames {
		cfg.ServerName = name
	}
	return cfg
}

// dial fails with an error of operation "dial" as long as nothing of a request
// can have been sent, so that the next instance may be tried.
func (t *Trust) dial(ctx context.Context, cfg *tls.Config, network, addr string) (net.Conn, error) {
	raw, err := newDialer().DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Addr: raw.RemoteAddr(), Err: fmt.Errorf("as %s: %w", cfg.ServerName, err)}
	}
	return wire.Dialled(conn), nil
}
