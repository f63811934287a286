// Package deep owns the check of all that a store holds: that its file is sound,
// every document can be read, the audit logs were not altered, and every sealed
// value opens under the keys there are. It is long, and asked for: by an
// operator, and by a restore before anything is put in place. It opens no store
// and knows no domain: package boot/desk says where to look, and each part of the
// product opens what it sealed itself. Like package doctor's, what is wrong is a
// finding and never an error.
package deep

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ccms/internal/audit"
	"ccms/internal/doctor"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// Patient is what is looked at.
type Patient struct {
	// Sound checks the file of the embedded store and its indexes; nil for a
	// MongoDB, which checks its own files.
	Sound func(context.Context) error
	// Documents shows all documents.
	Documents store.Dumper
	Logs      []Log
	Sealed    []Sealed
}

// Log is the audit log of a service.
type Log struct {
	Service string
	Open    func(context.Context) (audit.Config, error)
	// Kept are earlier ends of it that must still be in it.
	Kept []audit.Head
}

// Sealed is one kind of sealed values.
type Sealed struct {
	Name string // in the plural, for people
	// Check opens each of them; note is told how it went, by an id that is no
	// secret. Its error ends the check: the values cannot be read at all.
	Check func(ctx context.Context, note func(id string, err error)) error
}

// Examine makes all checks. It reads everything, and is slow by that.
func Examine(ctx context.Context, p Patient) []doctor.Finding {
	var all []doctor.Finding
	if p.Sound != nil {
		f := doctor.Finding{Check: "file", OK: true, Says: "the file of the store is sound, and its indexes fit"}
		if err := p.Sound(ctx); err != nil {
			f.OK, f.Says, f.Advice = false, err.Error(), restore
		}
		all = append(all, f)
	}
	all = append(all, documents(ctx, p.Documents))
	for _, l := range p.Logs {
		all = append(all, l.examine(ctx))
	}
	for _, s := range p.Sealed {
		all = append(all, s.examine(ctx))
	}
	return all
}

// restore is the advice where a store is not what it was.
const restore = "keep the data folder as it is, and restore the last backup that passes ccms doctor --deep"

// documents reads all of them.
func documents(ctx context.Context, db store.Dumper) doctor.Finding {
	f := doctor.Finding{Check: "store"}
	collections, n := map[string]bool{}, 0
	for d, err := range db.Dump(ctx) {
		if err == nil {
			err = d.Body.Validate()
		}
		if err != nil {
			f.Says, f.Advice = fmt.Sprintf("document %d of %s cannot be read: %v", n+1, d.Collection, err), restore
			return f
		}
		collections[d.Collection] = true
		n++
	}
	f.OK, f.Says = true, fmt.Sprintf("%d documents in %d collections can be read", n, len(collections))
	return f
}

func (l Log) examine(ctx context.Context) doctor.Finding {
	f := doctor.Finding{Check: "audit"}
	cfg, err := l.Open(ctx)
	if err != nil {
		f.Says, f.Advice = fmt.Sprintf("the log of the %s cannot be opened: %v", l.Service, err), "see that the root key is that of this store"
		return f
	}
	defer cfg.Key.Wipe()
	r, err := audit.Verify(ctx, cfg, l.Kept...)
	if err != nil {
		f.Says, f.Advice = fmt.Sprintf("%s: %v", l.Service, err), "find out who could write to the store since the last check"
		return f
	}
	f.OK, f.Says = true, fmt.Sprintf("%s: %d records in %d chains, unaltered", l.Service, r.Records, len(r.Heads))
	return f
}

// shown is how many values that do not open are named.
const shown = 5

func (s Sealed) examine(ctx context.Context) doctor.Finding {
	f := doctor.Finding{Check: "sealed"}
	var opened, ended, failed int
	var names []string
	err := s.Check(ctx, func(id string, err error) {
		switch {
		case err == nil:
			opened++
			return
		case errors.Is(err, vault.Destroyed()): // by ccms keys destroy, on record
			ended++
			return
		}
		if failed++; len(names) < shown && !slices.Contains(names, id) {
			names = append(names, id)
		}
	})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		f.Says = fmt.Sprintf("%s: the check was broken off after %d", s.Name, opened+ended+failed)
	case err != nil:
		f.Says, f.Advice = fmt.Sprintf("%s cannot be read: %v", s.Name, err), restore
	case failed > 0:
		f.Says = fmt.Sprintf("%s: %d of %d do not open, the first of %q", s.Name, failed, opened+ended+failed, names)
		f.Advice = "they were altered, or their key is not this one"
	case ended > 0:
		f.OK, f.Says = true, fmt.Sprintf("%s: %d, all open but %d whose keys were destroyed for good", s.Name, opened+ended, ended)
	default:
		f.OK, f.Says = true, fmt.Sprintf("%s: %d, all open", s.Name, opened)
	}
	return f
}
