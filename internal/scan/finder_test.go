package scan

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"pgregory.net/rapid"

	"ccms/internal/card"
)

// found lists what is found in text, as offset, brand, masked number and form.
func found(text string) []string {
	var all []string
	f := finder{report: func(m match) { all = append(all, describe(m)) }}
	f.text([]byte(text))
	return all
}

func describe(m match) string {
	return strings.TrimSpace(fmt.Sprint(m.offset, " ", m.number.Brand().ID, " ", m.number.Last4(), " ", m.form))
}

func TestWhatIsACardNumber(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"alone", "4111111111111111", "0 visa 1111"},
		{"in a sentence", "Paid with 5105105105105100, thank you.", "10 mastercard 5100"},
		{"between letters", "pan4111111111111111x", "3 visa 1111"},
		{"between underscores", "card_4111111111111111_1", "5 visa 1111"},
		{"at the end of a sentence", "It is 4111111111111111.", "6 visa 1111"},
		{"track 2", ";4111111111111111=30121010000000000000?", "1 visa 1111"},
		{"in JSON", `{"pan":4111111111111111,"cvv":null}`, "7 visa 1111"},
		{"as a data frame writes it", "x,4111111111111111.0\n", "2 visa 1111"},
		{"with spaces", "4111 1111 1111 1111", "0 visa 1111"},
		{"with hyphens", "4111-1111-1111-1111", "0 visa 1111"},
		{"with points", "4111.1111.1111.1111", "0 visa 1111"},
		{"as a form sends it", "n=4111+1111+1111+1111", "2 visa 1111"},
		{"in the groups of its brand", "3782 822463 10005", "0 american-express 0005"},
		{"nineteen digits", "4111141011111111116", "0 visa 1116"},
		{"nineteen in groups", "4111 1410 1111 1111 116", "0 visa 1116"},
		{"alone in groups of no brand", "41 1111 1111 1111 11", "0 visa 1111"},
		{"digit by digit", "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1", "0 visa 1111"},
		{"behind a house number", "12 4111 1111 1111 1111", "3 visa 1111"},
		{"before an expiry date", "4111 1111 1111 1111 12/30", "0 visa 1111"},
		{"before a year", "4111111111111111 2030", "0 visa 1111"},
		{"with no-break spaces", "4111\u00a01111\u00a01111\u00a01111", "0 visa 1111"},
		{"with non-breaking hyphens", "4111\u20111111\u20111111\u20111111", "0 visa 1111"},
		{"in a URL", "/c/4111%201111%201111%201111", "3 visa 1111 escaped"},
		{"each digit escaped", strings.Repeat("%34", 1) + strings.Repeat("%31", 15), "0 visa 1111 escaped"},
		{"escaped as in JSON", `\u0034` + strings.Repeat(`\u0031`, 15), "0 visa 1111 escaped"},
		{"escaped in JSON in JSON", `\\u0034` + strings.Repeat(`\\u0031`, 15), "0 visa 1111 escaped"},
		{"escaped as in logs", `\x34` + strings.Repeat(`\x31`, 15), "0 visa 1111 escaped"},
		{"escaped as in HTML", "&#52;" + strings.Repeat("&#49;", 15), "0 visa 1111 escaped"},
		{"escaped as in HTML, in hexadecimal", "&#x34;" + strings.Repeat("&#x31;", 15), "0 visa 1111 escaped"},
		{"escaped hyphens", "4111%2D1111%2d1111-1111", "0 visa 1111 escaped"},
		{"in UTF-16", wide("a 4111 1111 1111 1111 z", binary.LittleEndian), "4 visa 1111 UTF-16"},
		{"in UTF-16, the other order", wide("a 4111111111111111 z", binary.BigEndian), "5 visa 1111 UTF-16"},
		{"in base64", b64("4111111111111111"), "0 visa 1111 base64"},
		{"in base64 of JSON", "x: " + b64(`{"pan":"4111-1111-1111-1111"}`) + " y", "11 visa 1111 base64"},
		{"in base64 without padding", strings.TrimRight(b64("pan=5105105105105100"), "="), "4 mastercard 5100 base64"},
		{"in base64 on two lines", wrap(b64(strings.Repeat("z", 45)+"4111111111111111"), 76), "60 visa 1111 base64"},
		{"behind an escaped quote", "%224111111111111111%22", "3 visa 1111"},
		{"behind another", `{\u0022pan\u0022:\u00224111111111111111\u0022}`, "23 visa 1111"},
		{"two of them", "4111111111111111 5105105105105100", "0 visa 1111|17 mastercard 5100"},

		{"a wrong check digit", "4111111111111112", ""},
		{"no brand", "0000000000000000", ""},
		{"a length the brand has not", "411111111111116", ""},
		{"more than 19 digits", "00004111111111111111", ""},
		{"many more", strings.Repeat("4111111111111111", 40), ""},
		{"a time in milliseconds", "1795341195123", ""},
		{"a time in microseconds", "1795341195123456", ""},
		{"a date and time", "20261122095315", ""},
		{"a float", "0.4111111111111111", ""},
		{"a measure", "4111111111111111.25", ""},
		{"a float with an exponent", "4.111111111111111e15", ""},
		{"a UUID", "a1b2c3d4-0000-4000-8000-630400000000", ""},
		{"a UUID of digits", "41111111-1111-1111-0000-000000000000", ""},
		{"a digest", "d131dd02c5e6eec4693d9a06984111111111111111f96b1de1c1b5b2aa1e3f01", ""},
		{"a hexadecimal dump", strings.Repeat("0F", 20) + "4111111111111111" + strings.Repeat("A7", 20), ""},
		{"a row of a table", "4033 1042 1043 2007 4111 1111 1111 1111 2030", ""},
		{"keys of a collation", "[.4111.1111.1111.1111]", ""},
		{"filler", strings.Repeat("6", 13) + " " + strings.Repeat("4", 16), ""},
		{"an object id", "507f1f774111111111111111", ""},
		{"telephone numbers", "+49 5251 1234 5670", ""},
		{"a range", "504176-506698", ""},
		{"two gaps", "4111  1111  1111  1111", ""},
		{"two kinds of gaps", "4111 1111.1111 1111", ""},
		{"over lines", "4111\n1111\n1111\n1111", ""},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(found(tc.text), "|"); got != tc.want {
				t.Errorf("found %q in %q, want %q", got, tc.text, tc.want)
			}
		})
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func wide(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func wrap(s string, width int) string {
	var lines []string
	for part := range slices.Chunk([]byte(s), width) {
		lines = append(lines, string(part))
	}
	return strings.Join(lines, "\r\n")
}

// drawNumber draws a number of a brand, with a right check digit.
func drawNumber(t *rapid.T) card.Number {
	prefix := rapid.SampledFrom([]string{
		"4", "51", "2221", "34", "37", "6011", "300", "36", "3528", "6221", "81", "5000", "5018", "6304",
		"401178", "506699", "637095", "606282", "2200", "508500", "9792", "506099", "5019", "1",
	}).Draw(t, "prefix")
	length := rapid.IntRange(minDigits, maxDigits).Draw(t, "length")
	digits := []byte(prefix)
	for len(digits) < length {
		digits = append(digits, byte('0'+rapid.IntRange(0, 9).Draw(t, "digit")))
	}
	for c := byte('0'); c <= '9'; c++ {
		if digits[length-1] = c; card.Luhn(digits) {
			break
		}
	}
	n, err := card.Parse(string(digits))
	if err != nil {
		return drawNumber(t) // another length
	}
	return n
}

// inGroupsOf puts gaps between the groups of a number.
func inGroupsOf(n card.Number, gap string) string {
	groups, digits := n.Brand().Groups, string(n.Digits())
	var parts []string
	for _, g := range groups {
		g = min(g, len(digits))
		parts, digits = append(parts, digits[:g]), digits[g:]
	}
	parts[len(parts)-1] += digits
	return strings.TrimRight(strings.Join(parts, gap), gap)
}

// TestPlantedNumbersAreFound would fail if a number of any brand could hide by
// its form or by what stands around it, digits right beside it excepted.
func TestPlantedNumbersAreFound(t *testing.T) {
	encodings := map[string]func(string) string{
		"plain":                   func(s string) string { return s },
		"UTF-16":                  func(s string) string { return wide(s, binary.LittleEndian) },
		"UTF-16, the other order": func(s string) string { return wide(s, binary.BigEndian) },
		"base64":                  b64,
		"URL-safe base64":         func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"percent":                 func(s string) string { return each(s, "%%%02X") },
		"JSON":                    func(s string) string { return each(s, `\u%04x`) },
		"HTML":                    func(s string) string { return each(s, "&#%d;") },
	}
	rapid.Check(t, func(t *rapid.T) {
		n := drawNumber(t)
		gap := rapid.SampledFrom([]string{"", " ", "-", "."}).Draw(t, "gap")
		encoding := rapid.SampledFrom(slices.Sorted(mapKeys(encodings))).Draw(t, "encoding")
		text := rapid.StringMatching(`([^0-9%\\]{0,40}[a-zA-Z:,;/="'<>|\n\t])?`).Draw(t, "before") + inGroupsOf(n, gap) +
			rapid.StringMatching(`([a-zA-Z:,;/="'<>|\n\t][^0-9]{0,40})?`).Draw(t, "after")
		noise := rapid.SliceOfN(rapid.Byte(), 0, 64)
		b := slices.Concat(noise.Draw(t, "noise"), []byte("|"), []byte(encodings[encoding](text)), []byte("|"), noise.Draw(t, "more noise"))
		var all []string
		f := finder{report: func(m match) { all = append(all, m.number.Brand().ID+m.number.Masked()) }}
		f.text(b)
		if want := n.Brand().ID + n.Masked(); !slices.Contains(all, want) {
			t.Fatalf("%s with gap %q in %s is not found in %q: %q", want, gap, encoding, text, all)
		}
	})
}

func each(s, format string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, format, s[i])
	}
	return b.String()
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestNumbersAcrossReadsAreFoundOnce moves numbers of all forms over the place
// where one buffer ends.
func TestNumbersAcrossReadsAreFoundOnce(t *testing.T) {
	const size = 2048
	for _, text := range []string{"4111111111111111", "4111 1111 1111 1111", b64("4111111111111111"), each("4111111111111111", `\\u%04x`), wide("4111-1111-1111-1111", binary.LittleEndian)} {
		for before := size - 700; before < size+50; before++ {
			b := slices.Concat(bytes.Repeat([]byte("~"), before), []byte(text), bytes.Repeat([]byte("~"), size))
			var at []int64
			f := finder{report: func(m match) { at = append(at, m.offset) }}
			if err := f.stream(iotest.OneByteReader(bytes.NewReader(b)), make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if len(at) != 1 || at[0] != int64(before) {
				t.Fatalf("%q behind %d bytes is found at %d", text, before, at)
			}
		}
	}
}

// TestNoNumberIsSeenInTheMidstOfDigits would fail if the end of a buffer cut a
// number out of a long run of digits.
func TestNoNumberIsSeenInTheMidstOfDigits(t *testing.T) {
	for before := range 600 {
		b := slices.Concat(bytes.Repeat([]byte("~"), before), bytes.Repeat([]byte("0"), 4000), []byte("4111111111111111~"))
		f := finder{report: func(m match) { t.Fatalf("%s behind %d bytes", describe(m), before) }}
		if err := f.stream(bytes.NewReader(b), make([]byte, 2048)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReadThatFailsIsReportedBehindWhatWasRead(t *testing.T) {
	broken := errors.New("broken")
	seen := 0
	f := finder{report: func(match) { seen++ }}
	err := f.stream(io.MultiReader(strings.NewReader("4111111111111111 "), iotest.ErrReader(broken)), make([]byte, 2048))
	if !errors.Is(err, broken) || seen != 1 {
		t.Errorf("%v, %d found", err, seen)
	}
}

// FuzzFinder would fail if the search crashed, did not end, found what is no
// number, or found something else when it reads piece by piece.
func FuzzFinder(f *testing.F) {
	for _, s := range []string{"4111 1111 1111 1111", b64("x4111111111111111"), "%34\\u0031&#49;", "4\x001\x001\x00", "0.4111-1111"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, pieces []string
		find := finder{report: func(m match) {
			if !card.Luhn(m.number.Digits()) || m.offset < 0 || m.offset >= int64(len(b)) {
				t.Errorf("%s is none", describe(m))
			}
			whole = append(whole, describe(m))
		}}
		find.text(b)
		stream := finder{report: func(m match) { pieces = append(pieces, describe(m)) }}
		if err := stream.stream(bytes.NewReader(b), make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(whole)
		slices.Sort(pieces)
		if !slices.Equal(whole, pieces) {
			t.Errorf("%q at once, %q in pieces", whole, pieces)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	prose := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog, and says so in a log line.\n"), 5000)
	var logs bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&logs, `{"@timestamp":"2026-11-22T09:53:15.%03dZ","log.level":"info","message":"request","http.request.id":"3f2504e0-4f89-11d3-9a0c-0305e82c%04x","event.duration":%d,"http.response.status_code":200,"client.ip":"10.0.%d.17"}`+"\n", i%1000, i, rand.IntN(1e9), i%256)
	}
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for name, text := range map[string][]byte{"prose": prose, "logs": logs.Bytes(), "random": random, "base64": []byte(b64(string(random)))} {
		b.Run(name, func(b *testing.B) {
			f, buffer := finder{report: func(match) {}}, make([]byte, bufferSize)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_ = f.stream(bytes.NewReader(text), buffer)
			}
		})
	}
}
