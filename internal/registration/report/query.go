package report

import (
	"iter"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/problem"
	"ccms/internal/registration/ledger"
)

const (
	// defaultPeriod is how far back a report goes that says nothing of it.
	defaultPeriod = 30 * 24 * time.Hour
	// maxGroups bounds how many different lines are counted: a firm's endpoint
	// makes up reasons.
	maxGroups = 20_000
)

// query is which report is asked for.
type query struct {
	period ledger.Period
	format string
	group  []string // what is counted by; none lists
}

// parse reads from and to (a day, which begins at midnight UTC, or a time; to is
// not included), mode, format and group, each at most once.
func parse(in ledger.Shelf, values url.Values, now time.Time) (q query, err error) {
	q = query{period: ledger.Period{Shelf: in, To: now.Add(time.Minute)}, format: formatJSON}
	for name, all := range values {
		if len(all) != 1 {
			return q, unknownParameter()
		}
		switch text := all[0]; name {
		case "from":
			q.period.From, err = parseTime(text)
		case "to":
			q.period.To, err = parseTime(text)
		case "mode":
			err = q.mode(text)
		case "format":
			q.format = text
			if _, ok := forms[text]; !ok {
				err = problem.Validation("Send the format json, csv or ndjson.")
			}
		case "group":
			q.group = strings.Split(text, ",")
			err = checkGroup(q.group)
		default:
			err = unknownParameter()
		}
		if err != nil {
			return q, err
		}
	}
	if q.period.From.IsZero() {
		q.period.From = q.period.To.Add(-defaultPeriod)
	}
	if !q.period.From.Before(q.period.To) {
		return q, problem.Validation("Let from be before to, which is not included.")
	}
	return q, nil
}

func unknownParameter() error {
	return problem.Validation("Use only the query parameters the API description names, each once.")
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 {
			return at, nil
		}
	}
	return time.Time{}, problem.Validation("Send from and to as 2026-11-30 or 2026-11-30T08:00:00Z.")
}

// mode leaves one mode on the shelf; who may not see it gets an empty report.
func (q *query) mode(text string) error {
	if text != "test" && text != "live" {
		return problem.Validation("Send the mode test or live.")
	}
	q.period.Shelf.Modes = slices.DeleteFunc(slices.Clone(q.period.Shelf.Modes), func(m string) bool { return m != text })
	return nil
}

func checkGroup(group []string) error {
	for i, word := range group {
		if _, ok := groups[word]; !ok || slices.Contains(group[:i], word) {
			return problem.Validation("Count by day, brand, status or reason, or by several, with commas between them.")
		}
	}
	return nil
}

func (q query) columns() []string {
	if len(q.group) == 0 {
		return listColumns()
	}
	return append(slices.Clone(q.group), "count")
}

// groups are what a report counts by.
var groups = map[string]func(ledger.Row) string{
	"day":    func(r ledger.Row) string { return r.CreatedAt.UTC().Format(time.DateOnly) },
	"brand":  func(r ledger.Row) string { return r.Brand },
	"status": func(r ledger.Row) string { return r.Status },
	"reason": func(r ledger.Row) string { return r.Reason },
}

// counts are how many registrations have the same words.
type counts struct {
	by []string
	n  map[string]int // by the words with NUL between them, which none holds
}

func count(found iter.Seq2[ledger.Row, error], by []string) (counts, error) {
	c := counts{by, map[string]int{}}
	words := make([]string, len(by))
	for r, err := range found {
		if err != nil {
			return c, err
		}
		for i, word := range by {
			words[i] = groups[word](r)
		}
		c.n[strings.Join(words, "\x00")]++
		if len(c.n) > maxGroups {
			return c, problem.Validation("The report would have more than 20,000 lines; count by less, or a shorter time.")
		}
	}
	return c, nil
}

// rows are the lines of a report that counts, in the order of their words.
func (c counts) rows() iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		keys := make([]string, 0, len(c.n))
		for key := range c.n {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			words := strings.Split(key, "\x00")
			n := strconv.Itoa(c.n[key])
			if !yield(row{c.object(words, n), func() []string { return append(words, n) }}, nil) {
				return
			}
		}
	}
}

// object is a line as JSON, its members in the order that was asked for.
func (c counts) object(words []string, n string) jsontext.Value {
	b := []byte{'{'}
	for i, word := range words {
		b = append(append(append(b, '"'), c.by[i]...), `":`...)
		b, _ = jsontext.AppendQuote(b, word) // valid UTF-8, as it came in
		b = append(b, ',')
	}
	return append(append(append(b, `"count":`...), n...), '}')
}
