package flat

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The expected values are what java.util.Properties gives.
func TestPropertiesFollowJava(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Entry
	}{
		{"an equals sign", "a=b", []Entry{{"a", "b", 1}}},
		{"blanks around it", "  a \t=  b ", []Entry{{"a", "b ", 1}}},
		{"a colon", "a:b:c", []Entry{{"a", "b:c", 1}}},
		{"a blank only", "a b c", []Entry{{"a", "b c", 1}}},
		{"a second separator", "a = = b", []Entry{{"a", "= b", 1}}},
		{"no value", "a\nb=", []Entry{{"a", "", 1}, {"b", "", 2}}},
		{"comments and empty lines", "# x\n  ! y\n\n a=b#c", []Entry{{"a", "b#c", 4}}},
		{"a continued line", "a=b\\\n   c\\\r\n d\ne=f", []Entry{{"a", "bcd", 1}, {"e", "f", 4}}},
		{"a comment that is none", "a=b\\\n#c", []Entry{{"a", "b#c", 1}}},
		{"a comment is not continued", "#a\\\nb=c", []Entry{{"b", "c", 2}}},
		{"two backslashes at the end", "a=b\\\\\nc=d", []Entry{{"a", "b\\", 1}, {"c", "d", 2}}},
		{"an open continuation", "a=b\\", []Entry{{"a", "b", 1}}},
		{"escapes", `a\ b\=\:=\t\n\r\f\\\q`, []Entry{{"a b=:", "\t\n\r\f\\q", 1}}},
		{"UTF-16", `a=\u00e9\u20AC\ud83d\ude00`, []Entry{{"a", "é€😀", 1}}},
		{"all line ends", "a=1\rb=2\r\nc=3\n", []Entry{{"a", "1", 1}, {"b", "2", 2}, {"c", "3", 3}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, faults := parseProperties([]byte(tc.text))
			if !slices.Equal(got, tc.want) || faults != nil {
				t.Errorf("got %+v %v, want %+v", got, faults, tc.want)
			}
		})
	}
}

func FuzzParseProperties(f *testing.F) {
	for _, seed := range []string{"a=b", "a\\ b : c\\\n d", `x=\u00e9\ud83d\ude00`, "#\n!\n=\n", "a\\", `\ud83d`, "\xff"} {
		f.Add([]byte(seed))
	}
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\f", `\f`, " ", `\ `, "=", `\=`, ":", `\:`, "#", `\#`, "!", `\!`)
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, faults := parseProperties(b)
		if !utf8.Valid(b) && faults == nil {
			t.Fatal("text that is not UTF-8 is accepted")
		}
		var text strings.Builder
		for i := range entries {
			if entries[i].Line < 1 || entries[i].Key == "" {
				t.Fatalf("entry %+v", entries[i])
			}
			text.WriteString(escape.Replace(entries[i].Key) + "=" + escape.Replace(entries[i].Text) + "\n")
			entries[i].Line = i + 1
		}
		again, faults := parseProperties([]byte(text.String()))
		if faults != nil || !slices.Equal(again, entries) {
			t.Fatalf("%+v written and read again is %+v, %v", entries, again, faults)
		}
	})
}

func FuzzParseYAML(f *testing.F) {
	for _, seed := range []string{"a: b", "a: {b: [c, d]}", "a: &x\n  b: *x", "<<: {a: b}", "- a", "a: b\n---\nc: d", "? [a]\n: b", "a: !!binary x", "\xff", "a:\n\tb"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, faults := parseYAML(b)
		for _, e := range entries {
			if e.Line < 1 {
				t.Fatalf("entry without line: %+v", e)
			}
		}
		for _, e := range faults {
			if e.Wrong == "" || e.Right == "" || e.Line < 1 {
				t.Fatalf("fault without help: %+v", e)
			}
		}
	})
}
