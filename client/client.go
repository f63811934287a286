package client

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config is what New needs.
type Config struct {
	// BaseURL is where the service is, "https://cards.example.com". Plain http
	// is taken for this machine alone.
	BaseURL string
	// ClientID is the id of the firm's client.
	ClientID string
	// Secret is the client's secret. The Client keeps its content: do not wipe it
	// while the Client is in use.
	Secret Secret
	// PrivateKey authenticates by private_key_jwt instead of a secret. Its public
	// part is registered with the client: ECDSA P-256 (ES256), Ed25519 (EdDSA) or
	// RSA (RS256).
	PrivateKey crypto.Signer
	// KeyID is the "kid" of PrivateKey; default none, for a client with one key.
	KeyID string
	// Issuer is whom assertions are addressed to, the "issuer" of
	// /.well-known/oauth-authorization-server; default BaseURL.
	Issuer string
	// Scopes limits the token; default all scopes of the client.
	Scopes []string
	// HTTPClient sends the requests; default http.DefaultClient's way. Redirects
	// are never followed: they would carry card data elsewhere.
	HTTPClient *http.Client
	// Timeout is the time for one try; default 30 s. Bulk waits that long between
	// two results.
	Timeout time.Duration
	// RetryFor is how long a call that may be repeated is repeated, from its
	// first try, for bulk from the latest result; default 1 min, below 0 never.
	RetryFor time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Format implements fmt.Formatter: a Config shows where it leads and whose it
// is, never a key.
func (cfg Config) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{BaseURL:%s ClientID:%s}", cfg.BaseURL, cfg.ClientID)
}

// Client is a firm's way to a CCMS; safe for concurrent use.
type Client struct {
	base     *url.URL
	http     *http.Client
	tokens   *tokens
	timeout  time.Duration
	retryFor time.Duration
	now      func() time.Time
}

// agent is how the package names itself to the service.
const agent = "ccms-client-go/1"

// New returns a Client. It checks the Config and sends nothing.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(cfg.BaseURL, "/"))
	if err != nil || base.Host == "" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, errors.New("ccms: BaseURL must look like https://cards.example.com")
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !isLoopback(base.Hostname())) {
		return nil, errors.New("ccms: BaseURL must be https, unless it is on this machine")
	}
	if cfg.ClientID == "" || (cfg.Secret.Len() == 0) == (cfg.PrivateKey == nil) {
		return nil, errors.New("ccms: give a ClientID, and either a Secret or a PrivateKey")
	}
	c := &Client{
		base: base, http: sender(cfg.HTTPClient),
		timeout: cmp.Or(cfg.Timeout, 30*time.Second), retryFor: cmp.Or(cfg.RetryFor, time.Minute),
		now: cfg.Now,
	}
	if c.now == nil {
		c.now = time.Now
	}
	proof, err := proofOf(cfg, base.String(), c.now)
	if err != nil {
		return nil, err
	}
	c.tokens = &tokens{turn: make(chan struct{}, 1), proof: proof, scope: strings.Join(cfg.Scopes, " "), now: c.now}
	return c, nil
}

// isLoopback reports whether a host is this machine by its name alone.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// sender is what is given, but follows no redirect.
func sender(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
