package password

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/secret"
)

func TestPolicy(t *testing.T) {
	tests := []struct {
		name, password string
		weak           bool
	}{
		{"letters and digits of twelve characters pass", "blue7lantern", false},
		{"eleven characters are too few", "blue7lanter", true},
		{"characters are counted, not bytes", "äöüäöüäöü12", true},
		{"seventy-two bytes pass", strings.Repeat("kx7wPq2m", 9), false},
		{"seventy-three bytes are too many", strings.Repeat("kx7wPq2m", 9) + "a", true},
		{"a NUL is refused", "blue7\x00lantern", true},
		{"letters alone are refused", "bluelanternoak", true},
		{"digits alone are refused", "839471650284", true},
		{"digits of other scripts count", "blauelaterne٣", false},
		{"a common word with digits behind it", "Password1234", true},
		{"a common word with digits before it", "1234Password", true},
		{"a common word in leet", "P@ssw0rd2024!", true},
		{"a common word with a leading substitution", "1l0v3y0u2024", true},
		{"a common word twice", "monkeymonkey12", true},
		{"a common word cut by signs", "sun-shine-2024", true},
		{"a walk over the keyboard", "qwertyuiop12", true},
		{"a walk down the columns", "1qaz2wsx3edc", true},
		{"two walks", "abcdefgh1234", true},
		{"a walk backwards", "0987654321zyxwv", true},
		{"a short piece repeated", "ab1ab1ab1ab1", true},
		{"three characters only", "aab1aab1baa1", true},
		{"a phrase is fine", "four green cups 4 tea", false},
		{"a common word within more is fine", "monkeys eat 9 drums", false},
		{"the own username", "mj.watson-77777", true},
		{"the own address", "mary.jane@example.com1", true},
		{"the own name", "Mary Watson 1962", true},
	}
	words := []string{"mj.watson", "mary.jane@example.com", "mary.jane", "Mary Watson"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := secret.NewString(tt.password)
			err := Check(p, words...)
			if _, weak := errors.AsType[*WeakError](err); weak != tt.weak {
				t.Errorf("got %v", err)
			}
			if string(p.Reveal()) != tt.password {
				t.Error("the password was changed")
			}
			if err != nil && strings.Contains(err.Error(), tt.password) {
				t.Errorf("the reason quotes the password: %v", err)
			}
		})
	}
}

func TestMatch(t *testing.T) {
	hash, err := Hash(secret.NewString("blue7lantern"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 72)
	longHash, err := Hash(secret.NewString(long), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	accented, err := Hash(secret.NewString("caf\u00e9 lantern 7"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, hash, password string
		want                 bool
	}{
		{"the right password", hash, "blue7lantern", true},
		{"another", hash, "blue8lantern", false},
		{"the empty one", hash, "", false},
		{"what bcrypt would cut", longHash, long + "x", false},
		{"exactly 72 bytes", longHash, long, true},
		{"what bcrypt takes for equal across a NUL", hash, "blue7lantern\x00blue7lantern", false},
		{"the same characters composed otherwise", accented, "cafe\u0301 lantern 7", true},
		{"no hash at all", "", "blue7lantern", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Match(tt.hash, secret.NewString(tt.password)); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestHashesOfTheContractsFormAreRead(t *testing.T) {
	// The vector is bcrypt's own ("U*U", Openwall crypt_blowfish tests).
	const vector = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	if !Match(vector, secret.NewString("U*U")) || Cost(vector) != 5 {
		t.Error("published vector does not match")
	}
	if Cost("$2a$31$"+vector[7:]) != 0 || Cost("x") != 0 {
		t.Error("a hash too dear to compute was accepted")
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"Password1234", "äöü", "\xff\x00", strings.Repeat("1qaz", 20)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := secret.NewString(s)
		if Check(p) == nil {
			if _, err := Hash(p, bcrypt.MinCost); err != nil {
				t.Errorf("a good password cannot be hashed: %v", err)
			}
		}
	})
}
