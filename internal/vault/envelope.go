package vault

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// The sealed text. Lengths are of the bytes inside:
//
//	format 1 · length of key id 1 · key id · key version 4 · length of wrap 2 · wrap · nonce 12 · ciphertext · tag 16
//
// Integers are big-endian. The rest after the wrap is what GCM made.
const (
	format  = 1
	prefix  = "AES256{"
	suffix  = "}"
	maxID   = 64
	maxWrap = 512
	// gcmOverhead is a nonce of 12 and a tag of 16 bytes.
	gcmOverhead = 28
	maxSealed   = 2 + maxID + 4 + 2 + maxWrap + gcmOverhead + MaxPlaintext
)

// envelope is a sealed value, taken apart.
type envelope struct {
	Wrapped
	data []byte // nonce, ciphertext, tag
}

func (e envelope) encode() (string, error) {
	if len(e.KeyID) == 0 || len(e.KeyID) > maxID || len(e.Key) == 0 || len(e.Key) > maxWrap {
		return "", errors.New("vault: key id or wrapped key out of bounds")
	}
	b := make([]byte, 0, 2+len(e.KeyID)+6+len(e.Key)+len(e.data))
	b = append(b, format, byte(len(e.KeyID)))
	b = append(b, e.KeyID...)
	b = binary.BigEndian.AppendUint32(b, e.Version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Key)))
	b = append(b, e.Key...)
	b = append(b, e.data...)
	return prefix + base64.StdEncoding.EncodeToString(b) + suffix, nil
}

// decode takes a sealed text apart and checks its shape; every error is
// ErrOpen. A value has one spelling: stray bits in the last character and line
// breaks, which the decoder skips even when strict, are refused.
func decode(sealed string) (envelope, error) {
	text := base64.StdEncoding.Strict()
	inner, ok := strings.CutPrefix(sealed, prefix)
	inner, ok2 := strings.CutSuffix(inner, suffix)
	if !ok || !ok2 || len(inner) > text.EncodedLen(maxSealed) || strings.ContainsAny(inner, "\r\n") {
		return envelope{}, ErrOpen
	}
	b, err := text.DecodeString(inner)
	if err != nil {
		return envelope{}, ErrOpen
	}
	r := reader{b}
	if r.uint(1) != format {
		return envelope{}, ErrOpen
	}
	var e envelope
	e.KeyID = string(r.next(r.uint(1)))
	e.Version = uint32(r.uint(4))
	e.Key = r.next(r.uint(2))
	e.data = r.rest
	if len(e.KeyID) == 0 || len(e.KeyID) > maxID || len(e.Key) == 0 || len(e.Key) > maxWrap || len(e.data) < gcmOverhead {
		return envelope{}, ErrOpen
	}
	return e, nil
}

// reader cuts fields off the front; a field that is not there is empty or
// zero, and nothing follows it.
type reader struct{ rest []byte }

func (r *reader) next(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.rest = nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// uint reads an integer of size bytes, at most 8.
func (r *reader) uint(size uint64) uint64 {
	var n uint64
	for _, b := range r.next(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

// Bind encodes parts as additional data: each as its length in four bytes and
// its content, so that different lists never give the same bytes. The first
// part names the use.
func Bind(parts ...string) []byte {
	size := 0
	for _, p := range parts {
		size += 4 + len(p)
	}
	b := make([]byte, 0, size)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}
