//go:build !race

package store

import "time"

// Budget is how long one answer of the store may take before it becomes a 504
// (decision A5).
const Budget = 2 * time.Second
