package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"ccms/internal/store"
)

// Filter says which records are wanted: those of one owner in a period
// (PCI DSS A1.2.1).
type Filter struct {
	Owner string    // account or firm; "" for all
	From  time.Time // zero: from the beginning
	To    time.Time // exclusive; zero: to the end
	// After is where to go on: the place that came with the last row or page.
	After string
	// Limit is how many rows a page has at most, by default 100.
	Limit int
}

// Row is a record as it is shown: who did what to what, when, from where, with
// which result (PCI DSS 10.2.2). An act has two, one before and one after it.
type Row struct {
	Time    time.Time `json:"time"` // UTC, milliseconds
	Act     string    `json:"act"`
	Actor   string    `json:"actor"`
	Object  string    `json:"object"`
	Owner   string    `json:"-"`
	From    string    `json:"from"`
	Result  string    `json:"result"` // Begun before the act, else how it ended
	Reason  string    `json:"reason"`
	Request string    `json:"request"`
	// Record is the chain and number, Begin those of the record that was written
	// before the act, "" where there is none.
	Record string `json:"record"`
	Begin  string `json:"begin,omitempty"`
}

// Begun is the result of a record whose act was about to happen.
const Begun = "begun"

// ErrPlace says that Filter.After was not given out by this package.
var ErrPlace = errors.New("audit: not a place in the record")

// maxPages bounds how many documents one page of rows looks at, so that its
// cost does not grow with what others did in the period.
const maxPages = 400

// Page returns the rows of f, the oldest first, and the place of the next page,
// "" when there is none. A page may be short, even empty, and not the last. Each
// row was checked against the chain it is in: a *Broken error says that one was
// altered or that one before it is missing. Other errors are ErrPlace and those
// of the store.
func (l *Log) Page(ctx context.Context, f Filter) ([]Row, string, error) { return l.page(ctx, f) }

// Page is Log.Page for who does not write.
func Page(ctx context.Context, cfg Config, f Filter) ([]Row, string, error) {
	b, err := openBooks(ctx, cfg)
	if err != nil {
		return nil, "", err
	}
	return b.page(ctx, f)
}

// Export yields all rows of f, the oldest first, checked as those of Page are.
func Export(ctx context.Context, cfg Config, f Filter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		b, err := openBooks(ctx, cfg)
		for err == nil {
			var rows []Row
			rows, f.After, err = b.page(ctx, f)
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if f.After == "" {
				break
			}
		}
		if err != nil {
			yield(Row{}, err)
		}
	}
}

// place is a record's in the order of time. Documents from before they had a
// time of their own come first, by their ids.
type place struct {
	at    int64 // of the document, in milliseconds; 0 when it has none
	id    string
	index int // of the record in it
}

func (p place) String() string {
	return strconv.FormatInt(p.at, 36) + " " + strconv.Itoa(p.index) + " " + p.id
}

func parsePlace(text string) (p place, err error) {
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 {
		return p, ErrPlace
	}
	at, errAt := strconv.ParseInt(parts[0], 36, 64)
	index, errIndex := strconv.Atoi(parts[1])
	if _, _, err := splitID(parts[2]); err != nil || errAt != nil || errIndex != nil || at < 0 || index < 0 {
		return p, ErrPlace
	}
	return place{at: at, index: index, id: parts[2]}, nil
}

// reading is one page in the making.
type reading struct {
	books
	f     Filter
	after place
	ends  map[string]head // of the chains that were met
	rows  []Row
	last  place // of the last record that was looked at
	seen  int   // documents
}

func (b books) page(ctx context.Context, f Filter) ([]Row, string, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	r := reading{books: b, f: f, ends: map[string]head{}}
	if f.After != "" {
		var err error
		if r.after, err = parsePlace(f.After); err != nil {
			return nil, "", err
		}
	}
	more, err := r.read(ctx)
	if err != nil || !more {
		return r.rows, "", err
	}
	return r.rows, r.last.String(), nil
}

// read fills the page, and reports whether there may be more.
func (r *reading) read(ctx context.Context) (more bool, err error) {
	if r.after.at == 0 {
		if more, err = r.walk(ctx, r.untimed()); more || err != nil {
			return more, err
		}
	}
	return r.walk(ctx, r.timed())
}

