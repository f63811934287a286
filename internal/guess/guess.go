// Package guess recognises who tries out verification codes for a card
// (decision C11a). It remembers, in memory only, HMAC-SHA-256 values over card
// and code under a random key of this process, for 15 minutes, and says no to
// the fourth different code. It stores nothing, and neither a card nor a code
// can be told from what it holds once the key is gone. What a refusal means is
// for the caller to say and to record.
package guess

import (
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"sync"
	"time"

	"ccms/internal/secret"
)

const (
	window   = 15 * time.Minute // how long a code counts, decision C11a
	maxCodes = 3                // different codes of one card that pass
)

// Config is what New needs.
type Config struct {
	// MaxCards bounds how many cards are remembered, in each of two
	// generations of keys; default 32768 (about 5 MB each). Beyond it the older
	// generation goes early: guessing then costs that many cards per flush, and
	// nobody can shut the door for others by filling the memory.
	MaxCards int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Memory is what is remembered; safe for concurrent use.
type Memory struct {
	max int
	now func() time.Time

	mu sync.Mutex
	// A key lives for two windows: one in which codes are added under it, one
	// in which they are only compared.
	current, previous *generation
}

// mark is a shortened HMAC: of a card, or of a card with a code.
type mark [16]byte

type generation struct {
	key   []byte
	mac   hash.Hash // under key
	born  time.Time
	cards map[mark][]seen
}

// seen is one code of one card.
type seen struct {
	code mark
	at   time.Time
}

// New returns an empty Memory.
func New(c Config) *Memory {
	if c.MaxCards == 0 {
		c.MaxCards = 1 << 15
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Memory{max: c.MaxCards, now: c.Now}
}

// Allow notes that owner (a firm, or all cardholders together) presented code
// for the card number, both ASCII digits. It refuses the fourth different code
// in 15 minutes, with the time until one of the others is forgotten; a code
// noted before always passes. The caller keeps both buffers and wipes them.
func (m *Memory) Allow(owner string, number, code []byte) (wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.turn(now)
	var live []seen
	for _, g := range []*generation{m.previous, m.current} {
		card, pair := g.marks(owner, number, code)
		codes := g.fresh(card, now)
		if slices.ContainsFunc(codes, func(s seen) bool { return s.code == pair }) {
			return 0, true
		}
		live = append(live, codes...)
	}
	if len(live) >= maxCodes {
		oldest := slices.MinFunc(live, func(a, b seen) int { return a.at.Compare(b.at) })
		return oldest.at.Add(window).Sub(now), false
	}
	card, pair := m.current.marks(owner, number, code)
	m.current.cards[card] = append(m.current.cards[card], seen{pair, now})
	return 0, true
}

// Forget drops what is older than its time and the keys with it; call it now
// and then, so that an idle process keeps nothing.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(m.now())
}

// Close drops everything.
func (m *Memory) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.previous.destroy()
	m.current.destroy()
	m.previous, m.current = nil, nil
}

// turn starts a new generation when the current one is past its window or full.
func (m *Memory) turn(now time.Time) {
	if m.current != nil && now.Sub(m.current.born) < window && len(m.current.cards) < m.max {
		return
	}
	m.previous.destroy()
	m.previous = m.current
	if m.previous == nil || now.Sub(m.previous.born) >= 2*window {
		m.previous.destroy()
		m.previous = newGeneration(now)
	}
	m.current = newGeneration(now)
}

func newGeneration(now time.Time) *generation {
	g := &generation{key: make([]byte, sha256.Size), born: now, cards: map[mark][]seen{}}
	_, _ = rand.Read(g.key) // never fails since Go 1.24
	g.mac = secret.NewMAC(g.key)
	return g
}

func (g *generation) destroy() {
	if g == nil {
		return
	}
	clear(g.key)
	clear(g.cards)
}

// marks are the values of the card alone and of the card with the code. The
// lengths stand before the parts, so that no two inputs run together.
func (g *generation) marks(owner string, number, code []byte) (card, pair mark) {
	secret.Do(func() {
		defer g.mac.Reset()
		var sum [sha256.Size]byte
		g.mac.Write([]byte{byte(len(owner)), byte(len(number))})
		_, _ = io.WriteString(g.mac, owner)
		g.mac.Write(number)
		copy(card[:], g.mac.Sum(sum[:0]))
		g.mac.Write([]byte{byte(len(code))})
		g.mac.Write(code)
		copy(pair[:], g.mac.Sum(sum[:0]))
	})
	return card, pair
}

// fresh drops the codes of card that no longer count and returns the rest.
func (g *generation) fresh(card mark, now time.Time) []seen {
	codes, known := g.cards[card]
	if !known {
		return nil
	}
	codes = slices.DeleteFunc(codes, func(s seen) bool { return now.Sub(s.at) >= window })
	if len(codes) == 0 {
		delete(g.cards, card)
		return nil
	}
	g.cards[card] = codes
	return codes
}
