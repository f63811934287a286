package backup

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/go-json-experiment/json"

	"ccms/internal/secret"
)

// quick is a cost of scrypt for tests: a guess is to be quick there.
const quick = 2

const right = "correct horse battery"

// members are what a test puts into a backup, by name.
type members map[string][]byte

func (m members) manifest() Manifest {
	made := Manifest{Format: Format, Version: "test", At: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), By: "ann", Collections: map[string]int64{"Card": 3}}
	for _, name := range []string{"keys/login.key", "tls/ca.pem", "demo-firm.json", "ccms.db"} {
		if b, ok := m[name]; ok {
			made.Files = append(made.Files, File{name, int64(len(b))})
		}
	}
	return made
}

func (m members) source() Source {
	return Source{
		Manifest: m.manifest(), Passphrase: secret.NewString(right), Work: quick,
		Open: func(name string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m[name])), nil },
	}
}

// sealed is a backup of them.
func (m members) sealed(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, m.source()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// some is three chunks and more of the file's format.
func some() members {
	store := make([]byte, 200_000)
	_, _ = rand.Read(store)
	return members{"keys/login.key": []byte("a key"), "demo-firm.json": []byte("{}"), "ccms.db": store}
}

// open unpacks a backup into a new folder.
func open(t testing.TB, file []byte, passphrase string) (Manifest, members, error) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m, err := Unpack(t.Context(), bytes.NewReader(file), Into{Root: root, Passphrase: secret.NewString(passphrase)})
	return m, below(t, dir), err
}

