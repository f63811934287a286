// Package reports owns the console's page of a firm's registrations counted by
// day, brand, status or reason, and passes reports on as files. Counting is the
// card service's; the chart is package overview's.
package reports

import (
	"embed"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/console/overview"
	"ccms/internal/page"
)

//go:embed pages/*.html
var pages embed.FS

type service struct {
	ask *backend.Backend
	now func() time.Time
}

// Part is the pages, which ask through ask.
func Part(ask *backend.Backend, now func() time.Time) frame.Part {
	s := &service{ask, now}
	return frame.Part{
		Pages: pages,
		Menu:  []frame.Entry{{Text: "Reports", Name: "reports", For: frame.Desk.Member}},
		Firm:  frame.Routes{"GET /reports": s.report, "GET /reports/file": s.file},
	}
}

// reportData is the data of reports.html.
type reportData struct {
	frame.Sheet
	By    string // day, month, brand, status or reason
	Lines []overview.Line
	Sum   overview.Line
	Chart overview.Chart
	Files []file
}

// InTime reports whether the lines follow each other in time.
func (data reportData) InTime() bool { return data.By == "day" || data.By == "month" }

// query is a report that somebody asks for.
type query struct {
	form        *page.Form
	by          string
	first, last time.Time
}

// read reads the form of a report; what is wrong stands at its fields.
func (s *service) read(r *http.Request, d frame.Desk) query {
	q := query{form: d.NewForm(forms.Report(r.URL.Query(), s.now())...), by: "day"}
	for _, o := range q.form.Field("by").Options {
		if o.On {
			q.by = o.Value
		}
	}
	q.first, q.last = forms.Period(q.form, q.by)
	return q
}

// asked is what the card service is asked: its "to" does not count any more.
func (q query) asked() url.Values {
	return url.Values{"from": {q.first.Format(time.DateOnly)}, "to": {q.last.AddDate(0, 0, 1).Format(time.DateOnly)}}
}

// group is what the card service counts by; it knows no months.
func (q query) group() string {
	return map[string]string{"day": "day,status", "month": "day,status", "brand": "brand,status", "status": "status", "reason": "reason,status"}[q.by]
}

func (s *service) report(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	q := s.read(r, d)
	data := reportData{Sheet: frame.Sheet{Desk: d, Form: q.form}, By: q.by}
	if data.Good() {
		asked := q.asked()
		asked.Set("group", q.group())
		counts, err := s.ask.Counts(r, d.Caller(), asked)
		if err := data.Refused(err, nil); err != nil {
			return err
		}
		data.count(q, counts)
		data.Files = files(d, q)
	}
	return d.Show(w, r, frame.Shown{Title: "Reports", Page: "reports.html", Data: data, Status: data.Status()})
}

// count fills in lines and chart.
func (data *reportData) count(q query, counts []backend.Count) {
	var all []string
	var name func(backend.Count) string
	switch q.by {
	case "month":
		all, name = overview.Months(q.first, q.last), func(c backend.Count) string { return c.Day[:len("2026-11")] }
	case "brand":
		name = func(c backend.Count) string { return c.Brand }
	case "status":
		name = func(c backend.Count) string { return c.Status }
	case "reason":
		name = reason
	default:
		all, name = overview.Days(q.first, q.last), func(c backend.Count) string { return c.Day }
	}
	data.Lines, data.Sum = overview.Lines(counts, name, all)
	if data.InTime() {
		data.Chart = overview.Standing(data.Lines)
	} else {
		data.Chart = overview.Lying(data.Lines)
	}
}

// reason is why a registration was not accepted; most have none.
func reason(c backend.Count) string {
	if c.Reason == "" {
		return "none"
	}
	return c.Reason
}
