package sqlitestore

import (
	"sync"
	"time"

	"ccms/internal/store"
)

// What a collection remembers, in bytes, before it begins anew, and the
// largest document of it.
const (
	remembered = 1 << 20
	cacheable  = 32 << 10
)

// cache remembers the documents of one collection that were read lately. All
// writes pass the one writer of this process, so what it holds is exact: an id
// is forgotten before its write begins, is not remembered again while the
// write goes on, and nothing read before a write ended is put in after it.
type cache struct {
	mu     sync.Mutex
	writes uint64         // ended so far
	busy   map[string]int // writes under way by id
	docs   map[string]cached
	size   int // bytes put into docs
}

type cached struct {
	doc     store.Doc
	expires time.Time // zero: never
}

func newCache() *cache { return &cache{busy: map[string]int{}, docs: map[string]cached{}} }

// get returns the document if it is remembered. Else the reader gives seen to
// put with what it read.
func (c *cache) get(id string, now time.Time) (d store.Doc, seen uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.docs[id]
	return v.doc, c.writes, ok && (v.expires.IsZero() || v.expires.After(now))
}

// put remembers a document read when seen writes had ended.
func (c *cache) put(v cached, seen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes != seen || c.busy[v.doc.ID] > 0 || len(v.doc.Body) > cacheable {
		return
	}
	if c.size += len(v.doc.Body); c.size > remembered {
		clear(c.docs)
		c.size = len(v.doc.Body)
	}
	c.docs[v.doc.ID] = v
}

// begin forgets id for the time of a write.
func (c *cache) begin(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy[id]++
	delete(c.docs, id)
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
