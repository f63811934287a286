package verification

import (
	"container/list"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ccms/internal/secret"
)

const (
	holdFor    = 15 * time.Minute // decision C11b
	sweepEvery = 10 * time.Second
)

// errCodeKey is the refusal of a JWK.
var errCodeKey = errors.New("verification: no key that codes may be encrypted to")

// HoldCode keeps a registration's security code, ASCII digits, until the firm's
// endpoint has answered, 15 minutes at the latest (decision C11b, PCI DSS
// 3.3.2): in this process alone, sealed under a random key of its own. Call it
// only where Rules.WantsCode. It takes the code over and wipes it.
func (p *Pipeline) HoldCode(registrationID string, code secret.Bytes) {
	defer code.Wipe()
	p.codes.hold(registrationID, code, p.now())
}

// DropCode forgets a code that nobody will ask for any more, as when its
// registration was deleted or has failed.
func (p *Pipeline) DropCode(registrationID string) { p.codes.drop(registrationID) }

// codes are those that wait for a firm's endpoint.
type codes struct {
	mu   sync.Mutex
	max  int
	byID map[string]*list.Element
	all  *list.List // of *heldCode, the oldest first
}

// heldCode is one code, sealed. Destroying the key destroys it.
type heldCode struct {
	id          string
	key, sealed []byte
	until       time.Time
}

func newCodes(most int) *codes {
	return &codes{max: most, byID: map[string]*list.Element{}, all: list.New()}
}

func (c *codes) hold(id string, code secret.Bytes, now time.Time) {
	h := &heldCode{id: id, key: make([]byte, 32), until: now.Add(holdFor)}
	_, _ = rand.Read(h.key) // never fails since Go 1.24
	secret.Do(func() { h.sealed = h.aead().Seal(nil, nil, code.Reveal(), []byte(id)) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byID[id])
	c.byID[id] = c.all.PushBack(h)
	for c.all.Len() > c.max {
		c.remove(c.all.Front())
	}
}

// open returns a code that is still held; the caller wipes it.
func (c *codes) open(id string, now time.Time) (secret.Bytes, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.byID[id]
	if !ok {
		return secret.Bytes{}, false
	}
	h := at.Value.(*heldCode)
	if !now.Before(h.until) {
		c.remove(at)
		return secret.Bytes{}, false
	}
	var code []byte
	var err error
	secret.Do(func() { code, err = h.aead().Open(nil, nil, h.sealed, []byte(id)) })
	return secret.New(code), err == nil
}

func (c *codes) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byID[id])
}

// expire forgets what is past its time at now.
func (c *codes) expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := c.all.Front(); at != nil && !now.Before(at.Value.(*heldCode).until); at = c.all.Front() {
		c.remove(at)
	}
}

// close forgets everything and holds no more.
func (c *codes) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.max = 0
	for at := c.all.Front(); at != nil; at = c.all.Front() {
		c.remove(at)
	}
}

func (c *codes) held() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.Len()
}

func (c *codes) remove(at *list.Element) {
	if at == nil {
		return
	}
	h := c.all.Remove(at).(*heldCode)
	delete(c.byID, h.id)
	clear(h.key)
	clear(h.sealed)
}

func (h *heldCode) aead() cipher.AEAD {
	block, err := aes.NewCipher(h.key)
	if err != nil {
		panic(err) // the length of a key is a constant
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// encrypt makes a compact JWE of a code: A256GCM under a key for the firm's
// JWK, with its kid.
func encrypt(code secret.Bytes, jwk []byte) (string, error) {
	key, alg, err := readCodeKey(jwk)
	if err != nil {
		return "", err
	}
	e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key}, nil)
	if err != nil {
		return "", errCodeKey
	}
	var jwe *jose.JSONWebEncryption
	secret.Do(func() { jwe, err = e.Encrypt(code.Reveal()) })
	if err != nil {
		return "", errCodeKey
	}
	return jwe.CompactSerialize()
}
