package secret_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"ccms/internal/secret"
)

func TestMACIsHMAC(t *testing.T) {
	for _, size := range []int{0, 1, 32, 64, 65, 200} {
		key, text := bytes.Repeat([]byte{7}, size), bytes.Repeat([]byte("text"), size)
		m := hmac.New(sha256.New, key)
		m.Write(text)
		want := m.Sum(nil)
		if got := secret.MAC(key, text[:size], nil, text[size:]); !bytes.Equal(got, want) {
			t.Errorf("of %d bytes: %x, want %x", size, got, want)
		}
		again := secret.NewMAC(key)
		for range 2 {
			again.Write(text)
			if got := again.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("again of %d bytes: %x, want %x", size, got, want)
			}
			again.Reset()
		}
	}
}