// untimed asks for the documents without a time of their own; they are few, or
// none, and come first in the order of time.
func (r *reading) untimed() store.Query {
	q := store.Query{Order: "at", Limit: maxPages + 1}
	if r.after.id != "" {
		q.After = &store.Position{ID: before(r.after.id)}
	}
	return q
}

// timed asks for the documents of the period.
func (r *reading) timed() store.Query {
	q := store.Query{Order: "at", Limit: maxPages + 1, Where: []store.Cond{
		{Field: "at", Op: store.Ge, Value: time.UnixMilli(max(1, r.f.From.UnixMilli(), r.after.at))}}}
	if !r.f.To.IsZero() {
		q.Where = append(q.Where, store.Cond{Field: "at", Op: store.Lt, Value: r.f.To})
	}
	if r.after.at > 0 {
		q.After = &store.Position{Value: time.UnixMilli(r.after.at), ID: before(r.after.id)}
	}
	return q
}

// before is the greatest text that sorts before the id of a document: the
// document itself is read again, since a page may have ended within it.
func before(id string) string {
	chain, n, _ := splitID(id)
	return docID(chain, n-1)
}

// walk reads documents in order until the page is full.
func (r *reading) walk(ctx context.Context, q store.Query) (more bool, err error) {
	for doc, err := range r.records.Find(ctx, q) {
		if err != nil {
			return false, err
		}
		at := int64(0)
		if !doc.Value.At.IsZero() {
			at = doc.Value.At.UnixMilli()
		}
		if at > 0 && len(q.Where) == 0 {
			return false, nil // those without a time are over
		}
		if r.seen == maxPages {
			return true, nil
		}
		r.seen++
		if err := r.check(ctx, doc); err != nil {
			return false, err
		}
		for i, rec := range doc.Value.Records {
			here := place{at: at, id: doc.ID, index: i}
			if doc.ID == r.after.id && i <= r.after.index {
				continue
			}
			if len(r.rows) == r.f.Limit {
				return true, nil
			}
			r.last = here
			if r.wanted(rec) {
				rec.Chain, _, _ = splitID(doc.ID)
				r.rows = append(r.rows, rec.row())
			}
		}
	}
	return false, nil
}

func (r *reading) wanted(rec record) bool {
	return (r.f.Owner == "" || rec.Owner == r.f.Owner) && !rec.At.Before(r.f.From) && (r.f.To.IsZero() || rec.At.Before(r.f.To))
}

// check holds a document against the record before it, which is read when it
// was not just seen.
func (r *reading) check(ctx context.Context, doc store.Record[page]) error {
	chain, first, err := splitID(doc.ID)
	if err != nil {
		return &Broken{Chain: chain, What: "a document with an id of another shape"}
	}
	prev, seen := r.ends[chain]
	if !seen || prev.number+1 != first {
		if prev, err = r.headBefore(ctx, chain, first); err != nil {
			return err
		}
	}
	r.ends[chain], err = r.follow(prev, doc)
	return err
}

// headBefore is the record before the numbered one, as it is stored.
func (b books) headBefore(ctx context.Context, chain string, n int64) (head, error) {
	last, err := b.records.First(ctx, store.Query{Desc: true, Where: []store.Cond{
		{Field: "_id", Op: store.Ge, Value: docID(chain, 0)},
		{Field: "_id", Op: store.Lt, Value: docID(chain, n)},
	}})
	if errors.Is(err, store.ErrNotFound) {
		return b.beginning(chain), nil
	}
	if err != nil {
		return head{}, err
	}
	return lastOf(chain, last.Value)
}

func (r record) row() Row {
	row := Row{
		Time: r.At.UTC(), Act: r.Act, Actor: r.Actor, Object: r.Object, Owner: r.Owner, From: r.From,
		Result: r.Result, Reason: r.Reason, Request: r.Request, Record: fmt.Sprintf("%s/%d", r.Chain, r.Number),
	}
	if row.Result == "" {
		row.Result = Begun
	}
	if r.Begin > 0 {
		row.Begin = fmt.Sprintf("%s/%d", r.Chain, r.Begin)
	}
	return row
}