// below reads all files of a folder.
func below(t testing.TB, dir string) members {
	t.Helper()
	all := members{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
		name, _ := filepath.Rel(dir, path)
		all[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatWasBackedUpComesBack(t *testing.T) {
	was := some()
	m, is, err := open(t, was.sealed(t), right)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(is, was, bytes.Equal) {
		t.Errorf("it comes back as %d files", len(is))
	}
	want, _ := json.Marshal(was.manifest())
	if got, _ := json.Marshal(m); !bytes.Equal(got, want) {
		t.Errorf("manifest %s, want %s", got, want)
	}
}

// TestABackupOpensWithoutThisProgram would fail if the file were not what the
// package's comment promises to whoever has nothing but age and tar.
func TestABackupOpensWithoutThisProgram(t *testing.T) {
	was := some()
	file := was.sealed(t)
	by, err := age.NewScryptIdentity(right)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(bytes.NewReader(file), by)
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(plain)
	names := []string{}
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if content, err := io.ReadAll(archive); err != nil || h.Name != manifestName && !bytes.Equal(content, was[h.Name]) {
			t.Errorf("%s: %d bytes, %v", h.Name, len(content), err)
		}
	}
	if got := strings.Join(names, " "); got != "manifest.json keys/login.key demo-firm.json ccms.db" {
		t.Error(got)
	}
	if bytes.Contains(file, []byte("a key")) || bytes.Contains(file, []byte("login.key")) {
		t.Error("something is readable")
	}
}

// TestAnAlteredByteAnywhereIsRefused alters every byte of the header and of the
// last chunk's end, and some of every region between.
func TestAnAlteredByteAnywhereIsRefused(t *testing.T) {
	was := some()
	file := was.sealed(t)
	header := bytes.Index(file, []byte("\n--- ")) + 100 // and the nonce behind it
	for at := range file {
		if at > header && at < len(file)-40 && at%4801 != 0 {
			continue
		}
		file[at] ^= 1
		_, _, err := open(t, file, right)
		file[at] ^= 1
		if !errors.Is(err, ErrAltered) && !errors.Is(err, ErrPassphrase) && !errors.Is(err, ErrNone) {
			t.Fatalf("byte %d of %d altered: %v", at, len(file), err)
		}
		if at > header && !errors.Is(err, ErrAltered) {
			t.Errorf("byte %d of %d altered, behind the header: %v", at, len(file), err)
		}
	}
	if _, _, err := open(t, file, right); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

func TestAFileThatWasCutOrIsAnotherIsRefused(t *testing.T) {
	was := some()
	file := was.sealed(t)
	other := some().sealed(t)
	header := bytes.Index(file, []byte("\n--- "))
	payload := header + len("\n--- ") + 43 + 1 + 16 // the header's MAC, its line, the nonce
	const chunk = 64<<10 + 16
	swapped := bytes.Clone(file)
	copy(swapped[payload:], file[payload+chunk:payload+2*chunk])
	copy(swapped[payload+chunk:], file[payload:payload+chunk])
	foreign := bytes.Clone(file)
	copy(foreign[payload+chunk:payload+2*chunk], other[payload+chunk:])
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"nothing":                      {nil, ErrNone},
		"a text":                       {[]byte("this is no backup, but long enough for one"), ErrNone},
		"a database":                   {[]byte("SQLite format 3\x00 and more"), ErrNone},
		"the first line alone":         {file[:len(magic)], ErrAltered},
		"half the header":              {file[:header/2], ErrAltered},
		"the header alone":             {file[:header+1], ErrAltered},
		"without its payload":          {file[:payload], ErrAltered},
		"the first chunk alone":        {file[:payload+chunk], ErrAltered},
		"cut between two chunks":       {file[:payload+2*chunk], ErrAltered},
		"cut within a chunk":           {file[:payload+2*chunk-999], ErrAltered},
		"without its last byte":        {file[:len(file)-1], ErrAltered},
		"with a byte more":             {append(bytes.Clone(file), 0), ErrAltered},
		"with itself behind it":        {append(bytes.Clone(file), file...), ErrAltered},
		"two chunks exchanged":         {swapped, ErrAltered},
		"a chunk of another":           {foreign, ErrAltered},
		"the payload of another":       {append(bytes.Clone(file[:payload]), other[payload:]...), ErrAltered},
		"a work factor that takes all": {bytes.Replace(file, fmt.Appendf(nil, " %d\n", quick), []byte(" 29\n"), 1), ErrAltered},
	} {
		if _, _, err := open(t, c.file, right); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range []string{"", "correct horse batterx", strings.ToUpper(right)} {
		if _, is, err := open(t, file, wrong); !errors.Is(err, ErrPassphrase) || len(is) > 0 {
			t.Errorf("passphrase %q: %d files, %v", wrong, len(is), err)
		}
	}
}

func TestAManifestNamesOnlyWhatABackupHolds(t *testing.T) {
	store := File{"ccms.db", 1}
	for name, c := range map[string]struct {
		m    Manifest
		want error
	}{
		"as it should be":         {Manifest{Format: 1, Files: []File{{"keys/login.key", 1}, {"ports.json", 1}, store}}, nil},
		"the store alone":         {Manifest{Format: 1, Files: []File{store}}, nil},
		"of a later version":      {Manifest{Format: 2, Files: []File{store}}, ErrFormat},
		"of no version":           {Manifest{Files: []File{store}}, ErrAltered},
		"nothing":                 {Manifest{Format: 1}, ErrAltered},
		"no store":                {Manifest{Format: 1, Files: []File{{"keys/login.key", 1}}}, ErrAltered},
		"the store first":         {Manifest{Format: 1, Files: []File{store, {"keys/login.key", 1}}}, ErrAltered},
		"a file twice":            {Manifest{Format: 1, Files: []File{{"keys/a", 1}, {"keys/a", 1}, store}}, ErrAltered},
		"the folder above":        {Manifest{Format: 1, Files: []File{{"../keys/a", 1}, store}}, ErrAltered},
		"the folder above within": {Manifest{Format: 1, Files: []File{{"keys/../../a", 1}, store}}, ErrAltered},
		"a path from the root":    {Manifest{Format: 1, Files: []File{{"/keys/a", 1}, store}}, ErrAltered},
		"what is not backed up":   {Manifest{Format: 1, Files: []File{{"lock", 1}, store}}, ErrAltered},
		"a log of the store":      {Manifest{Format: 1, Files: []File{{"ccms.db-wal", 1}, store}}, ErrAltered},
		"a name with NUL":         {Manifest{Format: 1, Files: []File{{"keys/a\x00", 1}, store}}, ErrAltered},
		"a negative size":         {Manifest{Format: 1, Files: []File{{"keys/a", -1}, store}}, ErrAltered},
		"a key too large for one": {Manifest{Format: 1, Files: []File{{"keys/a", maxFile + 1}, store}}, ErrAltered},
	} {
		if err := c.m.check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABackupThatCannotBeWholeIsNotWritten(t *testing.T) {
	s := some().source()
	s.Passphrase = secret.NewString("elevenbytes")
	if err := Write(t.Context(), io.Discard, s); !errors.Is(err, ErrShort) {
		t.Errorf("a short passphrase: %v", err)
	}
	s = some().source()
	s.Files[len(s.Files)-1].Size++
	if err := Write(t.Context(), io.Discard, s); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a file that became shorter: %v", err)
	}
	s = some().source()
	away := errors.New("away")
	s.Open = func(string) (io.ReadCloser, error) { return nil, away }
	if err := Write(t.Context(), io.Discard, s); !errors.Is(err, away) {
		t.Errorf("a file that is away: %v", err)
	}
}

// packed is an archive as it is within the encryption.
func packed(t testing.TB, manifest string, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, f := range append([]File{{manifestName, int64(len(manifest))}}, files...) {
		content := []byte(manifest)
		if i > 0 {
			content = bytes.Repeat([]byte("x"), int(f.Size))
		}
		if err := w.WriteHeader(header(f, time.Unix(0, 0))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnArchiveThatIsNotItsManifestIsRefused(t *testing.T) {
	const list = `{"format":1,"files":[{"name":"keys/a","size":3},{"name":"ccms.db","size":5}]}`
	key, store := File{"keys/a", 3}, File{"ccms.db", 5}
	for name, c := range map[string]struct {
		archive []byte
		want    error
	}{
		"as it says":            {packed(t, list, key, store), nil},
		"nothing":               {nil, ErrAltered},
		"no manifest first":     {packed(t, list, key, store)[1024:], ErrAltered},
		"no JSON":               {packed(t, "{", key, store), ErrAltered},
		"a member missing":      {packed(t, list, store), ErrAltered},
		"the last missing":      {packed(t, list, key), ErrAltered},
		"one more":              {packed(t, list, key, store, File{"keys/b", 1}), ErrAltered},
		"another order":         {packed(t, list, store, key), ErrAltered},
		"another size":          {packed(t, list, File{"keys/a", 4}, store), ErrAltered},
		"of a later version":    {packed(t, strings.Replace(list, "1", "2", 1), key, store), ErrFormat},
		"a name out of the way": {packed(t, strings.Replace(list, "keys/a", "../../a", 1), File{"../../a", 3}, store), ErrAltered},
	} {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		_, err = unpack(bytes.NewReader(c.archive), root)
		if err != nil {
			err = judge(t.Context(), err)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		_ = root.Close()
	}
}

// FuzzUnpack reads what a person who knows the passphrase might have written. It
// would fail if anything landed outside the folder, or where the manifest does
// not say.
func FuzzUnpack(f *testing.F) {
	f.Add(packed(f, `{"format":1,"files":[{"name":"keys/a","size":3},{"name":"ccms.db","size":5}]}`, File{"keys/a", 3}, File{"ccms.db", 5}))
	f.Add(packed(f, `{"format":1,"files":[{"name":"ccms.db","size":0}]}`, File{"ccms.db", 0}))
	f.Add(packed(f, `{"format":1,"files":[{"name":"../ccms.db","size":0}]}`, File{"../ccms.db", 0}))
	f.Add([]byte("nothing"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		dir := t.TempDir()
		inner := filepath.Join(dir, "inner")
		if err := os.Mkdir(inner, 0o700); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(inner)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		m, err := unpack(bytes.NewReader(archive), root)
		is := below(t, dir)
		if err == nil && len(is) != len(m.Files) {
			t.Errorf("%d files for %d members", len(is), len(m.Files))
		}
		for name := range is {
			found := false
			for _, f := range m.Files {
				found = found || filepath.Join("inner", f.Name) == name
			}
			if !found {
				t.Errorf("%q is no member", name)
			}
		}
	})
}

// BenchmarkWrite measures encryption and archive alone, with the cost of the
// passphrase left out.
func BenchmarkWrite(b *testing.B) {
	store := make([]byte, 64<<20)
	m := members{"ccms.db": store}
	b.SetBytes(int64(len(store)))
	for b.Loop() {
		if err := Write(b.Context(), io.Discard, m.source()); err != nil {
			b.Fatal(err)
		}
	}
}
