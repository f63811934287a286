package identity

import (
	"testing"
	"time"
)

func TestTheAgeOfAKeyIsFromWhenItBeganToSign(t *testing.T) {
	h := newHouse(t)
	i, other := h.open(ES256), h.open(ES256)
	h.clock.Advance(48 * time.Hour)
	if age := i.keys.Age(); age != 48*time.Hour {
		t.Errorf("after two days %v", age)
	}
	if err := i.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(time.Hour)
	other.kids() // reads again
	for _, keys := range []*Keys{i.keys, other.keys} {
		if age := keys.Age(); age != time.Hour {
			t.Errorf("an hour after a rotation: %v", age)
		}
	}
	if age := h.open(HS256).keys.Age(); age != 0 {
		t.Errorf("of a secret: %v", age)
	}
}
