package upload

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnOrderGoesOnBehindAFileThatFails(t *testing.T) {
	dir := t.TempDir()
	o := Order{Files: []string{written(t, dir, "a.log.1", "a"), filepath.Join(dir, "none"), written(t, dir, "b.log.1", "b")}}
	s := newShelf()
	for _, there := range []bool{false, true} {
		var text, object bytes.Buffer
		o.Out = &text
		if err := o.run(t.Context(), newBucket(Config{}, s)); err == nil || !strings.Contains(err.Error(), "none: no such file") {
			t.Errorf("got %v", err)
		}
		how := " 1 bytes copied to "
		if there {
			how = " there already as "
		}
		if n := strings.Count(text.String(), how); n != 2 || len(s.kept) != 2 {
			t.Errorf("%d files%sin\n%s", n, how, &text)
		}
		o.Out, o.Format = &object, "json"
		_ = o.run(t.Context(), newBucket(Config{}, s))
		var copies []Copy
		if err := json.Unmarshal(object.Bytes(), &copies); err != nil || len(copies) != 2 || !copies[1].There {
			t.Errorf("%v in %s", err, &object)
		}
		o.Format = ""
	}
}

func TestProgressIsShownWhereSomebodyLooks(t *testing.T) {
	var bar bytes.Buffer
	o := Order{Bar: &bar, Out: io.Discard, Files: []string{written(t, t.TempDir(), "a.log", strings.Repeat("x", 3<<20))}}
	b := newBucket(Config{Progress: o.progress()}, newShelf())
	if err := o.run(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(bar.String(), " % of 3.0 MiB sent") || !strings.HasSuffix(bar.String(), "\r\x1b[K") {
		t.Errorf("shown: %q", bar.String())
	}
}
