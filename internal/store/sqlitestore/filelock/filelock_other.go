//go:build !unix

package filelock

import (
	"io"
	"os"
)

// take only makes the file: where there is no flock, the lock on the data
// folder is the one that keeps a second process out.
func take(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
