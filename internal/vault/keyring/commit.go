package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
)

// What seal makes: salt 16 · commitment 32 · nonce 12 · ciphertext · tag 16.
const (
	saltSize       = 16
	commitmentSize = 32
	gcmOverhead    = 28
)

// seal is AES-256-GCM with two properties that GCM under key alone lacks.
//
// It commits to the key: GCM ciphertexts can be crafted that open under two
// keys, to different contents. Here HKDF-SHA-256 derives from key, a random
// salt and the additional data both the key GCM uses and a commitment, which is
// compared before anything is decrypted; a second key with the same commitment
// would be a collision of SHA-256. (This is how the AWS Encryption SDK and
// DNDK-GCM, draft-irtf-cfrg-dndkgcm, commit.)
//
// And it has no limit of 2^32 messages: each salt gives GCM a key of its own,
// and one key-encryption key wraps the record keys of all cardholders.
func seal(key, aad, plaintext []byte) ([]byte, error) {
	out := make([]byte, saltSize, saltSize+commitmentSize+gcmOverhead+len(plaintext))
	_, _ = rand.Read(out) // never fails: it crashes the program instead
	gcm, commitment, err := derive(key, out, aad)
	if err != nil {
		return nil, err
	}
	out = append(out, commitment...)
	return gcm.Seal(out, nil, plaintext, aad), nil
}

// open opens what seal made with the same key and aad, else ErrOpen.
func open(key, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < saltSize+commitmentSize+gcmOverhead {
		return nil, ErrOpen
	}
	salt, rest := sealed[:saltSize], sealed[saltSize:]
	gcm, commitment, err := derive(key, salt, aad)
	if err != nil || subtle.ConstantTimeCompare(commitment, rest[:commitmentSize]) != 1 {
		return nil, ErrOpen
	}
	plaintext, err := gcm.Open(nil, nil, rest[commitmentSize:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func derive(key, salt, aad []byte) (cipher.AEAD, []byte, error) {
	both, err := hkdf.Key(sha256.New, key, salt, "ccms commit 1\x00"+string(aad), KeySize+commitmentSize)
	if err != nil {
		return nil, nil, err
	}
	defer clear(both[:KeySize])
	block, err := aes.NewCipher(both[:KeySize])
	if err != nil {
		return nil, nil, err
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	return gcm, both[KeySize:], err
}
