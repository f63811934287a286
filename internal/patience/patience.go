//go:build !race && !patient

// Package patience says how much longer than in production one part of the
// product waits for another in builds that are tested on slow machines.
package patience

// Times is what deadlines are multiplied with.
const Times = 1
