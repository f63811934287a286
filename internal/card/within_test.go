package card

import (
	"strings"
	"testing"
)

func TestTheListOfTestNumbersIsThePublishedOne(t *testing.T) {
	listed := 0
	for _, numbers := range testNumbers {
		for _, digits := range numbers {
			n, err := Parse(digits)
			if err != nil || !IsTest(n) {
				t.Errorf("%s is not taken for a test number: %v", digits, err)
			}
			listed++
		}
	}
	if listed != len(published) {
		t.Errorf("%d numbers are published, %d known", listed, len(published))
	}
	for digits := range published {
		if !Luhn([]byte(digits)) {
			t.Errorf("%s fails the Luhn check", digits)
		}
	}
}

func TestANumberNobodyPublishedIsNoTestNumber(t *testing.T) {
	for _, digits := range []string{"4929000000000018", "4111111111111129"} {
		n, err := Parse(digits)
		if err != nil {
			t.Fatal(err)
		}
		if IsTest(n) {
			t.Errorf("%s is taken for a test number", digits)
		}
	}
	if IsTest(Number{}) {
		t.Error("no number is taken for a test number")
	}
}

func TestWithinFindsNumbersInText(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"a number alone", "4111111111111111", true},
		{"a number between words", "card 4111111111111111 of Ada", true},
		{"a number that letters touch", "ref4111111111111111x", true},
		{"a number in its groups", "4111 1111 1111 1111", true},
		{"a number in its groups with hyphens", "4111-1111-1111-1111", true},
		{"American Express in its groups", "3782 822463 10005", true},
		{"a number in its groups behind a house number", "12 4111 1111 1111 1111", true},
		{"a number in its groups before a year", "4111 1111 1111 1111 2030", true},
		{"nineteen digits, the last three on their own", "4111 1410 1111 1111 116", true},
		{"nineteen digits, seven in the last group", "4111 1410 1111 1111116", true},
		{"UnionPay that fits Luhn", "6200000000000005", true},
		{"the code in a card's place", "123", false},
		{"a number whose check digit is wrong", "4111111111111112", false},
		{"the same in groups", "4111 1111 1111 1112", false},
		{"digits in groups no brand prints", "41 1111 1111 1111 11", false},
		{"groups with two kinds of gaps", "4111 1111-1111 1111", false},
		{"groups with two spaces", "4111  1111  1111  1111", false},
		{"groups over lines", "4111\n1111\n1111\n1111", false},
		{"a run that is too long", "000041111111111111110000", false},
		{"an order number of no brand", "0000000000000000", false},
		{"a UUID with twelve digits at its end", "a1b2c3d4-0000-4000-8000-630400000000", false},
		{"nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Default().Within(c.text); got != c.want {
				t.Errorf("Within(%q) is %v", c.text, got)
			}
		})
	}
}

// FuzzWithin would fail if a number could hide in text by what stands around
// it, or if Within crashed.
func FuzzWithin(f *testing.F) {
	f.Add("pay ", " now")
	f.Add("1 ", "-")
	f.Add("a1b2c3d4-0000-4000-8000-", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		Default().Within(before + after)
		text := before + "/4111111111111111/" + after
		if !Default().Within(text) && !strings.ContainsAny(before+after, "0123456789abcdefABCDEF") {
			t.Errorf("missed in %q", text)
		}
	})
}
