package chassis

import (
	"context"

	"ccms/internal/datadir"
	"ccms/internal/store/sqlitestore/snapshot"
)

// CopyStore copies the embedded store of a data folder, which this process has
// open, to a new file.
func CopyStore(ctx context.Context, dir *datadir.Dir, to string) error {
	return snapshot.Take(ctx, dir.File("ccms.db"), to)
}

// CountCopy counts the documents of a copy, by collection.
func CountCopy(ctx context.Context, path string) (map[string]int64, error) {
	return snapshot.Count(ctx, path)
}

// CheckCopy checks the file of a data folder's embedded store, open or not.
func CheckCopy(ctx context.Context, dir *datadir.Dir) error {
	return snapshot.Check(ctx, dir.File("ccms.db"))
}
