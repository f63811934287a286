//go:build race

package store

import "time"

// Budget is longer under the race detector, which makes everything some ten
// times slower: what is looked for there are races, not deadlines.
const Budget = 10 * time.Second
