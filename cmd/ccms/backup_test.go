package main

import (
	"errors"
	"strings"
	"testing"
)

func TestAPassphraseIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		err      bool
	}{
		"a line":                     {"correct horse\n", "correct horse", false},
		"a line of Windows":          {"correct horse\r\n", "correct horse", false},
		"a line without its end":     {"correct horse", "correct horse", false},
		"only the first counts":      {"correct\nhorse\n", "correct", false},
		"blanks belong to it":        {" correct horse \n", " correct horse ", false},
		"nothing":                    {"", "", true},
		"an empty line":              {"\nhorse\n", "", true},
		"what is no passphrase":      {strings.Repeat("x", maxPassphrase+1), "", true},
		"as long as it may be":       {strings.Repeat("x", maxPassphrase-1) + "\n", strings.Repeat("x", maxPassphrase-1), false},
		"characters of any language": {"très sûr, ça\n", "très sûr, ça", false},
	} {
		got, err := firstLine(strings.NewReader(c.in))
		if string(got) != c.want || (err != nil) != c.err {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := firstLine(strings.NewReader("")); !errors.Is(err, errNoPassphrase) {
		t.Errorf("nothing: %v", err)
	}
}
