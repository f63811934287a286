package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 5869 appendix A, test cases 1 to 3.
func TestHKDFKnownAnswers(t *testing.T) {
	sequence := func(from, to byte) (b []byte) {
		for c := int(from); c <= int(to); c++ {
			b = append(b, byte(c))
		}
		return b
	}
	cases := []struct {
		key, salt, info []byte
		want            string
	}{
		{bytes.Repeat([]byte{0x0b}, 22), sequence(0x00, 0x0c), sequence(0xf0, 0xf9),
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{sequence(0x00, 0x4f), sequence(0x60, 0xaf), sequence(0xb0, 0xff),
			"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
		{bytes.Repeat([]byte{0x0b}, 22), nil, nil,
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
	}
	for i, c := range cases {
		got, err := hkdf.Key(sha256.New, c.key, c.salt, string(c.info), len(c.want)/2)
		if err != nil || !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("case %d: %x, %v", i+1, got, err)
		}
	}
}

// The derivation written out by RFC 2104 and RFC 5869, so that the form of what
// is stored cannot change unseen.
func TestSealedFormIsAsDocumented(t *testing.T) {
	key, aad := bytes.Repeat([]byte{7}, KeySize), []byte("place")
	sealed, err := seal(key, aad, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, parts ...[]byte) []byte {
		h := hmac.New(sha256.New, key)
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	salt, commitment, nonce, rest := sealed[:16], sealed[16:48], sealed[48:60], sealed[60:]
	info := []byte("ccms commit 1\x00place")
	prk := mac(salt, key)
	t1 := mac(prk, info, []byte{1})
	t2 := mac(prk, t1, info, []byte{2})
	if !bytes.Equal(commitment, t2) {
		t.Error("the commitment is not the second half of HKDF's output")
	}
	block, err := aes.NewCipher(t1)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if content, err := gcm.Open(nil, nonce, rest, aad); err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestEveryChangeOfASealIsRefused(t *testing.T) {
	key, aad := bytes.Repeat([]byte{7}, KeySize), []byte("place")
	sealed, err := seal(key, aad, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		if _, err := open(key, aad, sealed[:i]); !errors.Is(err, ErrOpen) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			if _, err := open(key, aad, bad); !errors.Is(err, ErrOpen) {
				t.Errorf("bit %d of byte %d: %v", bit, i, err)
			}
		}
	}
	for bit := range 8 * KeySize {
		other := bytes.Clone(key)
		other[bit/8] ^= 1 << (bit % 8)
		if _, err := open(other, aad, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("key bit %d: %v", bit, err)
		}
	}
	if _, err := open(key[:31], aad, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("a short key: %v", err)
	}
}

func TestSaltsAndNoncesNeverRepeat(t *testing.T) {
	key := bytes.Repeat([]byte{7}, KeySize)
	salts, nonces := map[string]bool{}, map[string]bool{}
	const n = 20_000
	for range n {
		sealed, err := seal(key, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		salts[string(sealed[:saltSize])] = true
		nonces[string(sealed[saltSize+commitmentSize:][:12])] = true
	}
	if len(salts) != n || len(nonces) != n {
		t.Errorf("%d salts and %d nonces of %d seals", len(salts), len(nonces), n)
	}
}

// Plain GCM does not commit: a ciphertext can be made that opens under two
// keys. The same craft against seal is refused under one of them.
func TestCraftedTwoKeyCiphertextIsRefused(t *testing.T) {
	keys := [2][]byte{make([]byte, KeySize), make([]byte, KeySize)}
	salt := make([]byte, saltSize)
	nonce := make([]byte, 12)
	for _, b := range [][]byte{keys[0], keys[1], salt, nonce} {
		_, _ = rand.Read(b)
	}
	// What an attacker who knows both keys can compute.
	var derived [2][]byte
	var commitments [2][]byte
	for i, key := range keys {
		both, err := hkdf.Key(sha256.New, key, salt, "ccms commit 1\x00", KeySize+commitmentSize)
		if err != nil {
			t.Fatal(err)
		}
		derived[i], commitments[i] = both[:KeySize], both[KeySize:]
	}
	data := twoKeyCiphertext(t, derived[0], derived[1], nonce)
	for i, key := range derived {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gcm.Open(nil, nonce, data, nil); err != nil {
			t.Fatalf("the craft fails: plain GCM refuses under key %d: %v", i, err)
		}
	}
	for i := range keys {
		sealed := bytes.Join([][]byte{salt, commitments[i], nonce, data}, nil)
		if _, err := open(keys[i], nil, sealed); err != nil {
			t.Errorf("under the key it commits to: %v", err)
		}
		if _, err := open(keys[1-i], nil, sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("under the other key: %v", err)
		}
	}
}

// twoKeyCiphertext returns two blocks and a tag that open under both keys. The
// tag is c1·H³ + c2·H² + len·H + E(J0); c1 is free and c2 is solved for.
func twoKeyCiphertext(t *testing.T, key1, key2, nonce []byte) []byte {
	t.Helper()
	var h [2]element
	var mask [2]element
	for i, key := range [][]byte{key1, key2} {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		var b [16]byte
		block.Encrypt(b[:], b[:])
		h[i] = elementOf(b[:])
		block.Encrypt(b[:], append(bytes.Clone(nonce), 0, 0, 0, 1))
		mask[i] = elementOf(b[:])
	}
	c1 := make([]byte, 16)
	_, _ = rand.Read(c1)
	length := element{0, 2 * 128}
	// The part of each tag that does not depend on c2.
	fixed := func(i int) element {
		square := h[i].times(h[i])
		return elementOf(c1).times(square.times(h[i])).plus(length.times(h[i])).plus(mask[i])
	}
	c2 := fixed(0).plus(fixed(1)).times(h[0].times(h[0]).plus(h[1].times(h[1])).inverse())
	tag := fixed(0).plus(c2.times(h[0].times(h[0])))
	return bytes.Join([][]byte{c1, c2.bytes(), tag.bytes()}, nil)
}

// element is one of GF(2^128) in GCM's bit order (SP 800-38D section 6.3): the
// first bit of the first word is the coefficient of 1.
type element [2]uint64

func elementOf(b []byte) element {
	return element{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

func (e element) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, e[0]), e[1])
}

func (e element) plus(o element) element { return element{e[0] ^ o[0], e[1] ^ o[1]} }

func (e element) times(o element) element {
	var z element
	v := o
	for i := range 128 {
		if e[i/64]>>(63-i%64)&1 == 1 {
			z = z.plus(v)
		}
		carry := v[1] & 1
		v = element{v[0] >> 1, v[0]<<63 | v[1]>>1}
		if carry == 1 {
			v[0] ^= 0xe1 << 56
		}
	}
	return z
}

// inverse is e to the power 2^128−2.
func (e element) inverse() element {
	result := element{1 << 63, 0}
	square := e
	for range 127 {
		square = square.times(square)
		result = result.times(square)
	}
	return result
}

func TestSealAndOpenAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), KeySize, KeySize).Draw(t, "key")
		aad := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "aad")
		content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "content")
		sealed, err := seal(key, aad, content)
		if err != nil || len(sealed) != saltSize+commitmentSize+gcmOverhead+len(content) {
			t.Fatal(len(sealed), err)
		}
		if got, err := open(key, aad, sealed); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%x, %v", got, err)
		}
		if _, err := open(key, append(aad, 0), sealed); !errors.Is(err, ErrOpen) {
			t.Fatal("opens with other data")
		}
	})
}

func FuzzOpenSealed(f *testing.F) {
	key := bytes.Repeat([]byte{7}, KeySize)
	sealed, err := seal(key, nil, []byte("content"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte(nil))
	f.Add(make([]byte, saltSize+commitmentSize+gcmOverhead))
	f.Fuzz(func(t *testing.T, b []byte) {
		if content, err := open(key, nil, b); err == nil && string(content) != "content" {
			t.Fatalf("%x opens to %q", b, content)
		}
	})
}
