//go:build cloud

package upload

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bucketEnv names a bucket of a real or an emulated provider: its URL, with the
// credentials in the environment beside it (peers/cloud/run).
const bucketEnv = "CCMS_TEST_BUCKET"

// place is the bucket of the environment, else a folder.
func place(t *testing.T) (text, folder string) {
	t.Helper()
	if text := os.Getenv(bucketEnv); text != "" {
		return text, ""
	}
	folder = t.TempDir()
	return "file://" + folder, folder
}

// under is the URL with another prefix.
func under(t *testing.T, text, prefix string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("prefix", prefix)
	u.RawQuery = q.Encode()
	return u.String()
}

func opened(t *testing.T, text string) *Bucket {
	t.Helper()
	b, err := Open(t.Context(), Config{URL: text, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestAProviderKeepsWhatWasSent sends a file in one piece and one in several
// parts, and reads them back.
func TestAProviderKeepsWhatWasSent(t *testing.T) {
	text, folder := place(t)
	b := opened(t, under(t, text, "host-1/"))
	for name, size := range map[string]int{"small.log.2": 1000, "empty.log": 0, "large.backup": 20<<20 + 1} {
		t.Run(name, func(t *testing.T) {
			body := make([]byte, size)
			_, _ = rand.Read(body)
			path := written(t, t.TempDir(), name, string(body))
			c := send(t, b, path)
			if c.There || c.Bytes != int64(size) {
				t.Errorf("the first time: %+v", c)
			}
			if c := send(t, b, path); !c.There {
				t.Errorf("the second time: %+v", c)
			}
			got, err := b.objects.(bucket).ReadAll(t.Context(), c.Key)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d bytes came back of %d, %v", len(got), size, err)
			}
			if folder == "" {
				return
			}
			if got, err := os.ReadFile(filepath.Join(folder, "host-1", c.Key)); err != nil || !bytes.Equal(got, body) {
				t.Errorf("in the folder: %d bytes of %d, %v", len(got), size, err)
			}
		})
	}
}

func TestWhatAProviderRefusesIsNotRepeated(t *testing.T) {
	text, folder := place(t)
	missing := "file://" + filepath.Join(folder, "none")
	if folder == "" {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		u.Host = "none-" + strings.ToLower(rand.Text())
		missing = u.String()
	}
	b, err := Open(t.Context(), Config{URL: missing})
	if err == nil {
		defer b.Close()
		b.cfg.Again = func(err error, _ time.Duration) { t.Errorf("tried again after %v", err) }
		_, err = b.Send(t.Context(), written(t, t.TempDir(), "a.log", "x"))
	}
	if err == nil {
		t.Error("no error")
	}
}

// TestAFileThatShrinksLeavesNoObject would break if half a file could be taken
// for a whole one.
func TestAFileThatShrinksLeavesNoObject(t *testing.T) {
	text, _ := place(t)
	b := opened(t, under(t, text, "shrinks/"))
	path := written(t, t.TempDir(), "a.log", strings.Repeat("x", 20<<20))
	b.cfg.Progress = func(sent, _ int64) {
		if sent >= 10<<20 {
			_ = os.Truncate(path, sent)
		}
	}
	c, err := b.Send(t.Context(), path)
	if err == nil {
		t.Fatalf("sent: %+v", c)
	}
	if size, ok, err := b.objects.Look(t.Context(), c.Key); ok || err != nil {
		t.Errorf("%d bytes lie there, %v", size, err)
	}
}

func TestAURLThatLeadsNowhereIsRefused(t *testing.T) {
	for _, text := range []string{"", "ccms.log", "ftp://host/folder", "s3://bucket?nonsense=1", "gs://bucket?nonsense=1"} {
		if b, err := Open(t.Context(), Config{URL: text}); err == nil {
			t.Errorf("%q: %+v", text, b)
		}
	}
}
