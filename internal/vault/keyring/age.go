package keyring

import (
	"strings"
	"time"
)

// lately is how long ago a line was read at most for its age to be told: another
// process may have rotated it since.
const lately = time.Hour

// Oldest is how old the oldest key-encryption key is that wraps, of those this
// process has used lately; 0 while it has used none. It is a figure to raise an
// alarm on, so keys that are not rotated do not count: those that seal what
// waits for days, and secrets for HMACs, the numbers under which would have to
// be found anew (docs/keys.md). It reads no store.
func (r *Ring) Oldest() time.Duration {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var oldest time.Duration
	for name, l := range r.lines {
		u, _, _ := strings.Cut(name, "/")
		s := l.seen.Load()
		if s == nil || s.active == nil || use(u) != forOwner || r.now().Sub(s.read) > lately {
			continue
		}
		oldest = max(oldest, r.now().Sub(s.active.row.Created))
	}
	return oldest
}
