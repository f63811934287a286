package transit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/vault/keyring"
)

// Error says why the key service could not do what it was asked. To a caller of
// ours it is 503 SERVICE_UNAVAILABLE.
type Error struct {
	Service string // its URL, with mount and key
	Op      string // encrypt or decrypt
	Status  int    // of its answer, 0 when there was none
	Why     string // one sentence without a full stop, and what to do
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("key service %s: %s: %s", e.Service, e.Op, e.Why)
}

// As makes it the problem.Error a caller may see.
func (e *Error) As(target any) bool {
	p, ok := target.(**problem.Error)
	if ok {
		*p = problem.ServiceUnavailable(time.Second).Because(e)
	}
	return ok
}

func (r *Root) failed(op string, status int, why string) *Error {
	return &Error{r.String(), op, status, why}
}

// answer is the part of an answer that counts.
type answer struct {
	Ciphertext string       `json:"ciphertext"`
	Plaintext  secret.Bytes `json:"plaintext"`
}

const (
	tries = 3
	// maxAnswer bounds an answer, in bytes; one is a few hundred.
	maxAnswer = 64 << 10
)

// call does an operation of the engine, and again where trying helps: encrypting
// and decrypting change nothing there.
func (r *Root) call(ctx context.Context, op string, body []byte) (answer, error) {
	pause := r.cfg.Pause
	for try := 1; ; try++ {
		got, again, err := r.try(ctx, op, body)
		if err == nil || !again || try == tries || ctx.Err() != nil {
			return got, err
		}
		t := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return got, err
		}
		pause *= 2
	}
}

// try does it once; again says whether another try may help.
func (r *Root) try(ctx context.Context, op string, body []byte) (got answer, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	req, err := r.request(ctx, op, body)
	if err != nil {
		return got, false, r.failed(op, 0, err.Error())
	}
	res, err := r.client.Do(req)
	if err != nil {
		return got, true, r.failed(op, 0, unreachable(err))
	}
	defer res.Body.Close()
	content, err := secret.ReadAll(io.LimitReader(res.Body, maxAnswer), 1<<10)
	defer content.Wipe()
	if err != nil {
		return got, true, r.failed(op, res.StatusCode, "its answer broke off")
	}
	if res.StatusCode != http.StatusOK {
		again, err = r.refused(op, res.StatusCode, content)
		return got, again, err
	}
	var full struct {
		Data answer `json:"data"`
	}
	if err := json.Unmarshal(content.Reveal(), &full); err != nil {
		full.Data.Plaintext.Wipe()
		return got, false, r.failed(op, res.StatusCode, "its answer is none of a transit engine")
	}
	return full.Data, false, nil
}

func (r *Root) request(ctx context.Context, op string, body []byte) (*http.Request, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	// Not a bytes.Reader itself: net/http would copy it into a buffer of its own.
	content := struct{ io.Reader }{bytes.NewReader(body)}
	target := r.base.JoinPath("v1", r.mount, op, r.key)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), content)
	if err != nil {
		return nil, errors.New("its URL cannot be called")
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Vault-Request", "true") // agents may ask for it, against forged requests
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	if r.namespace != "" {
		req.Header.Set("X-Vault-Namespace", r.namespace)
	}
	return req, nil
}

// refused turns an answer that is no success into an error, and says whether to
// try again. What an operator can do about it depends on the status alone, but for
// 400, which has many reasons.
func (r *Root) refused(op string, status int, content secret.Bytes) (again bool, err error) {
	said := errorsIn(content)
	if op == "decrypt" && foreign(status, said) {
		return false, keyring.ErrUnwrap
	}
	why := map[int]string{
		http.StatusForbidden: "permission denied: the token in keyring.token-file has expired, or its policy does not allow update on " +
			r.mount + "/" + op + "/" + r.key,
		http.StatusNotFound:           "there is no transit engine at " + r.mount + ": enable it, or name another mount in keyring.url",
		http.StatusPreconditionFailed: "this node has not caught up with the others",
		http.StatusTooManyRequests:    "it limits how often it is asked",
		472:                           "this node is a secondary of another cluster and answers nobody",
		473:                           "this node is a standby that does not forward requests",
		http.StatusServiceUnavailable: "it is sealed, in maintenance or without an active node: unseal it",
	}[status]
	if status/100 == 3 {
		why = "this node sends callers elsewhere: name the active node in keyring.url"
	}
	if status == http.StatusBadRequest {
		why = "it refuses"
	}
	why = cmp.Or(why, fmt.Sprintf("it failed with status %d", status))
	if said != "" && status != http.StatusForbidden {
		why += fmt.Sprintf(" (%s)", said)
	}
	retry := []int{http.StatusPreconditionFailed, http.StatusTooManyRequests, 473, 500, 502, 503, 504}
	return slices.Contains(retry, status), r.failed(op, status, why)
}

// foreign reports whether an answer says that a wrap was not made by this key, or
// not for this associated data. Versions differ in the status: an authentication
// that failed is 400, or 500 (hashicorp/vault issue 10842).
func foreign(status int, said string) bool {
	switch status {
	case http.StatusBadRequest, http.StatusInternalServerError:
		return strings.Contains(said, "message authentication failed") || strings.Contains(said, "unable to decrypt") ||
			strings.Contains(said, "invalid ciphertext")
	}
	return false
}

// errorsIn is the member errors of an answer, as a short printable line.
func errorsIn(content secret.Bytes) string {
	var full struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(content.Reveal(), &full) != nil {
		return ""
	}
	line := strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.Join(full.Errors, "; "))
	line = strings.Join(strings.Fields(line), " ")
	const most = 200
	return strings.ToValidUTF8(line[:min(len(line), most)], "")
}

// unreachable says why there was no answer.
func unreachable(err error) string {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	_, wrong := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case unknown:
		return "nobody we trust vouches for its certificate: name its authority in tls.ca-file"
	case other || wrong:
		return "its certificate does not fit its name, or has expired"
	case errors.Is(err, context.DeadlineExceeded):
		return "it does not answer in time"
	case refusedByNetwork(err):
		return "it cannot be reached: is it running, and the address right"
	}
	return "it cannot be reached"
}
