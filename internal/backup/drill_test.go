package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/datadir"
	"ccms/internal/doctor"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// post is a data folder, a store elsewhere that keeps the record, and a desk on
// both whose copies are some text.
type post struct {
	dir  *datadir.Dir
	desk Desk
	log  *audit.Log
	cfg  audit.Config
	out  bytes.Buffer
}

func newPost(t *testing.T) *post {
	t.Helper()
	dir, err := datadir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	if err := datadir.MakeKeys(dir.File("keys")); err != nil {
		t.Fatal(err)
	}
	p := &post{dir: dir}
	p.cfg = audit.Config{DB: storetest.New(t), Key: secret.NewString(strings.Repeat("k", 32)), Collection: "Record"}
	if p.log, err = audit.Open(t.Context(), p.cfg); err != nil {
		t.Fatal(err)
	}
	p.desk = Desk{
		Dir: dir, DB: p.cfg.DB,
		Take: func(_ context.Context, to string) error { return os.WriteFile(to, []byte("the store"), 0o600) },
		Heads: func(ctx context.Context) ([]Heads, error) {
			heads, err := audit.Heads(ctx, p.cfg)
			return []Heads{{"login-service", heads}}, err
		},
		Record: func(context.Context) (*audit.Log, error) { return p.log, nil },
	}
	return p
}

