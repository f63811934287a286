package secret_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"ccms/internal/secret"
)

func TestReadAllReadsWhatIsThere(t *testing.T) {
	failure := errors.New("cut off")
	for _, tt := range []struct {
		name     string
		n, size  int
		tooShort bool // whether the reader fails at its end
	}{
		{"nothing", 0, 0, false},
		{"as much as was expected", 1000, 1000, false},
		{"more than was expected", 5000, 10, false},
		{"less than was expected", 10, 5000, false},
		{"what nobody expected", 70000, 0, false},
		{"up to an error", 3000, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := make([]byte, tt.n)
			_, _ = rand.Read(want)
			var r io.Reader = bytes.NewReader(want)
			if tt.tooShort {
				r = io.MultiReader(r, iotest.ErrReader(failure))
			}
			got, err := secret.ReadAll(iotest.OneByteReader(r), tt.size)
			if !bytes.Equal(got.Reveal(), want) || (err != nil) != tt.tooShort || tt.tooShort && !errors.Is(err, failure) {
				t.Errorf("%d bytes, %v", got.Len(), err)
			}
		})
	}
}

// watcher remembers every buffer it was asked to fill.
type watcher struct {
	io.Reader
	seen [][]byte
}

func (w *watcher) Read(p []byte) (int, error) {
	w.seen = append(w.seen, p)
	return w.Reader.Read(p)
}

func TestReadAllWipesWhatBecameTooSmall(t *testing.T) {
	content := bytes.Repeat([]byte("4111111111111111"), 1000)
	w := &watcher{Reader: bytes.NewReader(content)}
	got, err := secret.ReadAll(w, 0)
	if err != nil || !bytes.Equal(got.Reveal(), content) {
		t.Fatalf("%d bytes, %v", got.Len(), err)
	}
	got.Wipe()
	for i, b := range w.seen {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("buffer %d of %d holds %q", i, len(w.seen), b[:min(len(b), 32)])
		}
	}
	if len(w.seen) < 3 {
		t.Error("no buffer became too small")
	}
}

func TestDoCallsAndPassesAPanicOn(t *testing.T) {
	called := false
	secret.Do(func() { called = true })
	if !called {
		t.Error("it was not called")
	}
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	secret.Do(func() { panic("it must show") })
}
