package logging

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestAFullDiskStopsNobody writes to a device that is always full.
func TestAFullDiskStopsNobody(t *testing.T) {
	var console bytes.Buffer
	l, err := Open(Config{JSON: true, Console: &console, File: FileConfig{Path: "/dev/full"}})
	if err != nil {
		t.Fatal(err)
	}
	l.Info("first")
	l.Info("second")
	real := filepath.Join(t.TempDir(), "log")
	l.file.cfg.Path = real
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Info("third")
	l.Info("fourth")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, m := range regexp.MustCompile(`"message":"([^"]+)"`).FindAllStringSubmatch(console.String(), -1) {
		said = append(said, m[1])
	}
	want := "first|lines are missing in log.file until it can be written again|second|third|log.file can be written again|fourth"
	if got := strings.Join(said, "|"); got != want {
		t.Errorf("the console has %s, want %s", got, want)
	}
	if !strings.Contains(console.String(), `"ccms.log.lost":2`) {
		t.Errorf("nobody says what is lost: %s", console.String())
	}
	if b, err := os.ReadFile(real); err != nil || strings.Count(string(b), "\n") != 2 {
		t.Errorf("the file has %q, %v", b, err)
	}
}
