package store

import (
	"time"

	"ccms/internal/patience"
)

// Budget is how long one answer of the store may take before it becomes a 504
// (decision A5).
const Budget = patience.Times * 2 * time.Second
