// Package transit owns the way to a root key that lies in a key service: the
// transit secrets engine of OpenBao or HashiCorp Vault, by HTTP. It wraps and
// unwraps the keys of a keyring there, so the root key never is in this process
// and in no file. What is wrapped, and how long it is kept in memory once
// unwrapped, is package keyring's; the connection and whom it believes are the
// caller's.
//
// Every wrap binds associated_data, so the key must be of an AEAD type
// (aes256-gcm96, the default, or chacha20-poly1305) and not derived. The engine's
// own rewrap takes no associated data and refuses what was made with it
// (hashicorp/vault issues 29532 and 31791; OpenBao's path_rewrap.go has none
// either), so Renew decrypts and encrypts instead.
package transit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"ccms/internal/patience"
	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// Config is what New needs.
type Config struct {
	// URL is https://HOST/MOUNT/KEY, with ?namespace=NAME where the service has
	// namespaces: https://bao.example:8200/transit/ccms. In the clear only to an
	// agent on loopback. Required.
	URL string
	// TokenFile holds the token; it is read for every call, so that an agent may
	// replace it. "" where an agent on the way adds the token.
	TokenFile string
	// Transport makes the connections. Required.
	Transport http.RoundTripper
	// Timeout bounds one try of a call; there are three. Default 2 s.
	Timeout time.Duration
	// Pause is what precedes the second try, doubled before the third. Default
	// 150 ms.
	Pause time.Duration
}

// Root is a root key in a key service; safe for concurrent use.
type Root struct {
	cfg       Config
	base      *url.URL // scheme and host
	mount     string
	key       string
	namespace string
	client    *http.Client
}

var _ keyring.Renewer = (*Root)(nil)

// New returns a Root. It calls nobody; its error says what is wrong with the URL.
func New(c Config) (*Root, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("is no URL")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("must begin with https://, or with http:// where an agent listens on loopback")
	}
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, errors.New("must be https://HOST/MOUNT/KEY, without user and fragment; the token belongs in keyring.token-file")
	}
	mount, key := path.Split(strings.Trim(u.Path, "/"))
	mount = strings.Trim(mount, "/")
	if mount == "" || key == "" || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") {
		return nil, errors.New("must name the engine's mount and the key, such as https://HOST/transit/ccms")
	}
	query := u.Query()
	r := &Root{cfg: c, base: &url.URL{Scheme: u.Scheme, Host: u.Host}, mount: mount, key: key, namespace: query.Get("namespace")}
	if query.Del("namespace"); len(query) > 0 {
		return nil, errors.New("may have the parameter namespace and no other")
	}
	if r.cfg.Timeout == 0 {
		r.cfg.Timeout = patience.Times * 2 * time.Second
	}
	if r.cfg.Pause == 0 {
		r.cfg.Pause = 150 * time.Millisecond
	}
	r.client = &http.Client{
		Transport: c.Transport,
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return r, nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.Unmap().IsLoopback()
}

// The form of what the engine wraps: "vault:v", the version of its key, ":" and
// base64.
const wrapPrefix = "vault:v"

// version returns the version of the service's key that wrapped something, 0 when
// it is no wrap of such a service.
func version(wrapped string) uint64 {
	rest, ok := strings.CutPrefix(wrapped, wrapPrefix)
	digits, _, ok2 := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || !ok2 || err != nil {
		return 0
	}
	return n
}

// maxWrapped bounds what is taken for a wrap, in bytes.
const maxWrapped = 4 << 10

// Wrap implements keyring.Root by POST /v1/MOUNT/encrypt/KEY.
func (r *Root) Wrap(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	body := make([]byte, 0, 64+base64.StdEncoding.EncodedLen(len(plaintext))+base64.StdEncoding.EncodedLen(len(aad)))
	body = append(body, `{"plaintext":"`...)
	body = base64.StdEncoding.AppendEncode(body, plaintext)
	body = append(body, `","associated_data":"`...)
	body = base64.StdEncoding.AppendEncode(body, aad)
	body = append(body, `"}`...)
	defer clear(body)
	got, err := r.call(ctx, "encrypt", body)
	if err != nil {
		return nil, err
	}
	got.Plaintext.Wipe()
	if version(got.Ciphertext) == 0 || len(got.Ciphertext) > maxWrapped {
		return nil, r.failed("encrypt", 0, "its answer is none of a transit engine")
	}
	return []byte(got.Ciphertext), nil
}

// Unwrap implements keyring.Root by POST /v1/MOUNT/decrypt/KEY.
func (r *Root) Unwrap(ctx context.Context, wrapped, aad []byte) (secret.Bytes, error) {
	if len(wrapped) > maxWrapped || version(string(wrapped)) == 0 || strings.ContainsAny(string(wrapped), "\"\\\r\n") {
		return secret.Bytes{}, keyring.ErrUnwrap
	}
	body := append([]byte(`{"ciphertext":"`), wrapped...)
	body = append(body, `","associated_data":"`...)
	body = base64.StdEncoding.AppendEncode(body, aad)
	body = append(body, `"}`...)
	got, err := r.call(ctx, "decrypt", body)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer got.Plaintext.Wipe()
	plaintext := make([]byte, base64.StdEncoding.DecodedLen(got.Plaintext.Len()))
	n, err := base64.StdEncoding.Decode(plaintext, got.Plaintext.Reveal())
	if err != nil || n == 0 {
		clear(plaintext)
		return secret.Bytes{}, r.failed("decrypt", 0, "its answer is none of a transit engine")
	}
	return secret.New(plaintext[:n]), nil
}

// Renew implements keyring.Renewer: after the key was rotated in the service,
// what lies under an older version of it is decrypted there and encrypted anew.
func (r *Root) Renew(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	plaintext, err := r.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return nil, err
	}
	defer plaintext.Wipe()
	fresh, err := r.Wrap(ctx, plaintext.Reveal(), aad)
	if err != nil || version(string(fresh)) == version(string(wrapped)) {
		return nil, err
	}
	return fresh, nil
}

// String names the service and the key, for who looks after them.
func (r *Root) String() string {
	return r.base.JoinPath(r.mount, r.key).String()
}

// token reads the token, without the white space around it. A file that everybody
// can read is refused. It is text, for headers are: it lives as long as the call.
func (r *Root) token() (string, error) {
	if r.cfg.TokenFile == "" {
		return "", nil
	}
	f, err := os.Open(r.cfg.TokenFile)
	if err != nil {
		return "", fmt.Errorf("keyring.token-file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("keyring.token-file: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("keyring.token-file: mode %04o lets everybody at it; run chmod 600 on it", info.Mode().Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	defer clear(content)
	token := string(bytes.TrimSpace(content))
	switch {
	case err != nil || len(content) > maxToken:
		return "", errors.New("keyring.token-file: cannot be read, or is too long for a token")
	case token == "":
		return "", errors.New("keyring.token-file: is empty")
	}
	return token, nil
}

// maxToken bounds a token, in bytes.
const maxToken = 4 << 10

// refusedByNetwork reports whether nobody listens.
func refusedByNetwork(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok
}
