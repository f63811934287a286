package guess_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/clocktest"
	"ccms/internal/guess"
)

var visa = []byte("4111111111111111")

func newMemory(max int) (*guess.Memory, *clocktest.Clock) {
	c := clocktest.At(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))
	return guess.New(guess.Config{MaxCards: max, Now: c.Now}), c
}

func allow(t *testing.T, m *guess.Memory, code string, want bool) {
	t.Helper()
	if wait, ok := m.Allow("cardholders", visa, []byte(code)); ok != want {
		t.Fatalf("code %s: allowed %v (wait %v), want %v", code, ok, wait, want)
	}
}

func TestTheFourthDifferentCodeIsRefused(t *testing.T) {
	m, _ := newMemory(0)
	for _, code := range []string{"000", "001", "000", "002", "001"} {
		allow(t, m, code, true)
	}
	allow(t, m, "003", false)
	allow(t, m, "004", false)
	allow(t, m, "002", true) // a retry of one that passed
}

func TestARefusalSaysHowLongToWait(t *testing.T) {
	m, c := newMemory(0)
	allow(t, m, "000", true)
	c.Advance(4 * time.Minute)
	allow(t, m, "001", true)
	allow(t, m, "002", true)
	wait, ok := m.Allow("cardholders", visa, []byte("003"))
	if ok || wait != 11*time.Minute {
		t.Fatalf("allowed %v, wait %v; want refused for 11m", ok, wait)
	}
	c.Advance(wait)
	allow(t, m, "003", true)
	allow(t, m, "004", false)
}

func TestOwnersAndCardsAreCountedApart(t *testing.T) {
	m, _ := newMemory(0)
	for i := range 3 {
		allow(t, m, fmt.Sprintf("00%d", i), true)
	}
	if _, ok := m.Allow("firm-1", visa, []byte("003")); !ok {
		t.Error("another owner's codes were counted")
	}
	if _, ok := m.Allow("cardholders", []byte("4242424242424242"), []byte("003")); !ok {
		t.Error("another card's codes were counted")
	}
	allow(t, m, "003", false)
}

func TestAFullMemoryStaysBoundedAndOpen(t *testing.T) {
	m, _ := newMemory(10)
	for i := range 3 {
		allow(t, m, fmt.Sprintf("00%d", i), true)
	}
	for i := range 9 {
		if _, ok := m.Allow("cardholders", fmt.Appendf(nil, "4%015d", i), []byte("000")); !ok {
			t.Fatal("a card was refused because others are remembered")
		}
	}
	allow(t, m, "003", false) // the older generation still counts
	for i := range 10_000 {
		if _, ok := m.Allow("cardholders", fmt.Appendf(nil, "5%015d", i), []byte("000")); !ok {
			t.Fatal("a card was refused because others are remembered")
		}
	}
	if n := guess.Remembered(m); n > 20 {
		t.Fatalf("remembers %d cards, want at most 20", n)
	}
}

func TestNothingIsLeftAfterTwoWindows(t *testing.T) {
	m, c := newMemory(0)
	allow(t, m, "000", true)
	keys := guess.Keys(m)
	for range 3 {
		c.Advance(15 * time.Minute)
		m.Forget()
	}
	if n := guess.Remembered(m); n != 0 {
		t.Errorf("remembers %d cards, want none", n)
	}
	for _, k := range keys {
		if string(k) != string(make([]byte, len(k))) {
			t.Error("a key was dropped without being wiped")
		}
	}
}

func TestALongPauseIsForgottenAtOnce(t *testing.T) {
	m, c := newMemory(0)
	allow(t, m, "000", true)
	c.Advance(20 * time.Minute)
	m.Forget() // now one generation is the older, one the newer
	keys := guess.Keys(m)
	c.Advance(30 * time.Minute)
	m.Forget()
	for i, k := range keys {
		if string(k) != string(make([]byte, len(k))) {
			t.Errorf("key %d outlived two windows", i)
		}
	}
}

func TestParallelGuessesNeverPassTheLimit(t *testing.T) {
	m, _ := newMemory(0)
	var passed atomic.Int32
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if _, ok := m.Allow("cardholders", visa, fmt.Appendf(nil, "%03d", i)); ok {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 3 {
		t.Fatalf("%d different codes passed, want 3", passed.Load())
	}
}

// The model keeps every code with its time and no key at all.
func TestItAgreesWithASimpleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, c := newMemory(1000)
		seen := map[string]map[int]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c.Advance(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
			number := rapid.SampledFrom([]string{"4111111111111111", "4242424242424242"}).Draw(t, "number")
			code := rapid.IntRange(0, 5).Draw(t, "code")
			live := map[int]time.Time{}
			for k, at := range seen[number] {
				if c.Now().Sub(at) < 15*time.Minute {
					live[k] = at
				}
			}
			_, known := live[code]
			want := known || len(live) < 3
			if !known && want {
				live[code] = c.Now()
			}
			seen[number] = live
			if _, ok := m.Allow("o", []byte(number), fmt.Appendf(nil, "%03d", code)); ok != want {
				t.Fatalf("allowed %v, want %v", ok, want)
			}
		}
	})
}

func BenchmarkAllow(b *testing.B) {
	m := guess.New(guess.Config{})
	for b.Loop() {
		m.Allow("cardholders", visa, []byte("123"))
	}
}
