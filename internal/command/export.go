package command

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ccms/internal/audit"
)

// exportPage is how many rows of an audit log cross the socket at once.
const exportPage = 1000

// asked is which page of which log is wanted.
type asked struct {
	Service string
	Filter  audit.Filter
}

// extract is a page of rows, and where the next one begins.
type extract struct {
	Rows []audit.Row
	Next string
}

// Place is where a log ends: the last record of one of its chains.
type Place struct {
	Service string `json:"service"`
	audit.Head
}

// pageAudit reads a page of a log. That somebody begins to read a firm's
// records is put on record itself (PCI DSS 10.2.1.3), where the firm sees it.
func (d Desk) pageAudit(ctx context.Context, in asked) (extract, error) {
	i := slices.IndexFunc(d.Logs, func(l Log) bool { return l.Service == in.Service })
	if i < 0 {
		return extract{}, fmt.Errorf("no audit log of %s is kept here", in.Service)
	}
	cfg, err := d.Logs[i].Open(ctx)
	if err != nil {
		return extract{}, err
	}
	defer cfg.Key.Wipe()
	if in.Filter.After == "" {
		if err := note(ctx, cfg, in.Filter.Owner); err != nil {
			return extract{}, err
		}
	}
	in.Filter.Limit = exportPage
	rows, next, err := audit.Page(ctx, cfg, in.Filter)
	return extract{Rows: rows, Next: next}, err
}

// note records an export in the chain of such commands.
func note(ctx context.Context, cfg audit.Config, firm string) error {
	cfg.Chain = "commands"
	l, err := audit.Open(ctx, cfg)
	if err != nil {
		return err
	}
	err = l.Note(ctx, audit.Entry{Act: "audit.export", Actor: "administrator", Object: firm, Owner: firm}, audit.Success)
	return errors.Join(err, l.Close(ctx))
}

// listAudit names the logs that are kept here.
func (d Desk) listAudit(context.Context, struct{}) ([]string, error) {
	if len(d.Logs) == 0 {
		return nil, errNoLog
	}
	services := make([]string, 0, len(d.Logs))
	for _, l := range d.Logs {
		services = append(services, l.Service)
	}
	return services, nil
}

// headAudit finds where the logs end.
func (d Desk) headAudit(ctx context.Context, _ struct{}) ([]Place, error) {
	if len(d.Logs) == 0 {
		return nil, errNoLog
	}
	var all []Place
	for _, l := range d.Logs {
		cfg, err := l.Open(ctx)
		if err != nil {
			return nil, err
		}
		heads, err := audit.Heads(ctx, cfg)
		cfg.Key.Wipe()
		if err != nil {
			return nil, err
		}
		for _, h := range heads {
			all = append(all, Place{Service: l.Service, Head: h})
		}
	}
	return all, nil
}

// HeadAudit writes where the logs end, as JSON that VerifyAudit takes for a head
// file.
func (c Client) HeadAudit(ctx context.Context) error {
	heads := []Place{}
	if err := c.Ask(ctx, headAudit, struct{}{}, &heads); err != nil {
		return err
	}
	return c.json(heads)
}

// Export is an export of a firm's audit records (PCI DSS A1.2.1).
type Export struct {
	Firm     string
	From, To string // RFC 3339, or a day in UTC; "" for no bound. To does not count

	client Client
}

// NewExport returns an export that is written as lines of JSON or, when the
// client's Format is "csv", as CSV with a header.
func (c Client) NewExport(firm string) *Export { return &Export{Firm: firm, client: c} }

// Run writes the records, log by log, each with the oldest first.
func (e *Export) Run(ctx context.Context) error {
	from, errFrom := parseTime(e.From)
	to, errTo := parseTime(e.To)
	if err := errors.Join(errFrom, errTo); err != nil {
		return err
	}
	var services []string
	if err := e.client.Ask(ctx, listAudit, struct{}{}, &services); err != nil {
		return err
	}
	w := csv.NewWriter(e.client.Out)
	if e.client.Format == "csv" {
		_ = w.Write(columns[:]) // Error tells
	}
	for _, service := range services {
		in := asked{Service: service, Filter: audit.Filter{Owner: e.Firm, From: from, To: to}}
		for more := true; more; more = in.Filter.After != "" {
			var out extract
			if err := e.client.Ask(ctx, pageAudit, in, &out); err != nil {
				return err
			}
			for _, r := range out.Rows {
				if err := e.write(w, service, r); err != nil {
					return err
				}
			}
			in.Filter.After = out.Next
		}
	}
	w.Flush()
	return w.Error()
}

// columns are those of a CSV, in the order of cells.
var columns = [...]string{"service", "time", "act", "actor", "object", "from", "result", "reason", "request", "record", "begin"}

func (e *Export) write(w *csv.Writer, service string, r audit.Row) error {
	if e.client.Format != "csv" {
		return e.client.json(struct {
			Service string `json:"service"`
			audit.Row
		}{service, r})
	}
	cells := []string{service, r.Time.Format(rfc3339Millis), r.Act, r.Actor, r.Object, r.From, r.Result, r.Reason, r.Request, r.Record, r.Begin}
	for i, c := range cells {
		cells[i] = harmless(c)
	}
	return w.Write(cells)
}

const rfc3339Millis = "2006-01-02T15:04:05.000Z07:00"

// harmless keeps a spreadsheet from taking text that somebody else chose, such
// as a reason, for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// parseTime reads a time in RFC 3339, or a day, which begins at midnight UTC.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, errDay := time.Parse(time.DateOnly, text)
	at, err := time.Parse(time.RFC3339, text)
	if errDay != nil && err != nil {
		return at, fmt.Errorf("%q is no time: write 2026-11-30 or 2026-11-30T08:00:00Z", text)
	}
	return cmp.Or(day, at), nil
}
