package ledger

import (
	"context"
	"iter"
	"time"

	"ccms/internal/store"
)

// periodPage is how many registrations of a period are read at once. Between
// pages nothing is held open in the store, however slowly they are taken.
const periodPage = 500

// Period is when the registrations of a shelf were made.
type Period struct {
	Shelf    Shelf
	From, To time.Time // To is not included
}

// During yields the registrations of a period, mode by mode, the oldest first.
// It reads those and no others. Their statuses are those of now.
func (l *Ledger) During(ctx context.Context, p Period, now time.Time) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, mode := range p.Shelf.Modes {
			from := Key{p.Shelf.Firm, mode, firstID(p.From)}.String()
			for op := store.Ge; from != ""; op = store.Gt {
				last, going := l.page(ctx, part{p, mode, now, store.Cond{Field: "_id", Op: op, Value: from}}, yield)
				if !going {
					return
				}
				from = last
			}
		}
	}
}

// part is a page of a period.
type part struct {
	Period
	mode string
	now  time.Time
	from store.Cond
}

// page yields a page and returns where it ended, "" on the last, and whether to
// go on.
func (l *Ledger) page(ctx context.Context, p part, yield func(Row, error) bool) (last string, going bool) {
	to := store.Cond{Field: "_id", Op: store.Lt, Value: Key{p.Shelf.Firm, p.mode, firstID(p.To)}.String()}
	seen := 0
	for r, err := range l.docs.Find(ctx, store.Query{Where: []store.Cond{p.from, to}, Limit: periodPage}) {
		if err != nil {
			yield(Row{}, err)
			return "", false
		}
		seen, last = seen+1, r.ID
		if k, ok := ParseKey(r.ID); ok && !yield(r.Value.RowOf(k, p.now), nil) {
			return "", false
		}
	}
	if seen < periodPage {
		last = ""
	}
	return last, true
}
