// Package spreadsheet owns the files the console gives out for spreadsheets: CSV
// (RFC 4180), sent page by page, no cell of which is taken for a formula. What is
// in them is its caller's.
package spreadsheet

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// pageTime is how long a page of an export may take to reach the person.
const pageTime = time.Minute

// File is a file of rows for a spreadsheet.
type File struct {
	Name   string
	Header []string
	// Page returns the rows behind a cursor and the cursor behind them, "" at the
	// end.
	Page func(cursor string) (rows [][]string, next string, err error)
}

// Name is the name of a file about something, made now.
func Name(what string, now time.Time) string {
	return what + "-" + now.UTC().Format("20060102-1504") + ".csv"
}

// Send sends a file page by page, so that it takes no more memory than one. An
// error before the first row is answered as one; after it the connection breaks,
// so that nobody takes a part for the whole.
func Send(w http.ResponseWriter, f File) error {
	rows, next, err := f.Page("")
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", f.Name))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	out, flush := csv.NewWriter(w), http.NewResponseController(w)
	out.UseCRLF = true // RFC 4180
	_ = out.Write(f.Header)
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
		if rows, next, err = f.Page(next); err != nil {
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

// Rows are the cells of each of all.
func Rows[T any](all []T, of func(T) []string) [][]string {
	rows := make([][]string, len(all))
	for i, v := range all {
		rows[i] = of(v)
	}
	return rows
}

// Stamp is a time as files have it, "" for none.
func Stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
