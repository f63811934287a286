package keyring

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestKeyFileOpensAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	one, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	two, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := one.Wrap(t.Context(), []byte("key"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if key, err := two.Unwrap(t.Context(), wrapped, []byte("aad")); err != nil || string(key.Reveal()) != "key" {
		t.Errorf("%s, %v", key.Reveal(), err)
	}
	if _, err := two.Unwrap(t.Context(), wrapped, []byte("other")); !errors.Is(err, ErrUnwrap) {
		t.Errorf("with other data: %v", err)
	}
	if _, err := testRoot(t).Unwrap(t.Context(), wrapped, []byte("aad")); !errors.Is(err, ErrUnwrap) {
		t.Errorf("with another root: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(content), "\n")
	if key, err := base64.StdEncoding.DecodeString(lines[1]); lines[0] != "ccms root key v1" || err != nil || len(key) != 32 || len(lines) != 3 {
		t.Errorf("the file has another form: %d lines, first %q, %v", len(lines), lines[0], err)
	}
}

func TestCreateFileNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if err := CreateFile(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the key was replaced")
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("%d files are left", len(names))
	}
}

func TestOfManyCreatorsOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			err := CreateFile(path)
			if err == nil {
				made.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
			if _, err := OpenFile(path); err != nil {
				t.Errorf("a half-made file: %v", err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d creators won", made.Load())
	}
}

func TestCreateFileNeedsItsFolder(t *testing.T) {
	if err := CreateFile(filepath.Join(t.TempDir(), "missing", "root.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestKeyFileThatOthersCanReachIsRefused(t *testing.T) {
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777} {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := CreateFile(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFile(path)
		if err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path); err != nil {
			t.Errorf("mode 0400: %v", err)
		}
	}
}

func TestKeyFileOfAnotherUserIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := private(info, os.Geteuid()); err != nil {
		t.Errorf("our own: %v", err)
	}
	if err := private(info, os.Geteuid()+1); err == nil {
		t.Error("accepts another user's")
	}
}

// owned is a file of somebody's.
type owned struct {
	os.FileInfo
	mode fs.FileMode
	uid  uint32
}

func (o owned) Mode() fs.FileMode { return o.mode }
func (o owned) Sys() any          { return &syscall.Stat_t{Uid: o.uid} }

func TestAGroupMayReadWhatRootOwns(t *testing.T) {
	for _, tt := range []struct {
		mode fs.FileMode
		uid  uint32
		user int
		ok   bool
	}{
		{0o600, 65532, 65532, true},
		{0o440, 65532, 65532, false},
		{0o440, 0, 65532, true},
		{0o640, 0, 65532, true},
		{0o460, 0, 65532, false},
		{0o444, 0, 65532, false},
		{0o440, 0, 0, false}, // then the group is somebody else's
		{0o440, 1000, 65532, false},
		{0o440 | fs.ModeNamedPipe, 0, 65532, false},
	} {
		if err := private(owned{mode: tt.mode, uid: tt.uid}, tt.user); (err == nil) != tt.ok {
			t.Errorf("%v of %d, read by %d: %v", tt.mode, tt.uid, tt.user, err)
		}
	}
}

func TestKeyFileMustBeARegularFile(t *testing.T) {
	if _, err := OpenFile(t.TempDir()); err == nil {
		t.Error("opens a folder")
	}
	if _, err := OpenFile(os.DevNull); err == nil {
		t.Error("opens a device")
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(pipe); err == nil {
		t.Error("opens a pipe")
	}
	if _, err := OpenFile(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestKeyFileContentIsStrict(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xA7}, KeySize))
	good := fileType + "\n" + key + "\n"
	accepted := []string{good, strings.TrimSuffix(good, "\n")}
	for _, content := range accepted {
		if k, err := parseFile([]byte(content)); err != nil || k.Len() != KeySize {
			t.Errorf("%d bytes, %v", k.Len(), err)
		}
	}
	refused := map[string]string{
		"empty":                "",
		"no type":              key + "\n",
		"another type":         strings.Replace(good, "v1", "v2", 1),
		"a type in capitals":   strings.ToUpper(fileType) + "\n" + key + "\n",
		"a space before":       " " + good,
		"only the type":        fileType + "\n",
		"a short key":          fileType + "\n" + base64.StdEncoding.EncodeToString(make([]byte, 31)) + "\n",
		"a long key":           fileType + "\n" + base64.StdEncoding.EncodeToString(make([]byte, 33)) + "\n",
		"half a key":           good[:len(good)/2],
		"no padding":           strings.Replace(good, "=", "", 1),
		"stray bits":           strings.Replace(good, key[42:], string(key[42]+1)+"=", 1),
		"hexadecimal":          fileType + "\n" + fmt.Sprintf("%x", make([]byte, 32)) + "\n",
		"a third line":         good + "more\n",
		"an empty third line":  good + "\n",
		"Windows line ends":    strings.ReplaceAll(good, "\n", "\r\n"),
		"a line break in it":   fileType + "\n" + key[:20] + "\n" + key[20:] + "\n",
		"something behind":     strings.TrimSuffix(good, "\n") + " ",
		"larger than any file": good + strings.Repeat("#", maxFile),
	}
	for name, content := range refused {
		t.Run(name, func(t *testing.T) {
			k, err := parseFile([]byte(content))
			if err == nil || k.Len() != 0 {
				t.Errorf("%d bytes, %v", k.Len(), err)
			}
			if err != nil && strings.Contains(err.Error(), key[:8]) {
				t.Error("the error shows the key")
			}
		})
	}
}

func FuzzKeyFile(f *testing.F) {
	f.Add([]byte(fileType + "\n" + base64.StdEncoding.EncodeToString(make([]byte, KeySize)) + "\n"))
	f.Add([]byte(fileType))
	f.Fuzz(func(t *testing.T, content []byte) {
		k, err := parseFile(content)
		if err != nil {
			return
		}
		again := fileType + "\n" + base64.StdEncoding.EncodeToString(k.Reveal())
		if strings.TrimSuffix(string(content), "\n") != again {
			t.Fatalf("two spellings of one key: %q and %q", content, again)
		}
	})
}
