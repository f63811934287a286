package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// pageTime is how long a page of an export may take to reach the person.
const pageTime = time.Minute

// sheetFile is a file of rows for a spreadsheet.
type sheetFile struct {
	name   string
	header []string
	// page returns the rows behind a cursor and the cursor behind them, "" at the
	// end.
	page func(cursor string) (rows [][]string, next string, err error)
}

// export sends a file page by page, so that it takes no more memory than one. An
// error before the first row is answered as one; after it the connection breaks,
// so that nobody takes a part for the whole.
func export(w http.ResponseWriter, f sheetFile) error {
	rows, next, err := f.page("")
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", f.name))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	out, flush := csv.NewWriter(w), http.NewResponseController(w)
	out.UseCRLF = true // RFC 4180
	_ = out.Write(f.header)
	for {
		for _, row := range rows {
			for i := range row {
				row[i] = plainCell(row[i])
			}
			_ = out.Write(row)
		}
		out.Flush()
		if out.Error() != nil {
			return nil // the person has gone
		}
		_ = flush.Flush()
		if next == "" {
			return nil
		}
		_ = flush.SetWriteDeadline(time.Now().Add(pageTime))
		if rows, next, err = f.page(next); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

// plainCell keeps a spreadsheet from taking a text for a formula (OWASP, CSV
// injection): one that begins as a formula does gets an apostrophe before it.
func plainCell(text string) string {
	switch trimmed := strings.TrimLeft(text, " \u00a0"); {
	case trimmed == "":
		return text
	case strings.ContainsRune("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", []rune(trimmed)[0]):
		return "'" + text
	}
	return text
}

func (s *Service) exportRegistrations(w http.ResponseWriter, r *http.Request, d Desk) error {
	form := s.registrationFields(r.URL.Query())
	q := asked(filters(r.URL.Query(), form), form)
	if err := refusedFilter(form); err != nil {
		return err
	}
	q.Set("limit", "100")
	return export(w, sheetFile{
		name:   fileName("registrations", d, s.now()),
		header: []string{"registration_id", "mode", "status", "reason", "flags", "brand", "last4", "expiry", "token", "cvv_status", "reference", "registered_by", "created_at", "decided_at"},
		page: func(cursor string) ([][]string, string, error) {
			list, err := s.ask.Registrations(r, d.caller(), onward(q, cursor))
			return cells(list.Data, registrationCells), list.Next, err
		},
	})
}

func fileName(what string, d Desk, now time.Time) string {
	return what + "-" + d.Mode + "-" + now.UTC().Format("20060102-1504") + ".csv"
}

// onward adds a cursor to a query.
func onward(q url.Values, cursor string) url.Values {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}

func cells[T any](all []T, of func(T) []string) [][]string {
	rows := make([][]string, len(all))
	for i, v := range all {
		rows[i] = of(v)
	}
	return rows
}

func registrationCells(v backend.Registration) []string {
	return []string{
		v.ID, v.Mode, v.Status, v.Reason, strings.Join(v.Flags, " "), v.Brand, v.Last4, v.Expiry, v.Token, v.CVVStatus,
		v.Reference, v.By, stamp(v.CreatedAt), stamp(v.DecidedAt),
	}
}

// stamp is a time as files have it, "" for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// refusedFilter is what is wrong with a filter, nil when nothing is.
func refusedFilter(form *page.Form) error {
	if wrong := form.Wrong(); len(wrong) > 0 {
		return problem.Validation(wrong[0].Error + ".")
	}
	return nil
}
