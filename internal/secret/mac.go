package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

// NewMAC returns HMAC-SHA-256 under key. Its Reset wipes what was buffered of
// the text, which that of crypto/hmac does from the second time on.
func NewMAC(key []byte) hash.Hash {
	m := hmac.New(sha256.New, key)
	m.Reset()
	return m
}

// MAC is the HMAC-SHA-256 under key of parts, one after the other. It leaves
// nothing of them behind.
func MAC(key []byte, parts ...[]byte) []byte {
	sum := make([]byte, 0, sha256.Size)
	Do(func() {
		m := NewMAC(key)
		for _, p := range parts {
			m.Write(p)
		}
		sum = m.Sum(sum)
		m.Reset()
	})
	return sum
}
