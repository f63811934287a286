// Package vault seals card data and opens it again, computes the values by
// which sealed numbers are found, and makes tokens. It is a library: it keeps
// no state, has no store and logs nothing. Keys are another's business
// (package keyring fulfils Keys), as is who may open what.
//
// A sealed value is text of the contract's form (section 6.2, decision C12):
//
//	AES256{base64(format, key id, key version, wrapped record key, nonce, ciphertext, tag)}
//
// Each value is sealed by AES-256-GCM under a random key of its own, so no
// nonce can ever meet its key twice. That record key is wrapped by the owner's
// key-encryption key. The additional data of both bind the value to its place,
// so a ciphertext or a key that was moved to another record does not open.
//
// GCM alone does not commit to its key. The wrap must (Keys): then a sealed
// value, which names the one key-encryption key it opens under, has one record
// key and one content.
package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ccms/internal/problem"
	"ccms/internal/secret"
)

// MaxPlaintext is the largest content Seal takes, in bytes.
const MaxPlaintext = 64 << 10

// keySize is the size of a record key: AES-256.
const keySize = 32

// ErrOpen says that a sealed value was altered or moved to another place, or
// that its key is unknown or destroyed. Which of these it is, nobody is told.
var ErrOpen = errors.New("vault: sealed value does not open")

// Destroyed is ErrOpen of a value whose key was destroyed, and why nothing can be
// sealed or found for its owner any more. A firm may see it.
func Destroyed() *problem.Error {
	return problem.Denied("The keys of these cards were destroyed: they can be neither read nor added, for good.").Because(ErrOpen)
}

// Wrapped is a key sealed by an owner's key-encryption key.
type Wrapped struct {
	KeyID   string // of the key-encryption key; at most 64 bytes
	Version uint32 // of the key-encryption key
	Key     []byte // the wrap, with all that is needed to open it but the key-encryption key
}

// Keys holds the key-encryption keys and look-up secrets; keyring.Ring does.
// It is safe for concurrent use.
type Keys interface {
	// Wrap seals key under the owner's active key-encryption key. The wrap
	// binds aad and the key-encryption key's id and version, and commits to
	// that key: it opens under no other.
	Wrap(ctx context.Context, owner string, key, aad []byte) (Wrapped, error)
	// Unwrap opens what Wrap made for the same owner and aad, else ErrOpen.
	// Other errors are failures of the store.
	Unwrap(ctx context.Context, owner string, w Wrapped, aad []byte) (secret.Bytes, error)
	// Secrets are the versions of a random key of 32 bytes for a purpose, the
	// same on every call until one is introduced or destroyed. The caller owns the
	// copies.
	Secrets(ctx context.Context, purpose string) (Secrets, error)
}

// Config is what a Vault needs.
type Config struct {
	// Keys is required.
	Keys Keys
	// Environment is bound into everything sealed and every fingerprint, so
	// that keys and data of a test installation mean nothing in production
	// (PCI DSS 3.6.1.1). Default "default".
	Environment string
}

// Vault is safe for concurrent use.
type Vault struct {
	keys        Keys
	environment string
}

// New returns a Vault.
func New(c Config) *Vault {
	if c.Environment == "" {
		c.Environment = "default"
	}
	return &Vault{keys: c.Keys, environment: c.Environment}
}

// Place is where a sealed value lives. All three are required; none is secret.
type Place struct {
	Owner  string // whose key-encryption key: a firm, or all cardholders
	Record string // the record's id
	Field  string // the field in it
}

// Seal returns plaintext sealed for its place, up to MaxPlaintext bytes. Errors
// are failures of the store, or of the program: an incomplete place, content
// that is too large.
func (v *Vault) Seal(ctx context.Context, at Place, plaintext []byte) (string, error) {
	if at.Owner == "" || at.Record == "" || at.Field == "" {
		return "", errors.New("vault: seal: incomplete place")
	}
	if len(plaintext) > MaxPlaintext {
		return "", fmt.Errorf("vault: seal: more than %d bytes", MaxPlaintext)
	}
	key := make([]byte, keySize)
	defer clear(key)
	_, _ = rand.Read(key) // never fails: it crashes the program instead
	gcm, err := newGCM(key)
	if err != nil {
		return "", err
	}
	w, err := v.keys.Wrap(ctx, at.Owner, key, v.bind("record key", at))
	if err != nil {
		return "", fmt.Errorf("vault: wrap record key: %w", err)
	}
	return envelope{Wrapped: w, data: gcm.Seal(nil, nil, plaintext, v.bind("data", at))}.encode()
}

// Open returns the content of a value sealed for this place, else ErrOpen.
// Other errors are failures of the store. The caller wipes the content.
func (v *Vault) Open(ctx context.Context, at Place, sealed string) (secret.Bytes, error) {
	e, err := decode(sealed)
	if err != nil {
		return secret.Bytes{}, err
	}
	key, err := v.recordKey(ctx, at, e.Wrapped)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer key.Wipe()
	gcm, err := newGCM(key.Reveal())
	if err != nil {
		return secret.Bytes{}, ErrOpen
	}
	plaintext, err := gcm.Open(nil, nil, e.data, v.bind("data", at))
	if err != nil {
		return secret.Bytes{}, ErrOpen
	}
	return secret.New(plaintext), nil
}

// Rewrap returns sealed with its record key under the owner's active
// key-encryption key; the content is not opened. A value that is there already
// comes back unchanged. Errors are those of Open.
func (v *Vault) Rewrap(ctx context.Context, at Place, sealed string) (string, error) {
	e, err := decode(sealed)
	if err != nil {
		return "", err
	}
	key, err := v.recordKey(ctx, at, e.Wrapped)
	if err != nil {
		return "", err
	}
	defer key.Wipe()
	w, err := v.keys.Wrap(ctx, at.Owner, key.Reveal(), v.bind("record key", at))
	if err != nil {
		return "", fmt.Errorf("vault: wrap record key: %w", err)
	}
	if w.KeyID == e.KeyID && w.Version == e.Version {
		return sealed, nil
	}
	e.Wrapped = w
	return e.encode()
}

// KeyOf tells under which key-encryption key and version a sealed value lies,
// without opening or checking it; ErrOpen when it is no sealed value.
func KeyOf(sealed string) (id string, version uint32, err error) {
	e, err := decode(sealed)
	return e.KeyID, e.Version, err
}

func (v *Vault) recordKey(ctx context.Context, at Place, w Wrapped) (secret.Bytes, error) {
	key, err := v.keys.Unwrap(ctx, at.Owner, w, v.bind("record key", at))
	if err != nil && !errors.Is(err, ErrOpen) {
		return key, fmt.Errorf("vault: unwrap record key: %w", err)
	}
	return key, err
}

// bind is the additional data of a value or of its record key.
func (v *Vault) bind(what string, at Place) []byte {
	return Bind("ccms vault "+what, strconv.Itoa(format), v.environment, at.Owner, at.Record, at.Field)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// NewToken returns a card token: "tok_" and 26 base32 characters of 130 random
// bits. Tokens say nothing of the number and are no secrets (decision F4).
func NewToken() string { return "tok_" + strings.ToLower(rand.Text()) }
