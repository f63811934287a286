package scan

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const (
	visa       = "4111111111111111"
	mastercard = "5105105105105100"
)

// search searches paths and returns lines as a person sees them, with the
// folder dir left out.
func search(t *testing.T, cfg Config, dir string, paths ...string) (lines []string, s *Scanner) {
	t.Helper()
	tell := func(x fmt.Stringer) { lines = append(lines, strings.ReplaceAll(x.String(), dir+"/", "")) }
	cfg.Found = func(f Finding) { tell(f) }
	cfg.Unread = func(u Unread) { tell(u) }
	s = New(cfg)
	for _, p := range paths {
		if err := s.Path(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	return lines, s
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFilesBelowAFolderAreSearched(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log", []byte("a\ncard "+visa+"\n"))
	write(t, dir+"/deep/er/x.csv", []byte("4929000000000018,"+mastercard))
	write(t, dir+"/deep/clean.txt", []byte("nothing"))
	write(t, dir+"/export-"+visa+".txt", nil)
	lines, s := search(t, Config{}, dir, dir)
	want(t, lines,
		"app.log:7: Visa ************1111, a test number",
		"deep/er/x.csv:0: Visa ************0018",
		"deep/er/x.csv:17: Mastercard ************5100, a test number",
		"export-************1111.txt:"+fmt.Sprint(len(dir)+8)+": Visa ************1111, name, a test number")
	if totals := s.Totals(); totals.Files != 4 || totals.Numbers != 4 || totals.Unread != 0 || totals.Bytes == 0 {
		t.Errorf("%+v", totals)
	}
	lines, _ = search(t, Config{IgnoreTest: true}, dir, dir)
	want(t, lines, "deep/er/x.csv:0: Visa ************0018")
	lines, _ = search(t, Config{}, dir, dir+"/app.log")
	want(t, lines, "app.log:7: Visa ************1111, a test number")
	lines, _ = search(t, Config{Stdin: strings.NewReader("x " + visa)}, dir, "-")
	want(t, lines, "-:2: Visa ************1111, a test number")
}

func TestLinksAndSpecialFilesAreSkipped(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside+"/x.log", []byte(visa))
	for name, target := range map[string]string{"out": outside, "loop": ".", "file": outside + "/x.log"} {
		if err := os.Symlink(target, dir+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(dir+"/pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	lines, s := search(t, Config{}, dir, dir)
	if want(t, lines); s.Totals().Skipped != 4 {
		t.Errorf("%+v", s.Totals())
	}
	lines, s = search(t, Config{FollowLinks: true}, dir, dir)
	if len(lines) < 1 || len(lines) > 2 || s.Totals().Files > 2 {
		t.Errorf("%q, %+v", lines, s.Totals())
	}
	lines, _ = search(t, Config{}, dir, dir+"/file")
	want(t, lines, "file:0: Visa ************1111, a test number")
}

func TestWhatCannotBeReadIsTold(t *testing.T) {
	dir := t.TempDir()
	lines, s := search(t, Config{}, dir, dir+"/none", dir)
	if want(t, lines, "none: not searched: no such file or directory"); s.Totals().Unread != 1 {
		t.Errorf("%+v", s.Totals())
	}
	if err := os.Symlink("nowhere", dir+"/dangling"); err != nil {
		t.Fatal(err)
	}
	lines, _ = search(t, Config{FollowLinks: true}, dir, dir)
	want(t, lines, "dangling: not searched: no such file or directory")
}

func TestADatabaseIsSearchedWithWhatLiesBesideIt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/x.db", []byte("SQLite format 3\x00"))
	write(t, dir+"/x.db-wal", []byte("page "+visa))
	lines, _ := search(t, Config{}, dir, dir+"/x.db")
	want(t, lines, "x.db-wal:5: Visa ************1111, a test number")
}

// The makers of archives.

func gz(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func zst(content []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(content, nil)
}

func tarOf(name string, content []byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o600})
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

func zipOf(t *testing.T, content []byte, members ...zip.FileHeader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&m)
		if err == nil {
			_, err = f.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchivesAreSearchedInside(t *testing.T) {
	text := []byte("card " + visa)
	bz2, _ := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWTEnCXoAAATZgAAYQAAkACwAEAAgACIaMmQgyYgaxaT6TxdyRThQkDEnCXo=") // the library only unpacks
	deflated := zip.FileHeader{Name: "d.log", Method: zip.Deflate}
	raw := zip.FileHeader{Name: "s.log", Method: zip.Store, CompressedSize64: uint64(len(text)), UncompressedSize64: uint64(len(text))}
	for name, tc := range map[string]struct {
		content []byte
		want    []string
	}{
		"gzip":              {gz(text), []string{"x:5"}},
		"bzip2":             {bz2, []string{"x:5"}},
		"zstd":              {zst(text), []string{"x:5"}},
		"tar":               {tarOf("a/b.log", text), []string{"x!a/b.log:5"}},
		"tar, packed":       {gz(tarOf("a/b.log", text)), []string{"x!a/b.log:5"}},
		"zip":               {zipOf(t, text, deflated, raw), []string{"x!d.log:5", "x!s.log:5"}},
		"zip in tar in zip": {zipOf(t, tarOf("t", zipOf(t, text, deflated)), zip.FileHeader{Name: "z", Method: zip.Deflate}), []string{"x!z!t!d.log:5"}},
		"two of gzip":       {append(gz(text), gz(text)...), []string{"x:5", "x:26"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/x", tc.content)
			lines, _ := search(t, Config{}, dir, dir+"/x")
			for i, w := range tc.want {
				tc.want[i] = w + ": Visa ************1111, a test number"
			}
			want(t, lines, tc.want...)
		})
	}
}

func TestArchivesThatCannotBeReadAreTold(t *testing.T) {
	deep := []byte("card " + visa)
	for range maxDepth + 1 {
		deep = gz(deep)
	}
	encrypted := zipOf(t, []byte("abc"), zip.FileHeader{Name: "e", Method: zip.Deflate})
	encrypted[6] |= flagEncrypted
	half := gz(bytes.Repeat([]byte("abcdefgh"), 5000))
	for name, tc := range map[string]struct {
		content []byte
		want    string
	}{
		"too deep":     {deep, "x: not searched: archives lie more than 8 deep in each other"},
		"cut off":      {half[:len(half)/2], "x: not searched: unexpected EOF"},
		"encrypted":    {encrypted, "x!e: not searched: it is encrypted"},
		"a wrong head": {slices.Concat([]byte("\x1f\x8b\x08\xff"), make([]byte, 100)), "x: not searched: gzip: invalid header"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/x", tc.content)
			lines, _ := search(t, Config{}, dir, dir+"/x")
			want(t, lines, tc.want)
		})
	}
}

// zeros is as much as a bomb unpacks to.
type zeros struct{ left int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.left))
	clear(p[:n])
	z.left -= int64(n)
	return n, nil
}

func TestABombEndsTheSearchOfItsFile(t *testing.T) {
	s := New(Config{Found: func(Finding) {}, Unread: func(Unread) {}})
	s.at.left = 1 << 20
	s.content(t.Context(), &zeros{left: 1 << 40}, 1)
	if s.totals.Unread != 1 || s.totals.Bytes > 2<<20 {
		t.Errorf("%+v", s.totals)
	}
}

func TestTheSearchEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/x", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := New(Config{Found: func(Finding) {}, Unread: func(Unread) {}})
	if err := s.Path(ctx, dir); err == nil {
		t.Error("it goes on")
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(gz([]byte(visa)))
	f.Add(tarOf("x", []byte(visa)))
	f.Add(zst([]byte(visa)))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(Config{Found: func(Finding) {}, Unread: func(Unread) {}})
		s.at.left = 1 << 20
		s.content(t.Context(), bytes.NewReader(b), 0)
		if s.totals.Bytes > 2<<20 {
			t.Errorf("%d bytes of %d", s.totals.Bytes, len(b))
		}
	})
}
