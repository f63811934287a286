package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ccms/internal/problem"
	"ccms/internal/store/storetest"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
)

const number = "4111111111111111"

// house is a vault on a real keyring on a real store.
type house struct {
	fault *storetest.Fault
	root  *keyring.File
	ring  *keyring.Ring
	vault *vault.Vault
}

func newHouse(t testing.TB) *house {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := keyring.CreateFile(path); err != nil {
		t.Fatal(err)
	}
	root, err := keyring.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{fault: storetest.NewFault(storetest.New(t)), root: root}
	h.ring = h.newRing(t)
	h.vault = vault.New(vault.Config{Keys: h.ring, Environment: "test"})
	return h
}

func (h *house) newRing(t testing.TB) *keyring.Ring {
	t.Helper()
	ring, err := keyring.Open(t.Context(), keyring.Config{Root: h.root, DB: h.fault, Environment: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func (h *house) seal(t testing.TB, at vault.Place, content string) string {
	t.Helper()
	sealed, err := h.vault.Seal(t.Context(), at, []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// refuses checks that a value does not open, and that the error tells nothing.
func (h *house) refuses(t *testing.T, what string, at vault.Place, sealed string) {
	t.Helper()
	content, err := h.vault.Open(t.Context(), at, sealed)
	if err == nil || content.Len() != 0 {
		t.Fatalf("%s: opens", what)
	}
	if !errors.Is(err, vault.ErrOpen) || err.Error() != vault.ErrOpen.Error() {
		t.Fatalf("%s: the error is %q", what, err)
	}
}

var place = vault.Place{Owner: "cardholders", Record: "customer-1/7", Field: "number"}

func TestSealedValueOpensInItsPlace(t *testing.T) {
	h := newHouse(t)
	sealed := h.seal(t, place, number)
	content, err := h.vault.Open(t.Context(), place, sealed)
	if err != nil || string(content.Reveal()) != number {
		t.Fatalf("%s, %v", content.Reveal(), err)
	}
	again := vault.New(vault.Config{Keys: h.newRing(t), Environment: "test"})
	if content, err := again.Open(t.Context(), place, sealed); err != nil || string(content.Reveal()) != number {
		t.Errorf("after a restart: %v", err)
	}
}

func TestSealedFormIsTheContracts(t *testing.T) {
	h := newHouse(t)
	w, err := h.ring.Wrap(t.Context(), place.Owner, make([]byte, 32), nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed := h.seal(t, place, number)
	m := regexp.MustCompile(`^AES256\{([A-Za-z0-9+/]+={0,2})\}$`).FindStringSubmatch(sealed)
	if m == nil {
		t.Fatalf("the form is %q", sealed)
	}
	b, err := base64.StdEncoding.DecodeString(m[1])
	if err != nil {
		t.Fatal(err)
	}
	head := append([]byte{1, byte(len(w.KeyID))}, w.KeyID...)
	head = append(head, 0, 0, 0, 1, 0, byte(len(w.Key)))
	if !bytes.HasPrefix(b, head) {
		t.Errorf("begins with %x, want format, key id, version and length of the wrap: %x", b[:len(head)], head)
	}
	if want := len(head) + len(w.Key) + 12 + len(number) + 16; len(b) != want {
		t.Errorf("%d bytes, want %d", len(b), want)
	}
	if bytes.Contains(b, []byte(number)) || strings.Contains(sealed, number) {
		t.Error("the number is readable")
	}
}

// X2: every single-bit change of 100 records, in the bytes and in the text.
func TestEverySingleBitChangeIsRefused(t *testing.T) {
	h := newHouse(t)
	for i := range 100 {
		at := place
		at.Record = fmt.Sprintf("record-%d", i)
		sealed := h.seal(t, at, number)
		b := decode(t, sealed)
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			h.refuses(t, fmt.Sprintf("record %d, bit %d", i, bit), at, encode(b))
			b[bit/8] ^= 1 << (bit % 8)
		}
		if i > 0 {
			continue
		}
		text := []byte(sealed)
		for bit := range 8 * len(text) {
			text[bit/8] ^= 1 << (bit % 8)
			h.refuses(t, fmt.Sprintf("bit %d of the text", bit), at, string(text))
			text[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func decode(t *testing.T, sealed string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(sealed, "AES256{"), "}"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func encode(b []byte) string { return "AES256{" + base64.StdEncoding.EncodeToString(b) + "}" }

func TestEveryTruncationAndExtensionIsRefused(t *testing.T) {
	h := newHouse(t)
	sealed := h.seal(t, place, number)
	b := decode(t, sealed)
	for i := range b {
		h.refuses(t, fmt.Sprintf("cut to %d bytes", i), place, encode(b[:i]))
		h.refuses(t, fmt.Sprintf("from byte %d", i+1), place, encode(b[i+1:]))
		h.refuses(t, fmt.Sprintf("without byte %d", i), place, encode(append(bytes.Clone(b[:i]), b[i+1:]...)))
		h.refuses(t, fmt.Sprintf("a byte put in at %d", i), place, encode(append(append(bytes.Clone(b[:i]), 0), b[i:]...)))
	}
	for i := range sealed {
		h.refuses(t, fmt.Sprintf("text cut to %d", i), place, sealed[:i])
	}
	h.refuses(t, "a byte behind", place, encode(append(bytes.Clone(b), 0)))
}

func TestOneValueHasOneSpelling(t *testing.T) {
	h := newHouse(t)
	for _, content := range []string{"", "1", "12", number} { // each length of padding
		sealed := h.seal(t, place, content)
		inner := strings.TrimSuffix(strings.TrimPrefix(sealed, "AES256{"), "}")
		bare := strings.TrimRight(inner, "=")
		spellings := map[string]string{
			"another case of the prefix": "aes256{" + inner + "}",
			"no prefix":                  inner,
			"a space before":             " " + sealed,
			"a line break behind":        sealed + "\n",
			"a line break inside":        "AES256{" + inner[:20] + "\n" + inner[20:] + "}",
			"a CR inside":                "AES256{" + inner[:20] + "\r" + inner[20:] + "}",
			"a line break at the end":    "AES256{" + inner + "\n}",
			"a space inside":             "AES256{" + inner[:20] + " " + inner[20:] + "}",
			"more padding":               "AES256{" + inner + "=}",
			"two braces":                 "AES256{" + inner + "}}",
			"the prefix twice":           "AES256{" + sealed + "}",
			"a NUL":                      "AES256{" + inner + "\x00}",
		}
		if bare != inner {
			spellings["no padding"] = "AES256{" + bare + "}"
			alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
			last := strings.IndexByte(alphabet, bare[len(bare)-1])
			spellings["stray bits"] = "AES256{" + bare[:len(bare)-1] + alphabet[last^1:][:1] + inner[len(bare):] + "}"
		}
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(inner); url != inner {
			spellings["the URL alphabet"] = "AES256{" + url + "}"
		}
		for what, s := range spellings {
			h.refuses(t, what, place, s)
		}
	}
}

// X2: 10,100 swaps between 101 records.
func TestEverySwapBetweenTwoRecordsIsRefused(t *testing.T) {
	h := newHouse(t)
	places := make([]vault.Place, 101)
	sealed := make([]string, len(places))
	for i := range places {
		places[i] = place
		places[i].Record = fmt.Sprintf("record-%d", i)
		sealed[i] = h.seal(t, places[i], number)
	}
	for i := range places {
		for j := range places {
			if i != j {
				h.refuses(t, fmt.Sprintf("%d in the place of %d", j, i), places[i], sealed[j])
			}
		}
	}
}

func TestSealedValueMovedElsewhereIsRefused(t *testing.T) {
	h := newHouse(t)
	sealed := h.seal(t, place, number)
	h.seal(t, vault.Place{Owner: "firm-1", Record: place.Record, Field: place.Field}, number)
	elsewhere := map[string]vault.Place{
		"another owner":              {Owner: "firm-1", Record: place.Record, Field: place.Field},
		"an owner without a key":     {Owner: "firm-2", Record: place.Record, Field: place.Field},
		"another record":             {Owner: place.Owner, Record: "customer-1/8", Field: place.Field},
		"another field":              {Owner: place.Owner, Record: place.Record, Field: "name"},
		"record and field exchanged": {Owner: place.Owner, Record: place.Field, Field: place.Record},
		"a record cut elsewhere":     {Owner: place.Owner, Record: "customer-1/", Field: "7number"},
		"no place":                   {},
		"no owner":                   {Record: place.Record, Field: place.Field},
	}
	for what, at := range elsewhere {
		if at.Owner == "" {
			if _, err := h.vault.Open(t.Context(), at, sealed); err == nil {
				t.Errorf("%s: opens", what)
			}
			continue
		}
		h.refuses(t, what, at, sealed)
	}
	live := vault.New(vault.Config{Keys: h.ring, Environment: "live"})
	if _, err := live.Open(t.Context(), place, sealed); !errors.Is(err, vault.ErrOpen) {
		t.Errorf("another environment: %v", err)
	}
}

// Parts of two sealed values put together: the record key of one with the data
// of the other, in the same place and elsewhere.
func TestPartsOfTwoValuesDoNotFit(t *testing.T) {
	h := newHouse(t)
	other := place
	other.Record = "customer-2/1"
	here1, here2, there := decode(t, h.seal(t, place, number)), decode(t, h.seal(t, place, "5555555555554444")), decode(t, h.seal(t, other, "5555555555554444"))
	data := len(here1) - 12 - len(number) - 16
	for what, b := range map[string][]byte{
		"key of one, data of the other":     append(bytes.Clone(here1[:data]), here2[data:]...),
		"data of another record":            append(bytes.Clone(here1[:data]), there[data:]...),
		"key of another record":             append(bytes.Clone(there[:data]), here1[data:]...),
		"nonce of one, the rest of another": append(bytes.Clone(here1[:data+12]), here2[data+12:]...),
		"tag of the other":                  append(bytes.Clone(here1[:len(here1)-16]), here2[len(here2)-16:]...),
	} {
		h.refuses(t, what, place, encode(b))
	}
}

func TestSealNeedsAPlaceAndABoundedContent(t *testing.T) {
	h := newHouse(t)
	for _, at := range []vault.Place{{}, {Owner: "o", Record: "r"}, {Owner: "o", Field: "f"}, {Record: "r", Field: "f"}} {
		if _, err := h.vault.Seal(t.Context(), at, []byte(number)); err == nil || strings.Contains(err.Error(), number) {
			t.Errorf("%+v: %v", at, err)
		}
	}
	if _, err := h.vault.Seal(t.Context(), place, make([]byte, vault.MaxPlaintext+1)); err == nil {
		t.Error("takes more than MaxPlaintext")
	}
	sealed := h.seal(t, place, strings.Repeat("x", vault.MaxPlaintext))
	if content, err := h.vault.Open(t.Context(), place, sealed); err != nil || content.Len() != vault.MaxPlaintext {
		t.Errorf("the largest content: %d bytes, %v", content.Len(), err)
	}
	h.refuses(t, "a huge text", place, "AES256{"+strings.Repeat("A", 1<<20)+"}")
}

func TestFailureOfTheStoreIsNotErrOpen(t *testing.T) {
	h := newHouse(t)
	sealed := h.seal(t, place, number)
	fresh := vault.New(vault.Config{Keys: h.newRing(t), Environment: "test"})
	h.fault.Add(storetest.Rule{Err: errors.New("disk on fire")})
	_, opening := fresh.Open(t.Context(), place, sealed)
	_, sealing := fresh.Seal(t.Context(), place, []byte(number))
	_, finding := fresh.Fingerprints(t.Context(), place.Owner, []byte(number))
	_, rewrapping := fresh.Rewrap(t.Context(), place, sealed)
	for what, err := range map[string]error{"open": opening, "seal": sealing, "fingerprint": finding, "rewrap": rewrapping} {
		if !errors.Is(err, problem.Database(nil)) || errors.Is(err, vault.ErrOpen) {
			t.Errorf("%s: %v", what, err)
		}
		if strings.Contains(err.Error(), number) {
			t.Errorf("%s: the error shows the number", what)
		}
	}
}

func TestEachSealHasANonceAndARecordKeyOfItsOwn(t *testing.T) {
	h := newHouse(t)
	const n = 5_000
	values, nonces, wraps := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for range n {
		b := decode(t, h.seal(t, place, number))
		data := len(b) - 12 - len(number) - 16
		values[string(b)], nonces[string(b[data:data+12])] = true, true
		wraps[string(b[:data])] = true
	}
	if len(values) != n || len(nonces) != n || len(wraps) != n {
		t.Errorf("%d values, %d nonces, %d wraps of %d seals", len(values), len(nonces), len(wraps), n)
	}
}

func TestRewrapMovesTheRecordKeyAndLeavesTheData(t *testing.T) {
	h := newHouse(t)
	sealed := h.seal(t, place, number)
	if same, err := h.vault.Rewrap(t.Context(), place, sealed); err != nil || same != sealed {
		t.Errorf("under the active version already: changed, %v", err)
	}
	if _, err := h.ring.Rotate(t.Context(), place.Owner); err != nil {
		t.Fatal(err)
	}
	if content, err := h.vault.Open(t.Context(), place, sealed); err != nil || string(content.Reveal()) != number {
		t.Fatalf("the old value after a rotation: %v", err)
	}
	moved, err := h.vault.Rewrap(t.Context(), place, sealed)
	if err != nil || moved == sealed {
		t.Fatalf("not moved, %v", err)
	}
	data := 12 + len(number) + 16
	before, after := decode(t, sealed), decode(t, moved)
	if !bytes.Equal(before[len(before)-data:], after[len(after)-data:]) {
		t.Error("the data changed")
	}
	if content, err := h.vault.Open(t.Context(), place, moved); err != nil || string(content.Reveal()) != number {
		t.Errorf("the moved value: %v", err)
	}
	other := place
	other.Record = "elsewhere"
	h.refuses(t, "the moved value elsewhere", other, moved)
	if _, err := h.vault.Rewrap(t.Context(), other, sealed); !errors.Is(err, vault.ErrOpen) {
		t.Errorf("rewrap elsewhere: %v", err)
	}
	if _, err := h.vault.Rewrap(t.Context(), place, "AES256{}"); !errors.Is(err, vault.ErrOpen) {
		t.Errorf("rewrap of nothing: %v", err)
	}
}

// Rewrap never opens the data: it moves the key of a value whose data is
// damaged, and that value still does not open.
func TestRewrapDoesNotTouchTheData(t *testing.T) {
	h := newHouse(t)
	b := decode(t, h.seal(t, place, number))
	b[len(b)-1] ^= 1
	if _, err := h.ring.Rotate(t.Context(), place.Owner); err != nil {
		t.Fatal(err)
	}
	moved, err := h.vault.Rewrap(t.Context(), place, encode(b))
	if err != nil {
		t.Fatal(err)
	}
	h.refuses(t, "damaged data under the new key", place, moved)
}

func TestFingerprintFindsAnOwnersNumberAndTellsNothingElse(t *testing.T) {
	h := newHouse(t)
	print := func(v *vault.Vault, owner, digits string) string {
		t.Helper()
		f, err := v.Fingerprints(t.Context(), owner, []byte(digits))
		if err != nil || f.Next != "" || f.Retired != nil {
			t.Fatal(f, err)
		}
		return f.Active
	}
	f := print(h.vault, "cardholders", number)
	if !regexp.MustCompile(`^f1\.[A-Za-z0-9_-]{43}$`).MatchString(f) || strings.Contains(f, "1111") {
		t.Errorf("the form is %q", f)
	}
	restarted := vault.New(vault.Config{Keys: h.newRing(t), Environment: "test"})
	if print(restarted, "cardholders", number) != f {
		t.Error("another value after a restart")
	}
	for what, other := range map[string]string{
		"another number":         print(h.vault, "cardholders", "4111111111111112"),
		"another owner":          print(h.vault, "firm-1", number),
		"a number cut elsewhere": print(h.vault, "cardholders4", number[1:]),
		"another environment":    print(vault.New(vault.Config{Keys: h.ring, Environment: "live"}), "cardholders", number),
		"another installation":   print(newHouse(t).vault, "cardholders", number),
	} {
		if other == f {
			t.Errorf("%s has the same value", what)
		}
	}
	if _, err := h.ring.Rotate(t.Context(), "cardholders"); err != nil {
		t.Fatal(err)
	}
	if print(h.vault, "cardholders", number) != f {
		t.Error("a rotation of the owner's key changes it")
	}
	for _, bad := range [][2]string{{"", number}, {"cardholders", ""}} {
		if _, err := h.vault.Fingerprints(t.Context(), bad[0], []byte(bad[1])); err == nil {
			t.Errorf("%q has a fingerprint", bad)
		}
	}
}

func TestTokensAreRandomAndOfTheirForm(t *testing.T) {
	form := regexp.MustCompile(`^tok_[a-z2-7]{26}$`)
	seen := map[string]bool{}
	for range 10_000 {
		token := vault.NewToken()
		if !form.MatchString(token) || seen[token] {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
}

func TestManyGoroutinesSealAndOpen(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			at := vault.Place{Owner: fmt.Sprintf("firm-%d", i%4), Record: fmt.Sprint(i), Field: "number"}
			for n := range 50 {
				want := fmt.Sprintf("content %d of %d", n, i)
				sealed, err := h.vault.Seal(t.Context(), at, []byte(want))
				if err != nil {
					t.Error(err)
					return
				}
				if content, err := h.vault.Open(t.Context(), at, sealed); err != nil || string(content.Reveal()) != want {
					t.Errorf("%s, %v", content.Reveal(), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAnyContentComesBackFromAnyPlace(t *testing.T) {
	h := newHouse(t)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringN(1, 20, 100)
		at := vault.Place{Owner: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "owner"), Record: name.Draw(rt, "record"), Field: name.Draw(rt, "field")}
		content := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(rt, "content")
		sealed, err := h.vault.Seal(t.Context(), at, content)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := h.vault.Open(t.Context(), at, sealed)
		if err != nil || !bytes.Equal(got.Reveal(), content) {
			rt.Fatalf("%x, %v", got.Reveal(), err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	h := newHouse(f)
	f.Add(h.seal(f, place, number))
	f.Add("AES256{9cGzKr3+XuVY8zHHVk9kCA==}") // the contract's own sample
	f.Add("AES256{}")
	f.Add("")
	f.Add(encode(append([]byte{1, 1, 'k', 0, 0, 0, 1, 0, 1, 0}, make([]byte, 28)...)))
	f.Fuzz(func(t *testing.T, sealed string) {
		content, err := h.vault.Open(t.Context(), place, sealed)
		if err == nil && string(content.Reveal()) != number {
			t.Fatalf("%q opens to %q", sealed, content.Reveal())
		}
		if err != nil && err.Error() != vault.ErrOpen.Error() {
			t.Fatalf("%q: %v", sealed, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	h := newHouse(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.vault.Seal(b.Context(), place, []byte(number)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	h := newHouse(b)
	sealed := h.seal(b, place, number)
	b.ReportAllocs()
	for b.Loop() {
		content, err := h.vault.Open(b.Context(), place, sealed)
		if err != nil {
			b.Fatal(err)
		}
		content.Wipe()
	}
}

func BenchmarkFingerprint(b *testing.B) {
	h := newHouse(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.vault.Fingerprints(b.Context(), place.Owner, []byte(number)); err != nil {
			b.Fatal(err)
		}
	}
}
