package ledger

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ccms/internal/card"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	// maxScan bounds how many documents a page looks at in each mode when its
	// filters leave most of them out.
	maxScan = 1000
	// maxFilter is the longest reference or reason there can be, in characters.
	maxFilter = 255
)

// Shelf is what a caller may see: a firm's registrations, of one mode or both.
type Shelf struct {
	Firm  string
	Modes []string
}

// Filter is which registrations are listed; what is zero does not matter.
type Filter struct {
	shelf     Shelf
	status    string
	brand     string // display name
	reason    string
	reference string
	last4     string
	from, to  time.Time
	before    ID // where the page before ended
	limit     int
}

// ReadFilter reads the query of a list: status, brand, reason, reference,
// last4, from, to (RFC 3339 or a date; to is not included), mode, limit (1 to
// 100, default 50) and cursor. Anything else is 400 VALIDATION_ERROR. Who asks
// for a mode that is not on his shelf gets an empty list.
func ReadFilter(in Shelf, q url.Values) (f Filter, err error) {
	f = Filter{shelf: in, limit: defaultLimit}
	for name, values := range q {
		if len(values) != 1 || name != "cursor" && !f.read(name, values[0]) {
			return f, problem.Validation("Use only the query parameters the API description names, each once and in its form.")
		}
	}
	place, err := listing.Place(in.list(), q.Get("cursor"))
	copy(f.before[:], place)
	return f, err
}

// list names the list of registrations that a cursor belongs to.
func (s Shelf) list() string { return "registrations/" + s.Firm }

// read reads one parameter and reports whether it is one.
func (f *Filter) read(name, v string) (ok bool) {
	switch name {
	case "status":
		f.status = v
		return slices.Contains([]string{verification.Pending, verification.Verified, verification.Rejected, Failed, Expired}, v)
	case "brand":
		f.brand, ok = brandOf(v)
	case "reason":
		f.reason, ok = v, filterText(v)
	case "reference":
		f.reference, ok = v, filterText(v)
	case "last4":
		f.last4, ok = v, len(v) == 4 && strings.Trim(v, "0123456789") == ""
	case "from":
		f.from, ok = parseTime(v)
	case "to":
		f.to, ok = parseTime(v)
	case "mode":
		f.shelf.Modes = slices.DeleteFunc(slices.Clone(f.shelf.Modes), func(m string) bool { return m != v })
		return v == "test" || v == "live"
	case "limit":
		n, err := strconv.Atoi(v)
		f.limit, ok = n, err == nil && 1 <= n && n <= maxLimit
	}
	return ok
}

// brandOf is the display name of a brand that v names.
func brandOf(v string) (string, bool) {
	brands := card.Default().Brands()
	i := slices.IndexFunc(brands, func(b card.Brand) bool { return b.Named(v) })
	if i < 0 {
		return "", false
	}
	return brands[i].Name, true
}

// filterText reports whether v could be a stored text; stores refuse others.
func filterText(v string) bool {
	return v != "" && utf8.ValidString(v) && utf8.RuneCountInString(v) <= maxFilter && !strings.ContainsRune(v, 0)
}

// parseTime reads an RFC 3339 time, or a date, which is its first moment in UTC.
func parseTime(v string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil && t.Year() >= 1970 {
			return t, true
		}
	}
	return time.Time{}, false
}

// query asks for the registrations of a mode, the newest first, by the field
// that leaves the fewest; shows does the rest.
func (f Filter) query(mode string) store.Query {
	from, to := ID{}, ID{0: 0xff} // later than any time
	if !f.from.IsZero() {
		from = firstID(f.from)
	}
	if !f.to.IsZero() {
		to = firstID(f.to)
	}
	if f.before != (ID{}) && slices.Compare(f.before[:], to[:]) < 0 {
		to = f.before
	}
	q := store.Query{Order: "_id", Desc: true, Limit: maxScan + 1, Where: []store.Cond{
		{Field: "_id", Op: store.Ge, Value: Key{f.shelf.Firm, mode, from}.String()},
		{Field: "_id", Op: store.Lt, Value: Key{f.shelf.Firm, mode, to}.String()},
	}}
	keys := slices.DeleteFunc([]store.Cond{
		{Field: "reference", Op: store.Eq, Value: f.reference}, {Field: "last4", Op: store.Eq, Value: f.last4},
		{Field: "reason", Op: store.Eq, Value: f.reason}, {Field: "status", Op: store.Eq, Value: f.stored()},
	}, func(c store.Cond) bool { return c.Value == "" })
	if len(keys) > 0 {
		q.Order, q.Where = keys[0].Field, append(q.Where, keys[0])
	}
	if len(keys) < 2 && f.brand == "" && f.stored() != verification.Verified {
		q.Limit = f.limit + 1 // nothing is left out of what is read
	}
	return q
}

// stored is the status that documents have of those asked for.
func (f Filter) stored() string {
	if f.status == Expired {
		return verification.Verified
	}
	return f.status
}

// shows reports whether a registration is one of those asked for.
func (f Filter) shows(r *Registration, now time.Time) bool {
	return (f.status == "" || f.status == r.StatusAt(now)) &&
		(f.brand == "" || f.brand == r.Brand) &&
		(f.reason == "" || f.reason == r.Reason) &&
		(f.reference == "" || f.reference == r.Reference) &&
		(f.last4 == "" || f.last4 == r.Last4)
}

// List returns a page, the newest registrations first. What one mode was not
// searched for any more comes on a later page, so nothing older is shown
// before. A page may be short, even empty, and not the last.
func (l *Ledger) List(ctx context.Context, f Filter, now time.Time) (listing.Page[Row], error) {
	rows := []Row{}
	var end string // of what was looked at; "" when that was all
	for _, mode := range f.shelf.Modes {
		more, until, err := l.scan(ctx, f, mode, now)
		if err != nil {
			return listing.Page[Row]{}, err
		}
		rows, end = append(rows, more...), max(end, until)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(b.ID, a.ID) })
	rows = slices.DeleteFunc(rows, func(r Row) bool { return r.ID < end })
	if len(rows) > f.limit {
		rows = rows[:f.limit]
		end = rows[f.limit-1].ID
	}
	p := listing.Page[Row]{Data: rows}
	if last, ok := ParseID(end); ok {
		p.Next = new(listing.Cursor(f.shelf.list(), string(last[:])))
	}
	return p, nil
}

// scan reads a mode's part of a page. until is the last id it looked at, "" when
// there was nothing behind it.
func (l *Ledger) scan(ctx context.Context, f Filter, mode string, now time.Time) (rows []Row, until string, err error) {
	seen := 0
	for r, err := range l.docs.Find(ctx, f.query(mode)) {
		if err != nil {
			return nil, "", err
		}
		if len(rows) == f.limit || seen == maxScan {
			return rows, until, nil
		}
		k, ok := ParseKey(r.ID)
		if !ok {
			continue
		}
		seen++
		until = k.ID.String()
		if f.shows(&r.Value, now) {
			rows = append(rows, r.Value.RowOf(k, now))
		}
	}
	return rows, "", nil
}
