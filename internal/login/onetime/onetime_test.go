package onetime

import (
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"ccms/internal/store/storetest"
)

// open returns tokens and their clock.
func open(t *testing.T) (k *Tokens, now *time.Time) {
	t.Helper()
	now = new(time.Now().UTC().Truncate(time.Millisecond))
	k, err := Open(t.Context(), Config{
		DB: storetest.New(t), VerifyTTL: 24 * time.Hour, ResetTTL: 30 * time.Minute, Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return k, now
}

func TestATokenIsFoundForItsPurposeWhileItLives(t *testing.T) {
	t.Parallel()
	k, now := open(t)
	reset, err := k.Issue(t.Context(), Token{Purpose: Reset, Customer: "1", Address: "mary@example.com", Generation: 7})
	if err != nil {
		t.Fatal(err)
	}
	mangled := []byte(reset)
	mangled[3] ^= 1
	for _, tt := range []struct {
		name    string
		purpose Purpose
		text    string
		want    error
	}{
		{"its own purpose", Reset, reset, nil},
		{"another purpose", Verify, reset, ErrUnknown},
		{"a token nobody issued", Reset, newText(), ErrUnknown},
		{"a mangled token", Reset, string(mangled), ErrShape},
		{"no token", Reset, "", ErrShape},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := k.Find(t.Context(), tt.purpose, tt.text); !errors.Is(err, tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	found, err := k.Find(t.Context(), Reset, reset)
	if v := found.Value; err != nil || found.ID != hash(reset) || v.Customer != "1" || v.Address != "mary@example.com" || v.Generation != 7 {
		t.Errorf("found %+v, %v", found, err)
	}
	*now = now.Add(k.Life(Reset) - time.Millisecond)
	if _, err := k.Find(t.Context(), Reset, reset); err != nil {
		t.Errorf("in its last moment: %v", err)
	}
	*now = now.Add(time.Millisecond)
	if _, err := k.Find(t.Context(), Reset, reset); !errors.Is(err, ErrExpired) {
		t.Errorf("after its life: %v", err)
	}
}

func TestTheTokensOfOneAccountAreDropped(t *testing.T) {
	t.Parallel()
	k, _ := open(t)
	issue := func(account string) string {
		text, err := k.Issue(t.Context(), Token{Purpose: Verify, Customer: account})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	one, two, other := issue("1"), issue("1"), issue("2")
	for range 2 { // the second time there is nothing left
		if err := k.Drop(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]error{one: ErrUnknown, two: ErrUnknown, other: nil} {
		if _, err := k.Find(t.Context(), Verify, text); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	good := newText()
	f.Add(good)
	f.Add("")
	f.Add(good + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		if !wellFormed(s) {
			return
		}
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(b) != 36 || base64.RawURLEncoding.EncodeToString(b) != s {
			t.Errorf("%q passed for a token", s)
		}
	})
}

func TestEveryChangeOfOneLetterBreaksAToken(t *testing.T) {
	t.Parallel()
	good := newText()
	for i := range good {
		for _, c := range "AB" {
			if bad := good[:i] + string(c) + good[i+1:]; bad != good && wellFormed(bad) {
				t.Errorf("%s passed for %s", bad, good)
			}
		}
	}
}
