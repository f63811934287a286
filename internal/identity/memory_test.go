package identity

import (
	"fmt"
	"testing"
	"time"
)

func TestMemoryKeepsAValueUntilItsTime(t *testing.T) {
	m, now := NewMemory[string](4), newClock().Now()
	m.Put(DigestOf("a"), "x", now.Add(time.Second))
	if v, ok := m.Get(DigestOf("a"), now.Add(time.Second-1)); !ok || v != "x" {
		t.Errorf("%q, %v", v, ok)
	}
	if v, ok := m.Get(DigestOf("a"), now.Add(time.Second)); ok || v != "" {
		t.Errorf("after its time: %q, %v", v, ok)
	}
	if _, ok := m.Get(DigestOf("b"), now); ok {
		t.Error("a token never put is remembered")
	}
	m.Put(DigestOf("a"), "y", now.Add(time.Minute))
	if v, _ := m.Get(DigestOf("a"), now); v != "y" {
		t.Errorf("put twice: %q", v)
	}
}

func TestMemoryIsBoundedAndForgetsTheOldest(t *testing.T) {
	m, now := NewMemory[int](10), newClock().Now()
	for n := range 1000 {
		m.Put(DigestOf(fmt.Sprint(n)), n, now.Add(time.Hour))
		if len(m.young)+len(m.old) > 20 {
			t.Fatalf("%d remembered", len(m.young)+len(m.old))
		}
	}
	m.Put(DigestOf("next generation"), 0, now.Add(time.Hour))
	for n := 990; n < 1000; n++ {
		if _, ok := m.Get(DigestOf(fmt.Sprint(n)), now); !ok {
			t.Errorf("%d, one of the last ten, is forgotten", n)
		}
	}
	if _, ok := m.Get(DigestOf("0"), now); ok {
		t.Error("the first is still there")
	}
}
