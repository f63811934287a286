package report

import (
	"bufio"
	"iter"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/registration/ledger"
)

// The formats of a report.
const (
	formatJSON  = "json"
	formatCSV   = "csv"
	formatLines = "ndjson"
)

// form is how a report is written in a format. What a writer says of a client
// that has gone, row returns.
type form struct {
	media string
	head  func(out *bufio.Writer, q query)
	row   func(out *bufio.Writer, r row, n int) error
	tail  func(out *bufio.Writer)
}

// forms are the formats there are.
var forms = map[string]form{
	formatJSON: {
		media: "application/json; charset=utf-8",
		head:  func(out *bufio.Writer, _ query) { _, _ = out.WriteString(`{"data":[`) },
		row: func(out *bufio.Writer, r row, n int) error {
			if n > 0 {
				_ = out.WriteByte(',')
			}
			return writeJSON(out, r.value)
		},
		tail: func(out *bufio.Writer) { _, _ = out.WriteString("]}\n") },
	},
	formatLines: {
		media: "application/x-ndjson; charset=utf-8",
		head:  func(*bufio.Writer, query) {},
		row: func(out *bufio.Writer, r row, _ int) error {
			if err := writeJSON(out, r.value); err != nil {
				return err
			}
			return out.WriteByte('\n')
		},
		tail: func(*bufio.Writer) {},
	},
	formatCSV: {
		media: "text/csv; charset=utf-8; header=present",
		head:  func(out *bufio.Writer, q query) { _ = writeCells(out, q.columns()) },
		row:   func(out *bufio.Writer, r row, _ int) error { return writeCells(out, r.cells()) },
		tail:  func(*bufio.Writer) {},
	},
}

func writeJSON(out *bufio.Writer, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = out.Write(b)
	}
	return err
}

// writeCells writes a line as RFC 4180 has it, every cell in quotes: so none is
// cut in two by a spreadsheet that takes another separator.
func writeCells(out *bufio.Writer, cells []string) (err error) {
	for i, c := range cells {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_, err = out.WriteString(`"` + strings.ReplaceAll(harmless(c), `"`, `""`) + `"`)
	}
	_, _ = out.WriteString("\r\n")
	return err
}

// harmless makes a cell text that a spreadsheet would take for a formula or for
// a link to another program (OWASP, CSV injection): those begin with one of
// these, in wide letters too, perhaps behind white space.
func harmless(cell string) string {
	text := strings.TrimLeft(cell, " \t\r\n\u00a0\ufeff")
	if text != "" && strings.ContainsRune("=+-@\uff1d\uff0b\uff0d\uff20", []rune(text)[0]) || cell != "" && strings.ContainsRune("\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// listed are the rows of a report that lists.
func listed(found iter.Seq2[ledger.Row, error]) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for r, err := range found {
			if !yield(row{r, func() []string { return cellsOf(r) }}, err) || err != nil {
				return
			}
		}
	}
}

// listColumns are those of cellsOf.
func listColumns() []string {
	return []string{
		"registration_id", "mode", "status", "reason", "token", "brand", "bin", "last4", "expiry",
		"cvv_status", "reference", "registered_by", "created_at", "decided_at",
	}
}

func cellsOf(r ledger.Row) []string {
	return []string{
		r.ID, r.Mode, r.Status, r.Reason, r.Token, r.Brand, r.BIN, r.Last4, r.Expiry,
		r.CVVStatus, r.Reference, r.By, timeOf(r.CreatedAt), timeOf(r.DecidedAt),
	}
}

func timeOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
