package sqlitestore

import (
	"sync"
	"time"

	"ccms/internal/store"
)

// The bounds of what a collection remembers: two generations of this many
// bytes, of documents up to a size.
const (
	generation = 512 << 10
	cacheable  = 32 << 10
)

// cache remembers the documents of one collection that were read lately. All
// writes pass the one writer of this process, so what it holds is exact: an id
// is forgotten before its write begins, is not remembered again while the
// write goes on, and nothing read before a write ended is put in after it.
type cache struct {
	mu         sync.Mutex
	writes     uint64         // ended so far
	busy       map[string]int // writes under way by id
	young, old map[string]cached
	size       int // bytes in young
}

type cached struct {
	doc     store.Doc
	expires time.Time // zero: never
}

func newCache() *cache {
	return &cache{busy: map[string]int{}, young: map[string]cached{}}
}

// get returns the document if it is remembered. Else the reader gives seen to
// put with what it read.
func (c *cache) get(id string, now time.Time) (d store.Doc, seen uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.young[id]
	if !ok {
		if v, ok = c.old[id]; ok {
			c.add(id, v)
		}
	}
	if !ok || !v.expires.IsZero() && !v.expires.After(now) {
		return store.Doc{}, c.writes, false
	}
	return v.doc, c.writes, true
}

// put remembers a document read when seen writes had ended.
func (c *cache) put(v cached, seen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes == seen && c.busy[v.doc.ID] == 0 && len(v.doc.Body) <= cacheable {
		c.add(v.doc.ID, v)
	}
}

func (c *cache) add(id string, v cached) {
	if c.size += len(v.doc.Body); c.size > generation {
		c.old, c.young, c.size = c.young, map[string]cached{}, len(v.doc.Body)
	}
	c.young[id] = v
}

// begin forgets id for the time of a write.
func (c *cache) begin(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy[id]++
	delete(c.young, id)
	delete(c.old, id)
}

// end is called when the outcome of the write can be read.
func (c *cache) end(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	if c.busy[id]--; c.busy[id] == 0 {
		delete(c.busy, id)
	}
}
