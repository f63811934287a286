package snapshot_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ccms/internal/problem"
	"ccms/internal/store/sqlitestore"
	"ccms/internal/store/sqlitestore/snapshot"
)

func TestADamagedFileIsToldFromOtherFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ccms.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if !snapshot.Damaged(err) || !snapshot.Damaged(fmt.Errorf("start: %w", problem.Database(err))) {
		t.Errorf("what is no database: %v", err)
	}
	_, away := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: filepath.Join(path, "below")})
	for _, other := range []error{nil, errors.New("disk is full"), away} {
		if snapshot.Damaged(other) {
			t.Errorf("%v is told as damage", other)
		}
	}
}
