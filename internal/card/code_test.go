package card

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	stdjson "encoding/json"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func brand(t *testing.T, id string) Brand {
	t.Helper()
	for _, b := range Default().Brands() {
		if b.ID == id {
			return b
		}
	}
	t.Fatalf("no brand %s", id)
	return Brand{}
}

func TestCodeIsCheckedAgainstItsBrand(t *testing.T) {
	cases := []struct {
		name, value, brand, want string // want "" is refused
	}{
		{"three digits as a string", `"123"`, "visa", "123"},
		{"a string with leading zeros", `"012"`, "visa", "012"},
		{"a string of zeros", `"000"`, "visa", "000"},
		{"a string with escaped digits", `"\u0030\u0031\u0032"`, "visa", "012"},
		{"an integer", `123`, "visa", "123"},
		{"an integer that lost one zero", `12`, "visa", "012"},
		{"an integer that lost two zeros", `1`, "visa", "001"},
		{"zero", `0`, "visa", "000"},
		{"four digits for Amex", `"1234"`, "american-express", "1234"},
		{"an integer padded for Amex", `123`, "american-express", "0123"},
		{"three digits as a string for Amex", `"123"`, "american-express", ""},
		{"four digits for Visa", `"1234"`, "visa", ""},
		{"an integer of four digits for Visa", `1234`, "visa", ""},
		{"two digits as a string", `"12"`, "visa", ""},
		{"an empty string", `""`, "visa", ""},
		{"null", `null`, "visa", ""},
		{"absent", ``, "visa", ""},
		{"true", `true`, "visa", ""},
		{"an object", `{"a":1}`, "visa", ""},
		{"an array", `[1,2,3]`, "visa", ""},
		{"a negative integer", `-12`, "visa", ""},
		{"a fraction", `12.0`, "visa", ""},
		{"an exponent", `1e2`, "visa", ""},
		{"a huge integer", `123456789012345678901234567890`, "visa", ""},
		{"a long string", `"` + strings.Repeat("1", 100) + `"`, "visa", ""},
		{"letters", `"12a"`, "visa", ""},
		{"a space before", `" 12"`, "visa", ""},
		{"a sign", `"+12"`, "visa", ""},
		{"Arabic-Indic digits", `"١٢٣"`, "visa", ""},
		{"a full-width digit", `"12３"`, "visa", ""},
		{"a NUL", `"12\u0000"`, "visa", ""},
	}
	decoders := map[string]func([]byte, any) error{
		"v1": stdjson.Unmarshal,
		"v2": func(b []byte, v any) error { return json.Unmarshal(b, v) },
	}
	for _, c := range cases {
		for version, decode := range decoders {
			t.Run(c.name+" "+version, func(t *testing.T) {
				var in struct {
					CVV Code `json:"cvv"`
				}
				body := "{}"
				if c.value != "" {
					body = `{"cvv":` + c.value + `}`
				}
				if err := decode([]byte(body), &in); err != nil {
					t.Fatal(err)
				}
				got, err := CheckCode(in.CVV, brand(t, c.brand))
				if string(got) != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, ErrCode) {
					t.Errorf("%q, %v, want %q", got, err, c.want)
				}
			})
		}
	}
}

func TestCodeFromAFormIsAString(t *testing.T) {
	visa := brand(t, "visa")
	if got, err := CheckCode(NewCode("012"), visa); err != nil || string(got) != "012" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "12", "1234", "12x", strings.Repeat("1", 1000)} {
		if _, err := CheckCode(NewCode(bad), visa); !errors.Is(err, ErrCode) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCodeNeverShows(t *testing.T) {
	c := NewCode("1234")
	h := struct {
		Shown  Code
		hidden Code
	}{c, c}
	_, wrong := CheckCode(c, brand(t, "visa"))
	shown := []string{c.String(), c.GoString(), fmt.Sprintf("%+v", wrong)}
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %d %t %T") {
		shown = append(shown, fmt.Sprintf(verb, c), fmt.Sprintf(verb, h), fmt.Sprintf(verb, &h))
	}
	for _, encode := range []func(any) ([]byte, error){stdjson.Marshal, bson.Marshal} {
		b, _ := encode(h)
		shown = append(shown, string(b))
	}
	for _, s := range shown {
		for _, leak := range []string{"1234", "49 50 51", "31323334", "0x31"} {
			if strings.Contains(s, leak) {
				t.Errorf("shows %s", s)
			}
		}
	}
	if _, err := c.MarshalBinary(); err == nil {
		t.Error("encodes as binary")
	}
}

func TestWipedCodeIsAbsent(t *testing.T) {
	c := NewCode("123")
	digits, err := CheckCode(c, brand(t, "visa"))
	if err != nil {
		t.Fatal(err)
	}
	c.Wipe()
	if string(digits) != "123" {
		t.Error("the caller's copy is gone")
	}
	if _, err := CheckCode(c, brand(t, "visa")); !errors.Is(err, ErrCode) {
		t.Errorf("error %v", err)
	}
	Code{}.Wipe()
}

func FuzzCode(f *testing.F) {
	for _, s := range []string{`"123"`, `12`, `null`, `"\u0031"`, `{}`, `-1`, `1e5`} {
		f.Add([]byte(s))
	}
	visa := Default().Brands()[0]
	f.Fuzz(func(t *testing.T, value []byte) {
		var c Code
		if err := c.UnmarshalJSON(value); err != nil {
			t.Fatal(err)
		}
		digits, err := CheckCode(c, visa)
		if err == nil && (len(digits) != visa.CodeLength || !allDigits(digits)) {
			t.Fatalf("%q gives %q", value, digits)
		}
	})
}