// ask takes the way of a command to the desk, by JSON.
func (p *post) ask(ctx context.Context, name string, args, out any) error {
	text, err := json.Marshal(args)
	if err != nil {
		return err
	}
	var answer any
	switch name {
	case Begin:
		var in Request
		if err := json.Unmarshal(text, &in); err != nil {
			return err
		}
		answer, err = p.desk.Begin(ctx, in)
	case End:
		var in Outcome
		if err := json.Unmarshal(text, &in); err != nil {
			return err
		}
		answer, err = p.desk.End(ctx, in)
	}
	if err != nil {
		return err
	}
	if text, err = json.Marshal(answer); err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func counts(context.Context, string) (map[string]int64, error) {
	return map[string]int64{"Card": 2, "Record": 7}, nil
}

func (p *post) client() Client {
	return Client{
		Ask: p.ask, Dir: p.dir, Count: counts, Version: "test", By: "ann", Passphrase: secret.NewString(right), Work: quick, Out: &p.out, Format: "json",
	}
}

func (p *post) restorer(into *datadir.Dir) Restorer {
	return Restorer{
		Dir: into, Count: counts, Passphrase: secret.NewString(right), Out: &p.out, Format: "json",
		Check: func(context.Context, string, Manifest) ([]doctor.Finding, error) {
			return []doctor.Finding{{Check: "all", OK: true}}, nil
		},
	}
}

// acts lists what is on record of backups.
func (p *post) acts(t *testing.T) (all []string) {
	t.Helper()
	for d, err := range p.cfg.DB.(store.Dumper).Dump(t.Context(), "Record") {
		if err != nil {
			t.Fatal(err)
		}
		records, _ := d.Body.Lookup("records").Array().Values()
		for _, r := range records {
			if name := r.Document().Lookup("act").StringValue(); strings.HasPrefix(name, "backup") {
				result, _ := r.Document().Lookup("result").StringValueOK()
				all = append(all, name+" "+result)
			}
		}
	}
	return all
}

func snapshotsLeft(t *testing.T, dir *datadir.Dir) []string {
	t.Helper()
	left, err := filepath.Glob(dir.File("snapshot-*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func TestABackupIsMadeNotedAndPutBack(t *testing.T) {
	p := newPost(t)
	if _, made, err := LastBackup(t.Context(), p.cfg.DB); made || err != nil {
		t.Fatalf("before the first: %v, %v", made, err)
	}
	file := filepath.Join(t.TempDir(), "a.backup")
	before := time.Now()
	if err := p.client().Make(t.Context(), file, "/etc/root.key"); err != nil {
		t.Fatal(err)
	}
	var made Made
	if err := json.Unmarshal(p.out.Bytes(), &made); err != nil || made.Documents != 9 || made.Bytes == 0 || len(made.Heads) != 1 || len(made.Elsewhere) != 1 {
		t.Fatalf("%s, %v", &p.out, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() != made.Bytes {
		t.Errorf("the file is %v, %v", info, err)
	}
	if left := snapshotsLeft(t, p.dir); left != nil {
		t.Errorf("copies are left: %v", left)
	}
	if got := strings.Join(p.acts(t), ", "); got != "backup.make , backup.make success" {
		t.Errorf("on record is %s", got)
	}
	last, known, err := LastBackup(t.Context(), p.cfg.DB)
	if err != nil || !known || last.Bytes != made.Bytes || last.By != "ann" || last.At.Before(before.Truncate(time.Millisecond)) || len(last.Heads) != 1 {
		t.Errorf("noted is %+v, %v, %v", last, known, err)
	}
	if err := p.client().Make(t.Context(), filepath.Join(t.TempDir(), "b.backup")); err != nil {
		t.Fatal(err)
	}
	if again, _, err := LastBackup(t.Context(), p.cfg.DB); err != nil || !again.At.After(last.At) {
		t.Errorf("after the second: %+v, %v", again, err)
	}

	into, err := datadir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	p.out.Reset()
	if err := p.restorer(into).Restore(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	var report Restored
	if err := json.Unmarshal(p.out.Bytes(), &report); err != nil || !report.Restored || report.By != "ann" || report.Documents != 9 || report.Before != "" {
		t.Errorf("%s, %v", &p.out, err)
	}
	was, is := below(t, p.dir.Path()), below(t, into.Path())
	for _, m := range []members{was, is} {
		delete(m, "lock")
	}
	was["ccms.db"] = []byte("the store")
	if !maps.EqualFunc(was, is, bytes.Equal) {
		t.Errorf("restored are %d files, %d were there", len(is), len(was))
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	away := errors.New("away")
	for name, c := range map[string]struct {
		spoil   func(*post, *Client)
		record  string
		hasFile bool
	}{
		"no copy can be made": {func(p *post, _ *Client) { p.desk.Take = func(context.Context, string) error { return away } }, "backup.make ", false},
		"it is not counted": {func(_ *post, c *Client) {
			c.Count = func(context.Context, string) (map[string]int64, error) { return nil, away }
		}, "backup.make , backup.make failed", false},
		"no record is kept": {func(p *post, _ *Client) {
			p.desk.Record = func(context.Context) (*audit.Log, error) { return nil, away }
		}, "", false},
		"it is not noted": {func(p *post, _ *Client) { p.desk.DB = refusing{p.desk.DB, away} }, "backup.make , backup.make success", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t)
			client := p.client()
			c.spoil(p, &client)
			folder := t.TempDir()
			if err := client.Make(t.Context(), filepath.Join(folder, "a.backup")); !errors.Is(err, away) {
				t.Errorf("%v", err)
			}
			if got := strings.Join(p.acts(t), ", "); got != c.record {
				t.Errorf("on record is %q", got)
			}
			if files, _ := os.ReadDir(folder); (len(files) == 1) != c.hasFile {
				t.Errorf("there are %v", files)
			}
			if left := snapshotsLeft(t, p.dir); left != nil {
				t.Errorf("copies are left: %v", left)
			}
			if _, made, _ := LastBackup(t.Context(), p.cfg.DB); made {
				t.Error("it is noted")
			}
		})
	}
}

// refusing is a store that opens no collection.
type refusing struct {
	store.DB
	err error
}

func (r refusing) Collection(context.Context, store.Spec) (store.Collection, error) {
	return nil, r.err
}

func TestAFileIsReplacedOnlyWhenForced(t *testing.T) {
	p := newPost(t)
	file := filepath.Join(t.TempDir(), "a.backup")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	if err := p.client().Make(t.Context(), file); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("unforced: %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "mine" || p.acts(t) != nil {
		t.Errorf("the file is %q, on record is %v", b, p.acts(t))
	}
	forced := p.client()
	forced.Force = true
	if err := forced.Make(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() < 100 {
		t.Errorf("%v, %v", info, err)
	}
	if err := forced.Make(t.Context(), filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("in the place of a folder: %v", err)
	}
	writing, err := Create(file, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := forced.Make(t.Context(), file); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("while another writes it: %v", err)
	}
	if err := writing.Drop(); err != nil {
		t.Error(err)
	}
	// What a process that was killed left is written over.
	if err := os.WriteFile(file+partial, bytes.Repeat([]byte("x"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := forced.Make(t.Context(), file); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file + partial); err == nil {
		t.Error("a part is left")
	}
}

func TestNothingIsInPlaceWhenARestoreFails(t *testing.T) {
	p := newPost(t)
	file := filepath.Join(t.TempDir(), "a.backup")
	if err := p.client().Make(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := file + ".cut"
	if err := os.WriteFile(cut, text[:len(text)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	away := errors.New("away")
	for name, c := range map[string]struct {
		file  string
		spoil func(*Restorer)
		want  error
		says  string
	}{
		"the passphrase is wrong": {file, func(r *Restorer) { r.Passphrase = secret.NewString("another passphrase") }, ErrPassphrase, ""},
		"the file was cut":        {cut, func(*Restorer) {}, ErrAltered, ""},
		"there is no file":        {file + "x", func(*Restorer) {}, os.ErrNotExist, ""},
		"a check finds something": {file, func(r *Restorer) { r.Check = finds(doctor.Finding{Check: "sealed", Says: "3 of 9 do not open"}) }, ErrUnsound, "3 of 9 do not open"},
		"a check cannot be made": {file, func(r *Restorer) {
			r.Check = func(context.Context, string, Manifest) ([]doctor.Finding, error) { return nil, away }
		}, away, ""},
		"documents are missing":    {file, func(r *Restorer) { r.Count = has(map[string]int64{"Card": 1, "Record": 7}) }, ErrUnsound, "Card has 1 documents, and 2"},
		"a collection is missing":  {file, func(r *Restorer) { r.Count = has(map[string]int64{"Card": 2}) }, ErrUnsound, "Record has 0 documents, and 7"},
		"a collection is too many": {file, func(r *Restorer) { r.Count = has(map[string]int64{"Card": 2, "Record": 7, "X": 0}) }, ErrUnsound, "other collections"},
		"the store is unreadable": {file, func(r *Restorer) {
			r.Count = func(context.Context, string) (map[string]int64, error) { return nil, away }
		}, ErrUnsound, "away"},
	} {
		t.Run(name, func(t *testing.T) {
			into, err := datadir.Open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer into.Close()
			p.out.Reset()
			r := p.restorer(into)
			c.spoil(&r)
			if err := r.Restore(t.Context(), c.file); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if is := below(t, into.Path()); len(is) != 1 {
				t.Errorf("the folder holds %v", is)
			}
			if !strings.Contains(p.out.String(), c.says) {
				t.Errorf("it says %s", &p.out)
			}
		})
	}
}

func finds(f doctor.Finding) func(context.Context, string, Manifest) ([]doctor.Finding, error) {
	return func(context.Context, string, Manifest) ([]doctor.Finding, error) { return []doctor.Finding{f}, nil }
}

func has(counts map[string]int64) func(context.Context, string) (map[string]int64, error) {
	return func(context.Context, string) (map[string]int64, error) { return counts, nil }
}

func TestWhatAFolderHoldsIsKeptBesideWhenForced(t *testing.T) {
	p := newPost(t)
	file := filepath.Join(t.TempDir(), "a.backup")
	if err := p.client().Make(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(p.dir.File("keys", "internal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.restorer(p.dir).Restore(t.Context(), file); !errors.Is(err, ErrOccupied) {
		t.Errorf("unforced: %v", err)
	}
	p.out.Reset()
	forced := p.restorer(p.dir)
	forced.Force, forced.Format = true, "text"
	if err := forced.Restore(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	before, err := filepath.Glob(p.dir.File("before-*", "keys", "internal"))
	if err != nil || len(before) != 1 {
		t.Fatalf("%v, %v", before, err)
	}
	if b, err := os.ReadFile(before[0]); err != nil || !bytes.Equal(b, old) {
		t.Errorf("kept is %d bytes, %v", len(b), err)
	}
	if !strings.Contains(p.out.String(), "restored 9 documents") || !strings.Contains(p.out.String(), "what was there before is in ") {
		t.Errorf("it says %s", &p.out)
	}
}

func TestATerminalShowsHowFarItIs(t *testing.T) {
	p := newPost(t)
	var bar bytes.Buffer
	client := p.client()
	client.Bar, client.Format = &bar, "text"
	file := filepath.Join(t.TempDir(), "a.backup")
	if err := client.Make(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(bar.String(), "the store is copied") || !strings.Contains(bar.String(), "] ") || !strings.HasSuffix(bar.String(), "\r\x1b[K") {
		t.Errorf("%q", &bar)
	}
	if !strings.Contains(p.out.String(), "9 documents in 2 collections") {
		t.Errorf("%s", &p.out)
	}
	if tell := progress(nil, "", 0); tell != nil {
		t.Error("progress for nobody")
	}
	progress(io.Discard, "", 0)(7) // of nothing
}
