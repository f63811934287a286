package vault

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"ccms/internal/secret"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// AES-256-GCM known answers with 96-bit nonces: McGrew and Viega, "The
// Galois/Counter Mode of Operation", test cases 13 to 16 (the examples of
// SP 800-38D).
func TestGCMKnownAnswers(t *testing.T) {
	const (
		zero = "0000000000000000000000000000000000000000000000000000000000000000"
		key  = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
		text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
		ct   = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	)
	cases := []struct{ name, key, nonce, plain, aad, data, tag string }{
		{"case 13, nothing", zero, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
		{"case 14, a block of zeros", zero, "000000000000000000000000", "00000000000000000000000000000000", "",
			"cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
		{"case 15, four blocks", key, "cafebabefacedbaddecaf888", text + "1aafd255", "",
			ct + "898015ad", "b094dac5d93471bdec1a502270e3cc6c"},
		{"case 16, additional data", key, "cafebabefacedbaddecaf888", text, "feedfacedeadbeeffeedfacedeadbeefabaddad2",
			ct, "76fc6ece0f4e1768cddf8853bb2d551b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			gcm, err := newGCM(unhex(t, c.key))
			if err != nil {
				t.Fatal(err)
			}
			sealed := unhex(t, c.nonce+c.data+c.tag)
			got, err := gcm.Open(nil, nil, sealed, unhex(t, c.aad))
			if err != nil || !bytes.Equal(got, unhex(t, c.plain)) {
				t.Fatalf("%x, %v", got, err)
			}
			for i := range sealed {
				bad := bytes.Clone(sealed)
				bad[i] ^= 0x80
				if _, err := gcm.Open(nil, nil, bad, unhex(t, c.aad)); err == nil {
					t.Fatalf("byte %d changed and it opens", i)
				}
			}
		})
	}
}

// HMAC-SHA-256 known answers: RFC 4231 section 4, test cases 1 to 4, 6 and 7.
func TestHMACKnownAnswers(t *testing.T) {
	repeat := func(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }
	cases := []struct {
		key, data []byte
		want      string
	}{
		{repeat(0x0b, 20), []byte("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{[]byte("Jefe"), []byte("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{repeat(0xaa, 20), repeat(0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{unhex(t, "0102030405060708090a0b0c0d0e0f10111213141516171819"), repeat(0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
		{repeat(0xaa, 131), []byte("Test Using Larger Than Block-Size Key - Hash Key First"), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{repeat(0xaa, 131), []byte("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm."),
			"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
	}
	for i, c := range cases {
		mac := hmac.New(sha256.New, c.key)
		mac.Write(c.data)
		if got := mac.Sum(nil); !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("case %d: %x", i+1, got)
		}
	}
}

// A fingerprint is HMAC-SHA-256 (RFC 2104, written out here) over what the
// comment says, so that stored ones stay findable.
func TestFingerprintIsAsDocumented(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	message := []byte{}
	for _, part := range []string{"ccms vault fingerprint", "test", "firm", "4111111111111111"} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(part)))
		message = append(message, part...)
	}
	pad := func(b byte) []byte {
		p := bytes.Repeat([]byte{b}, 64)
		for i := range key {
			p[i] ^= key[i]
		}
		return p
	}
	inner := sha256.Sum256(append(pad(0x36), message...))
	want := sha256.Sum256(append(pad(0x5c), inner[:]...))
	if got := fingerprint(key, "test", "firm", []byte("4111111111111111")); !bytes.Equal(got, want[:]) {
		t.Errorf("%x, want %x", got, want)
	}
}

// openKeys wraps nothing: it shows the test the record keys.
type openKeys struct {
	key, copy, aad []byte
}

func (k *openKeys) Wrap(_ context.Context, _ string, key, aad []byte) (Wrapped, error) {
	k.key, k.copy, k.aad = key, bytes.Clone(key), aad
	return Wrapped{KeyID: "id", Version: 7, Key: []byte("wrapped")}, nil
}

func (k *openKeys) Unwrap(context.Context, string, Wrapped, []byte) (secret.Bytes, error) {
	k.key = bytes.Clone(k.copy)
	return secret.New(k.key), nil
}

func (k *openKeys) Secrets(context.Context, string) (Secrets, error) {
	return Secrets{Active: Secret{1, secret.New(bytes.Repeat([]byte{7}, 32))}}, nil
}

// The form written out byte by byte, so that stored values stay readable.
func TestSealedFormIsAsDocumented(t *testing.T) {
	keys := &openKeys{}
	v := New(Config{Keys: keys})
	at := Place{Owner: "o", Record: "r", Field: "f"}
	sealed, err := v.Seal(t.Context(), at, []byte("content"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(sealed[len("AES256{") : len(sealed)-1])
	if err != nil {
		t.Fatal(err)
	}
	head := []byte("\x01\x02id\x00\x00\x00\x07\x00\x07wrapped")
	if !bytes.HasPrefix(b, head) {
		t.Fatalf("begins with %q, want %q", b[:len(head)], head)
	}
	block, err := aes.NewCipher(keys.copy)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	const rest = "\x00\x00\x00\x011\x00\x00\x00\x07default\x00\x00\x00\x01o\x00\x00\x00\x01r\x00\x00\x00\x01f"
	data := b[len(head):]
	content, err := gcm.Open(nil, data[:12], data[12:], []byte("\x00\x00\x00\x0fccms vault data"+rest))
	if err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
	if want := "\x00\x00\x00\x15ccms vault record key" + rest; string(keys.aad) != want {
		t.Errorf("the wrap binds %q, want %q", keys.aad, want)
	}
}

func TestRecordKeyIsWipedAfterUse(t *testing.T) {
	keys := &openKeys{}
	v := New(Config{Keys: keys})
	at := Place{Owner: "o", Record: "r", Field: "f"}
	wiped := func(after string) {
		t.Helper()
		if len(keys.key) != keySize || !bytes.Equal(keys.key, make([]byte, keySize)) {
			t.Errorf("after %s the record key is still there", after)
		}
	}
	sealed, err := v.Seal(t.Context(), at, []byte("content"))
	if err != nil || bytes.Equal(keys.copy, make([]byte, keySize)) {
		t.Fatal("no record key", err)
	}
	wiped("Seal")
	if _, err := v.Open(t.Context(), at, sealed); err != nil {
		t.Fatal(err)
	}
	wiped("Open")
	if _, err := v.Rewrap(t.Context(), at, sealed); err != nil {
		t.Fatal(err)
	}
	wiped("Rewrap")
}

// A keyring whose ids or wraps do not fit the form is an error, not a value
// that nobody can open.
func TestOversizedWrapIsAnError(t *testing.T) {
	for _, w := range []Wrapped{
		{}, {KeyID: "id"}, {Key: []byte("k")}, {KeyID: string(make([]byte, maxID+1)), Key: []byte("k")}, {KeyID: "id", Key: make([]byte, maxWrap+1)},
	} {
		if s, err := (envelope{Wrapped: w}).encode(); err == nil {
			t.Errorf("%q", s)
		}
	}
}

func TestBindIsUnambiguous(t *testing.T) {
	lists := [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"ab", ""}, {"a", "b", ""}, {"a\x00b"},
		{"\x00\x00\x00\x01a"}, {"\x00\x00\x00\x01", "a"}, {"b", "a"},
	}
	seen := map[string]int{}
	for i, l := range lists {
		b := string(Bind(l...))
		if j, taken := seen[b]; taken {
			t.Errorf("%q and %q give the same bytes", l, lists[j])
		}
		seen[b] = i
	}
}
