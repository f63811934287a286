// Package webhook owns how this product calls what belongs to a firm: messages
// signed by Standard Webhooks 1.0.0
// (https://github.com/standard-webhooks/standard-webhooks), and an HTTP client
// that reaches public addresses only (decision D7). It does not know what a
// message says, it keeps nothing, and it calls once: retries are the outbox's.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"ccms/internal/secret"
)

// The headers of a signed message.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	// tolerance is how far a message's time may lie from ours; the
	// specification leaves it open, its libraries take this.
	tolerance = 5 * time.Minute
	prefix    = "whsec_"
	scheme    = "v1" // HMAC-SHA-256
	keySize   = 32
	// The specification's bounds of a key.
	minKey, maxKey = 24, 64
)

// The reasons why Verify refuses a message, and ErrSecret, which ParseSecret
// returns; compare with errors.Is.
var (
	ErrHeaders   = errors.New("webhook: a header is missing or malformed")
	ErrTime      = errors.New("webhook: the message is too old or too new")
	ErrSignature = errors.New("webhook: no signature fits")
	ErrSecret    = errors.New("webhook: a secret is whsec_ and the base64 of 24 to 64 bytes")
)

// Message is what is signed.
type Message struct {
	ID   string // the same for every try
	Time time.Time
	Body []byte
}

// NewSecret makes a signing key of 32 random bytes.
func NewSecret() secret.Bytes {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails since Go 1.24
	return secret.New(key)
}

// FormatSecret is the text of a signing key, as a firm is shown it once:
// "whsec_" and its base64. The caller wipes it.
func FormatSecret(key secret.Bytes) secret.Bytes {
	text := make([]byte, 0, len(prefix)+base64.StdEncoding.EncodedLen(key.Len()))
	return secret.New(base64.StdEncoding.AppendEncode(append(text, prefix...), key.Reveal()))
}

// ParseSecret reads what FormatSecret writes, the prefix being optional as in
// the specification's libraries; else the error is ErrSecret.
func ParseSecret(text secret.Bytes) (secret.Bytes, error) {
	encoded := text.Reveal()
	if len(encoded) >= len(prefix) && string(encoded[:len(prefix)]) == prefix {
		encoded = encoded[len(prefix):]
	}
	key := make([]byte, base64.StdEncoding.DecodedLen(len(encoded)))
	n, err := base64.StdEncoding.Strict().Decode(key, encoded)
	if err != nil || n < minKey || n > maxKey || slices.ContainsFunc(encoded, func(c byte) bool { return c == '\r' || c == '\n' }) {
		clear(key)
		return secret.Bytes{}, ErrSecret
	}
	return secret.New(key[:n]), nil
}

// Sign gives the message's headers, with one signature for each key: two while
// a key is replaced.
func (m Message) Sign(keys ...secret.Bytes) http.Header {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = scheme + "," + base64.StdEncoding.EncodeToString(m.mac(key))
	}
	return http.Header{
		HeaderID:        {m.ID},
		HeaderTimestamp: {strconv.FormatInt(m.Time.Unix(), 10)},
		HeaderSignature: {strings.Join(all, " ")},
	}
}

func (m Message) mac(key secret.Bytes) []byte {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(m.ID + "." + strconv.FormatInt(m.Time.Unix(), 10) + "."))
	h.Write(m.Body)
	return h.Sum(nil)
}

// Verify checks a message as its receiver would: a signature by one of the keys
// (of another scheme they are passed over), and a time at most five minutes
// from now. Its errors are ErrHeaders, ErrTime and ErrSignature.
func Verify(h http.Header, body []byte, now time.Time, keys ...secret.Bytes) error {
	id, stamp, signatures := h.Get(HeaderID), h.Get(HeaderTimestamp), h.Get(HeaderSignature)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || signatures == "" || err != nil || strconv.FormatInt(seconds, 10) != stamp {
		return ErrHeaders
	}
	m := Message{ID: id, Time: time.Unix(seconds, 0), Body: body}
	if m.Time.Before(now.Add(-tolerance)) || m.Time.After(now.Add(tolerance)) {
		return ErrTime
	}
	for signature := range strings.SplitSeq(signatures, " ") {
		text, ok := strings.CutPrefix(signature, scheme+",")
		mac, err := base64.StdEncoding.DecodeString(text)
		if ok && err == nil && slices.ContainsFunc(keys, func(key secret.Bytes) bool { return hmac.Equal(mac, m.mac(key)) }) {
			return nil
		}
	}
	return ErrSignature
}
