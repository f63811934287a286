package eureka

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// T24: the pairs were seen on the wire.
func TestXMLNamesAreCodedBothWays(t *testing.T) {
	for key, name := range map[string]string{
		"a<b": "a_.003cb", "1abc": "_.0031abc", "-d": "_.002dd", " ": "_.0020", "a/b": "a_.002fb",
		"_": "__", "$": "_-", "my_key": "my__key", "a.b:c-d": "a.b:c-d", "größe": "größe", "😀": "_.d83d_.de00", "": "",
	} {
		if got := encodeName(key); got != name {
			t.Errorf("encode %q: %q, want %q", key, got, name)
		}
		if got := decodeName(name); got != key {
			t.Errorf("decode %q: %q, want %q", name, got, key)
		}
	}
	for _, lone := range []string{"a_", "_x", "a_.00", "_.zzzz"} {
		if got := decodeName(lone); got != lone {
			t.Errorf("%q became %q", lone, got)
		}
	}
}

func FuzzXMLName(f *testing.F) {
	f.Add("a<b")
	f.Add("_.003c")
	f.Fuzz(func(t *testing.T, key string) {
		if !utf8.ValidString(key) {
			return
		}
		name := encodeName(key)
		if got := decodeName(name); got != key {
			t.Errorf("%q came back as %q", key, got)
		}
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r > '\x7f' }) {
			// Go's reader takes at most one colon, and the letters of an older
			// edition of XML than XStream writes.
			return
		}
		dec := xml.NewDecoder(strings.NewReader("<" + name + "/>"))
		for {
			_, err := dec.RawToken()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatalf("%q is no name: %v", name, err)
			}
		}
	})
}

// fuzzInstance holds what every parsed instance must do: be written, read
// again, and be the same.
func fuzzInstance(f *testing.F, isXML bool) {
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := ParseInstance(isXML, body)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		first := Form{}.Instance(nil, in)
		again, err := ParseInstance(false, first)
		if err != nil {
			t.Fatalf("own JSON refused: %v\n%s", err, first)
		}
		if second := (Form{}).Instance(nil, again); string(first) != string(second) {
			t.Fatalf("not stable:\n%s\n%s", first, second)
		}
		_ = Form{XML: true}.Instance(nil, in)
	})
}

func FuzzInstanceJSON(f *testing.F) {
	f.Add([]byte(`{"instance":{"app":"a","port":{"$":1,"@enabled":"true"},"metadata":{"k":5},"dataCenterInfo":{"name":"Amazon"}}}`))
	f.Add([]byte(`{"instance":{"app":"a","leaseInfo":{"durationInSecs":"9"},"status":"","x":[{}]}}`))
	fuzzInstance(f, false)
}

func FuzzInstanceXML(f *testing.F) {
	f.Add([]byte(`<instance><app>a</app><port enabled="true">1</port><metadata><a_.003cb>1</a_.003cb></metadata></instance>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY e "f">]><instance><app>&e;</app></instance>`))
	fuzzInstance(f, true)
}

func FuzzApplications(f *testing.F) {
	f.Add(false, []byte(`{"applications":{"versions__delta":"1","apps__hashcode":"","application":[{"name":"A","instance":[{"app":"A"}]}]}}`))
	f.Add(true, []byte(`<applications><application><name>A</name><instance><app>A</app></instance></application></applications>`))
	f.Fuzz(func(t *testing.T, isXML bool, body []byte) {
		a, err := ParseApplications(isXML, body)
		if err != nil {
			return
		}
		if _, err := ParseApplications(false, Form{}.Applications(nil, a)); err != nil {
			t.Fatalf("own JSON refused: %v", err)
		}
	})
}
