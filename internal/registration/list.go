package registration

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/problem"
	"ccms/internal/registration/listing"
	"ccms/internal/registration/tenant"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	// maxScan bounds how many documents a page looks at in each mode when its
	// filters leave most of them out.
	maxScan = 1000
)

// filter is which registrations are listed; what is zero does not matter.
type filter struct {
	modes     []string
	status    string
	brand     string // display name
	reason    string
	reference string
	last4     string
	from, to  time.Time
	before    uuid // where the page before ended
	limit     int
}

// readFilter reads the query of a list; anything it does not know is 400
// VALIDATION_ERROR. A caller of one mode who asks for the other gets an empty
// list.
func (s *Service) readFilter(who caller, q url.Values) (f filter, err error) {
	f = filter{modes: who.modes(), limit: defaultLimit}
	for name, values := range q {
		if len(values) != 1 || !s.readOne(&f, name, values[0]) {
			return f, problem.Validation("Use only the query parameters the API description names, each once and in its form.")
		}
	}
	return f, nil
}

// readOne reads one parameter and reports whether it is one.
func (s *Service) readOne(f *filter, name, v string) bool {
	ok := v != ""
	switch name {
	case "status":
		f.status = v
		ok = slices.Contains([]string{verification.Pending, verification.Verified, verification.Rejected, failed, expired}, v)
	case "brand":
		i := slices.IndexFunc(s.brands.Brands(), func(b card.Brand) bool { return b.Named(v) })
		if ok = i >= 0; ok {
			f.brand = s.brands.Brands()[i].Name
		}
	case "reason":
		f.reason, ok = v, plain([]byte(v), maxReference)
	case "reference":
		f.reference, ok = v, plain([]byte(v), maxReference)
	case "last4":
		f.last4, ok = v, len(v) == 4 && strings.Trim(v, "0123456789") == ""
	case "from":
		f.from, ok = parseTime(v)
	case "to":
		f.to, ok = parseTime(v)
	case "mode":
		ok = v == tenant.Test || v == tenant.Live
		f.modes = slices.DeleteFunc(f.modes, func(m string) bool { return m != v })
	case "limit":
		n, err := strconv.Atoi(v)
		f.limit, ok = n, err == nil && 1 <= n && n <= maxLimit
	case "cursor":
		f.before, ok = parseCursor(v)
	default:
		return false
	}
	return ok
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
func (f filter) query(firm, mode string) store.Query {
	from, to := firstUUID(f.from), uuid{0: 0xff}
	if f.from.IsZero() {
		from = uuid{}
	}
	if !f.to.IsZero() {
		to = firstUUID(f.to)
	}
	if f.before != (uuid{}) && f.before.String() < to.String() {
		to = f.before
	}
	q := store.Query{Order: "_id", Desc: true, Limit: maxScan + 1, Where: []store.Cond{
		{Field: "_id", Op: store.Ge, Value: key{firm, mode, from}.String()},
		{Field: "_id", Op: store.Lt, Value: key{firm, mode, to}.String()},
	}}
	for _, by := range []struct{ field, value string }{
		{"reference", f.reference}, {"last4", f.last4}, {"reason", f.reason}, {"status", f.stored()},
	} {
		if by.value != "" {
			q.Order = by.field
			q.Where = append(q.Where, store.Cond{Field: by.field, Op: store.Eq, Value: by.value})
			break
		}
	}
	return q
}

// stored is the status that documents have of those asked for.
func (f filter) stored() string {
	if f.status == expired {
		return verification.Verified
	}
	return f.status
}

// shows reports whether a registration is one of those asked for.
func (f filter) shows(r *registration, now time.Time) bool {
	return (f.status == "" || f.status == r.statusAt(now)) &&
		(f.brand == "" || f.brand == r.Brand) &&
		(f.reason == "" || f.reason == r.Reason) &&
		(f.reference == "" || f.reference == r.Reference) &&
		(f.last4 == "" || f.last4 == r.Last4)
}

func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[Row], error) {
	who := callerOf(r)
	f, err := s.readFilter(who, r.URL.Query())
	if err != nil {
		return listing.Page[Row]{}, err
	}
	return s.list(r.Context(), who.firm, f)
}

// list returns a page. What one mode did not look at any more comes on a later
// page, so nothing older is shown before.
func (s *Service) list(ctx context.Context, firm string, f filter) (listing.Page[Row], error) {
	rows := []Row{}
	var end string // of what was looked at; "" when that was all
	for _, mode := range f.modes {
		more, until, err := s.scan(ctx, f, firm, mode)
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
	if last, ok := parseUUID(end); ok {
		p.Next = new(last.cursor())
	}
	return p, nil
}

// scan reads a mode's part of a page. until is the last id it looked at, "" when
// there was nothing behind it.
func (s *Service) scan(ctx context.Context, f filter, firm, mode string) (rows []Row, until string, err error) {
	now, seen := s.now(), 0
	for r, err := range s.registrations.Find(ctx, f.query(firm, mode)) {
		if err != nil {
			return nil, "", err
		}
		if len(rows) == f.limit || seen == maxScan {
			return rows, until, nil
		}
		k, ok := parseKey(r.ID)
		if !ok {
			continue
		}
		seen++
		until = k.id.String()
		if f.shows(&r.Value, now) {
			rows = append(rows, r.Value.row(k, now))
		}
	}
	return rows, "", nil
}
