// Package filelock owns the lock that keeps a second process from a database
// file. What is locked, and what being refused means, is its caller's business.
package filelock

import "io"

// Take takes an exclusive lock on a file, which it makes when it is missing. The
// kernel gives the lock back when the process ends, however it ends. The file is
// never removed: another process may be about to lock it. It must not be the
// database itself: SQLite's locks are of another kind and are lost when anybody
// in the process closes the file they lie on.
func Take(path string) (io.Closer, error) { return take(path) }
