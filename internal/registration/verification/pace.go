package verification

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"sync"
	"time"

	"ccms/internal/card"
	"ccms/internal/secret"
)

const (
	perMinute   = 100 // the registration of a client within a minute from which on it is suspicious (decision G)
	walkNumbers = 20  // the different number of one BIN and client within walkWindow from which on it is a walk
	walkWindow  = 10 * time.Minute
)

// client is who registers.
type client struct{ firm, id string }

// recent is a bounded memory of what happened lately, in two generations: what
// was not touched for a whole life, or lies furthest back when there is too
// much, is forgotten.
type recent[K comparable, V any] struct {
	life     time.Duration
	max      int
	now, old map[K]*V
	born     time.Time
}

// at returns what is remembered of key, new when there is nothing.
func (r *recent[K, V]) at(key K, now time.Time) *V {
	r.turn(now)
	v, ok := r.now[key]
	if !ok {
		if v, ok = r.old[key]; !ok {
			v = new(V)
		}
		r.now[key] = v
	}
	return v
}

func (r *recent[K, V]) turn(now time.Time) {
	if r.now != nil && len(r.now) < max(r.max/2, 1) && now.Sub(r.born) < r.life {
		return
	}
	r.old, r.now = r.now, map[K]*V{}
	if now.Sub(r.born) >= 2*r.life {
		r.old = nil
	}
	r.born = now
}

// pace recognises clients who register too fast, exactly: the hundredth time
// within any minute is too fast.
type pace struct {
	mu      sync.Mutex
	clients recent[client, stamps]
}

// stamps is a ring of the latest times of one client, in nanoseconds.
type stamps struct {
	at   [perMinute - 1]int64
	next int
}

func newPace(clients int) *pace {
	return &pace{clients: recent[client, stamps]{life: time.Minute, max: clients}}
}

// over counts one registration and reports whether it is one too many. One that
// is refused for it does not count.
func (p *pace) over(who client, now time.Time, how Reaction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.clients.at(who, now)
	oldest := &s.at[s.next]
	over := *oldest != 0 && now.UnixNano()-*oldest < int64(time.Minute)
	if over && how == Refuse {
		return true
	}
	*oldest = now.UnixNano()
	s.next = (s.next + 1) % len(s.at)
	return over
}

// walk recognises clients who try number after number of one BIN. It keeps no
// number: only shortened HMACs, under a key of this process.
type walk struct {
	mu    sync.Mutex
	mac   hash.Hash // has been reset before its first use: then Reset wipes the digits it buffers
	tried recent[pair, []mark]
}

type pair struct {
	client
	bin string
}

// mark is one number that was tried.
type mark struct {
	hash uint64
	at   int64
}

func newWalk(pairs int) *walk {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails since Go 1.24
	mac := hmac.New(sha256.New, key)
	mac.Reset()
	return &walk{mac: mac, tried: recent[pair, []mark]{life: walkWindow, max: pairs}}
}

// over notes a number and reports whether it is one too many that is new. One
// that is refused for it is not noted.
func (w *walk) over(who client, number card.Number, now time.Time, how Reaction) bool {
	digits := number.Digits()
	if len(digits) == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	this := mark{w.hash(digits), now.UnixNano()}
	marks := w.tried.at(pair{who, number.BIN()}, now)
	*marks = slices.DeleteFunc(*marks, func(m mark) bool { return this.at-m.at >= int64(walkWindow) })
	if i := slices.IndexFunc(*marks, func(m mark) bool { return m.hash == this.hash }); i >= 0 {
		(*marks)[i].at = this.at
		return false
	}
	over := len(*marks) >= walkNumbers-1
	if over && how == Refuse {
		return true
	}
	if len(*marks) >= walkNumbers {
		oldest := slices.MinFunc(*marks, func(a, b mark) int { return int(a.at - b.at) })
		*marks = slices.DeleteFunc(*marks, func(m mark) bool { return m == oldest })
	}
	*marks = append(*marks, this)
	return over
}

func (w *walk) hash(digits []byte) (h uint64) {
	secret.Do(func() { // Sum copies what is buffered
		var sum [sha256.Size]byte
		w.mac.Write(digits)
		h = binary.BigEndian.Uint64(w.mac.Sum(sum[:0]))
		w.mac.Reset()
	})
	return h
}
