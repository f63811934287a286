// Package transittest owns a stand-in for a key service: it answers as the
// documentation of the transit engine of OpenBao and Vault says, from encrypting
// under a key of several versions to being sealed, so that tests need no such
// server. It is written from their API documentation and source; it proves that
// package transit keeps to those, not that those servers keep to them.
package transittest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
)

// Mount and Key are where its key is: /v1/transit/encrypt/ccms.
const (
	Mount = "transit"
	Key   = "ccms"
)

// Server is a key service; safe for concurrent use.
type Server struct {
	*httptest.Server
	// TokenFile holds the token it accepts.
	TokenFile string

	mu        sync.Mutex
	keys      [][]byte // by version, the first is 1
	oldest    int      // min_decryption_version
	token     string
	sealed    bool
	failures  []int // statuses of the next answers
	calls     map[string]int
	namespace string
}

// New returns a running server over TLS with a key at version 1, which ends with
// the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{TokenFile: filepath.Join(t.TempDir(), "token"), oldest: 1, calls: map[string]int{}}
	s.Rotate()
	s.Token(t, "s."+rand.Text())
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// KeyURL is what keyring.url is to be.
func (s *Server) KeyURL() string { return s.URL + "/" + Mount + "/" + Key }

// Rotate adds a version to the key (POST /transit/keys/ccms/rotate).
func (s *Server) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	s.keys = append(s.keys, key)
}

// Retire sets min_decryption_version.
func (s *Server) Retire(below int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest = below
}

// Token makes the server take another token and writes it to TokenFile, as an
// agent does.
func (s *Server) Token(t testing.TB, token string) {
	t.Helper()
	s.Revoke(token)
	if err := os.WriteFile(s.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Revoke makes the server take another token than the one in TokenFile.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Seal seals the server, or unseals it.
func (s *Server) Seal(sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = sealed
}

// Fail gives the next answers these statuses.
func (s *Server) Fail(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = statuses
}

// Namespace makes the server answer in this namespace alone.
func (s *Server) Namespace(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.namespace = name
}

// Calls is how often an operation was asked for.
func (s *Server) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// body is a request of the engine; unknown members are ignored, as there.
type body struct {
	Plaintext      string `json:"plaintext"`
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	op := parts[min(1, len(parts)-1)]
	s.calls[op]++
	switch {
	case len(s.failures) > 0:
		status := s.failures[0]
		s.failures = s.failures[1:]
		refuse(w, status, "1 error occurred: something failed")
	case s.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case r.Header.Get("X-Vault-Request") != "true":
		refuse(w, http.StatusPreconditionFailed, "missing required header")
	case r.Header.Get("X-Vault-Token") != s.token:
		refuse(w, http.StatusForbidden, "permission denied")
	case len(parts) != 3 || parts[0] != Mount || r.Header.Get("X-Vault-Namespace") != s.namespace:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", r.URL.Path))
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		refuse(w, http.StatusMethodNotAllowed, "unsupported operation")
	case parts[2] != Key:
		refuse(w, http.StatusBadRequest, "encryption key not found")
	default:
		s.operate(w, r, op)
	}
}

func (s *Server) operate(w http.ResponseWriter, r *http.Request, op string) {
	content, err := io.ReadAll(r.Body)
	var in body
	if err != nil || json.Unmarshal(content, &in) != nil {
		refuse(w, http.StatusBadRequest, "failed to parse JSON input")
		return
	}
	switch op {
	case "encrypt":
		plaintext, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			refuse(w, http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		grant(w, map[string]any{"ciphertext": s.encrypt(plaintext, in.AssociatedData), "key_version": len(s.keys)})
	case "decrypt":
		plaintext, why := s.decrypt(in.Ciphertext, in.AssociatedData)
		if why != "" {
			refuse(w, http.StatusBadRequest, why)
			return
		}
		grant(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plaintext)})
	case "rewrap":
		// It knows no associated_data: what was made with some is refused.
		plaintext, why := s.decrypt(in.Ciphertext, "")
		if why != "" {
			refuse(w, http.StatusBadRequest, why)
			return
		}
		grant(w, map[string]any{"ciphertext": s.encrypt(plaintext, ""), "key_version": len(s.keys)})
	default:
		refuse(w, http.StatusNotFound, "unsupported path")
	}
}

func (s *Server) encrypt(plaintext []byte, aad string) string {
	data, _ := base64.StdEncoding.DecodeString(aad)
	sealed := gcm(s.keys[len(s.keys)-1]).Seal(nil, nil, plaintext, data)
	return fmt.Sprintf("vault:v%d:%s", len(s.keys), base64.StdEncoding.EncodeToString(sealed))
}

func (s *Server) decrypt(ciphertext, aad string) (plaintext []byte, why string) {
	var version int
	var text string
	if n, err := fmt.Sscanf(ciphertext, "vault:v%d:%s", &version, &text); n != 2 || err != nil {
		return nil, "invalid ciphertext: no prefix"
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || version < 1 || version > len(s.keys) {
		return nil, "invalid ciphertext: version is too new"
	}
	if version < s.oldest {
		return nil, "ciphertext or signature version is disallowed by policy (too old)"
	}
	data, err := base64.StdEncoding.DecodeString(aad)
	if err != nil {
		return nil, "failed to base64-decode associated_data"
	}
	plaintext, err = gcm(s.keys[version-1]).Open(nil, nil, sealed, data)
	if err != nil {
		return nil, "cipher: message authentication failed"
	}
	return plaintext, ""
}

func gcm(key []byte) cipher.AEAD {
	block, _ := aes.NewCipher(key)
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return aead
}

func grant(w http.ResponseWriter, data map[string]any) {
	answer(w, http.StatusOK, map[string]any{"request_id": rand.Text(), "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "warnings": nil})
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]any{"errors": []string{why}})
}

func answer(w http.ResponseWriter, status int, v any) {
	b, _ := json.Marshal(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
