package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"ccms/internal/secret"
)

const (
	maxAnswer = 64 << 10
	beginning = 2 << 10
	maxHeader = 16 << 10
	agent     = "CCMS-Webhook/1"
)

// ClientConfig is what NewClient needs.
type ClientConfig struct {
	// AllowPrivate lets calls go to loopback and private addresses, and http in
	// test mode: the setting webhook.allow-private. Link-local and the rest stay
	// refused.
	AllowPrivate bool
	// Roots are whom the client believes, by default the system's authorities.
	Roots *x509.CertPool
	// Resolver looks names up, by default net.DefaultResolver.
	Resolver *net.Resolver
	// Connect is the time for a connection, and again for its TLS handshake;
	// Total that for a whole call, its name look-up and answer included. Default
	// 5 s and 15 s.
	Connect, Total time.Duration
	// StatusOnly says that an answer's status is what counts: of its body the
	// first 2 KiB are read, and what happens to the rest does not matter. Default
	// is to read it whole and to refuse what is above 64 KiB.
	StatusOnly bool
	// Now is the clock, by default time.Now.
	Now func() time.Time
}

// Client calls endpoints of firms; safe for concurrent use.
type Client struct {
	allowPrivate bool
	statusOnly   bool
	total        time.Duration
	now          func() time.Time
	http         *http.Client
}

// NewClient returns a Client. It takes no proxy from the environment, follows
// no redirect, sends no cookie, and speaks HTTP/1.1 over TLS 1.2 or later.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Connect == 0 {
		cfg.Connect = 5 * time.Second
	}
	if cfg.Total == 0 {
		cfg.Total = 15 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{allowPrivate: cfg.AllowPrivate, statusOnly: cfg.StatusOnly, total: cfg.Total, now: cfg.Now}
	dialer := &net.Dialer{Timeout: cfg.Connect, Resolver: cfg.Resolver, Control: c.control}
	c.http = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
			TLSHandshakeTimeout:    cfg.Connect,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           100,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			// What arrives is what counts towards maxAnswer.
			DisableCompression: true,
		},
	}
	return c
}

// Close closes the connections that are kept.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Delivery is one call.
type Delivery struct {
	Mode string // "test" or "live", see ParseURL
	URL  string
	ID   string // of the message, the same for every try
	Body []byte // JSON
	Keys []secret.Bytes
}

// Answer is what an endpoint said, whatever its status: a redirect is an answer
// too, and no success.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most 64 KiB
}

// Failure is why there is no answer. It names neither address nor URL, which
// may hold what only the firm should know.
type Failure struct{ Class string }

// The classes of Failure.
const (
	Unacceptable = "unacceptable" // ParseURL refuses the URL
	Guarded      = "guarded"      // it leads to an address that is not public
	Unknown      = "unknown_host" // its name is not known
	Unreachable  = "unreachable"  // no connection, or it broke
	Untrusted    = "untrusted"    // its certificate is not believed
	TooSlow      = "too_slow"
	TooLarge     = "too_large" // its answer is above 64 KiB, or its header above 16
)

// Error implements error.
func (f *Failure) Error() string { return "webhook: no answer: " + f.Class }

// Post signs a message with the time of now and sends it once. The error is a
// *Failure, or that of ctx when it was cancelled.
func (c *Client) Post(ctx context.Context, d Delivery) (Answer, error) {
	u, err := c.ParseURL(d.Mode, d.URL)
	if err != nil {
		return Answer{}, &Failure{Unacceptable}
	}
	within, cancel := context.WithTimeout(ctx, c.total)
	defer cancel()
	req, err := http.NewRequestWithContext(within, http.MethodPost, u.String(), bytes.NewReader(d.Body))
	if err != nil {
		return Answer{}, &Failure{Unacceptable}
	}
	req.Header = Message{ID: d.ID, Time: c.now(), Body: d.Body}.Sign(d.Keys...)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	answer, err := c.do(req)
	switch {
	case err == nil:
		return answer, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return Answer{}, context.Canceled
	}
	return Answer{}, classify(err)
}

func (c *Client) do(req *http.Request) (Answer, error) {
	res, err := c.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	if c.statusOnly {
		body, _ := io.ReadAll(io.LimitReader(res.Body, beginning))
		return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, err
	}
	if len(body) > maxAnswer {
		return Answer{}, &Failure{TooLarge}
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// classify turns what the transport said, which names addresses, into a class.
func classify(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if errors.Is(err, errGuarded) {
		return &Failure{Guarded}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return &Failure{Unknown}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Failure{Untrusted}
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return &Failure{TooSlow}
	}
	if strings.Contains(err.Error(), "response headers exceeded") {
		return &Failure{TooLarge} // net/http has no value for it
	}
	return &Failure{Unreachable}
}
