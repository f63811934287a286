package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/datadir"
	"ccms/internal/doctor"
	"ccms/internal/secret"
)

// Restorer puts a backup into a data folder.
type Restorer struct {
	// Dir is the data folder, held open by this process: no other runs on it.
	Dir *datadir.Dir
	// Count counts the documents of a store that is not open, by collection.
	Count func(ctx context.Context, path string) (map[string]int64, error)
	// Check examines the data in a folder under the keys in it, and puts the
	// restore on record there.
	Check      func(ctx context.Context, folder string, m Manifest) ([]doctor.Finding, error)
	Passphrase secret.Bytes
	// Force moves away what the folder holds, instead of refusing.
	Force bool
	Out   io.Writer
	// Format is "json", else text.
	Format string
	// Bar is the terminal to show progress on; nil for none.
	Bar io.Writer
}

// The errors of a restore that is refused; nothing is in place then.
var (
	ErrOccupied = errors.New("the data folder holds a store or keys: name an empty one with --data, or give --force, which moves them to a folder beside")
	ErrUnsound  = errors.New("the backup was not restored, since a check of what is in it failed, see above")
)

// Restored is the report of a restore.
type Restored struct {
	Restored  bool             `json:"restored"`
	Data      string           `json:"data"`
	At        time.Time        `json:"at"` // of the copy in the backup
	By        string           `json:"by"` // who made the backup
	Version   string           `json:"version"`
	Documents int64            `json:"documents"`
	TookMS    int64            `json:"took_ms"`
	Before    string           `json:"before,omitzero"` // the folder in which the old state is
	Checks    []doctor.Finding `json:"checks"`
}

// Restore reads the backup in file, checks it and puts it in place: all of it, or
// none when anything is wrong.
func (r Restorer) Restore(ctx context.Context, file string) (err error) {
	if r.Dir.Occupied() && !r.Force {
		return ErrOccupied
	}
	began := time.Now()
	stage, err := r.Dir.Stage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Dir.Unstage()) }()
	m, err := r.unpack(ctx, file, stage)
	if err != nil {
		return err
	}
	r.show("what was read is checked")
	report := Restored{Data: r.Dir.Path(), At: m.At, By: m.By, Version: m.Version, Documents: m.Documents()}
	if report.Checks, err = r.check(ctx, stage, m); err != nil {
		return err
	}
	if doctor.Well(report.Checks) {
		if report.Before, err = r.Dir.Install(); err != nil {
			return err
		}
		report.Restored = true
	}
	report.TookMS = time.Since(began).Milliseconds()
	r.show("")
	if err := r.write(report); err != nil {
		return err
	}
	if !report.Restored {
		return ErrUnsound
	}
	return nil
}

func (r Restorer) unpack(ctx context.Context, file, stage string) (Manifest, error) {
	defer r.show("")
	f, err := os.Open(file)
	if err != nil {
		return Manifest{}, fmt.Errorf("open backup: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Manifest{}, fmt.Errorf("open backup: %w", err)
	}
	root, err := os.OpenRoot(stage)
	if err != nil {
		return Manifest{}, fmt.Errorf("stage: %w", err)
	}
	defer root.Close()
	m, err := Unpack(ctx, f, Into{Root: root, Passphrase: r.Passphrase, Progress: progress(r.Bar, "read", info.Size())})
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

// check holds what was read against the manifest before it is opened, which may
// change it.
func (r Restorer) check(ctx context.Context, stage string, m Manifest) ([]doctor.Finding, error) {
	f := doctor.Finding{Check: "counts", OK: true, Says: fmt.Sprintf("%d documents in %d collections, as the backup says", m.Documents(), len(m.Collections))}
	counts, err := r.Count(ctx, filepath.Join(stage, storeFile))
	if err != nil {
		f.OK, f.Says, f.Advice = false, err.Error(), otherBackup
		return []doctor.Finding{f}, ctx.Err()
	}
	if !maps.Equal(counts, m.Collections) {
		f.OK, f.Says, f.Advice = false, differences(counts, m.Collections), otherBackup
		return []doctor.Finding{f}, nil
	}
	found, err := r.Check(ctx, stage, m)
	return append([]doctor.Finding{f}, found...), err
}

const otherBackup = "restore another backup"

// differences names the first collection that differs.
func differences(is, should map[string]int64) string {
	names := slices.Sorted(maps.Keys(should))
	for _, name := range slices.Concat(names, slices.Sorted(maps.Keys(is))) {
		if is[name] != should[name] {
			return fmt.Sprintf("%s has %d documents, and %d by the backup's manifest", name, is[name], should[name])
		}
	}
	return "the store has other collections than the backup's manifest"
}

func (r Restorer) write(report Restored) error {
	if r.Format == "json" {
		b, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		_, err = r.Out.Write(append(b, '\n'))
		return err
	}
	if err := doctor.Report(r.Out, report.Checks, r.Format); err != nil || !report.Restored {
		return err
	}
	text := fmt.Sprintf("restored %d documents, as of %s, into %s in %.1f s\n", report.Documents, report.At.Format(time.RFC3339), report.Data, float64(report.TookMS)/1000)
	if report.Before != "" {
		text += fmt.Sprintf("what was there before is in %s: remove it when you are content\n", filepath.Join(report.Data, report.Before))
	}
	_, err := io.WriteString(r.Out, text)
	return err
}

func (r Restorer) show(text string) {
	if r.Bar != nil {
		_, _ = fmt.Fprintf(r.Bar, "\r\x1b[K%s", text) // a terminal that is gone shows nothing
	}
}
