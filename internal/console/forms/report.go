package forms

import (
	"net/url"
	"time"

	"ccms/internal/page"
)

// reportDays is how many days a report has when nobody says.
const reportDays = 30

// The bounds of a report by days and months, so that it can be looked at.
const (
	maxDays  = 92
	maxYears = 5
)

// Report is what a report counts by, and of which days.
func Report(q url.Values, now time.Time) []*page.Field {
	value := func(name string, otherwise time.Time) string {
		if q.Has(name) {
			return q.Get(name)
		}
		return otherwise.UTC().Format(time.DateOnly)
	}
	by := []page.Option{{Value: "day", Text: "Day"}, {Value: "month", Text: "Month"}, {Value: "brand", Text: "Brand"}, {Value: "status", Text: "Status"}, {Value: "reason", Text: "Reason"}}
	for i := range by {
		by[i].On = q.Get("by") == by[i].Value
	}
	return []*page.Field{
		{ID: "by", Label: "Count by", Type: "select", Options: by},
		{ID: "from", Label: "From (UTC)", Type: "date", Value: value("from", now.AddDate(0, 0, 1-reportDays))},
		{ID: "to", Label: "Up to and with", Type: "date", Value: value("to", now)},
	}
}

// Period is the days of the form of Report, counted by something. It notes at
// the fields what is wrong with them.
func Period(form *page.Form, by string) (first, last time.Time) {
	day := func(id string) time.Time {
		at, err := time.Parse(time.DateOnly, form.Field(id).Value)
		if err != nil {
			form.Field(id).Error = "Enter a day such as 2026-11-30"
		}
		return at
	}
	first, last = day("from"), day("to")
	switch to := form.Field("to"); {
	case len(form.Wrong()) > 0:
	case last.Before(first):
		to.Error = "Enter a day that is not before the first"
	case by == "day" && last.Sub(first) >= maxDays*24*time.Hour:
		to.Error = "Enter a day at most 92 days on, or count by month"
	case last.After(first.AddDate(maxYears, 0, 0)):
		to.Error = "Enter a day at most five years on"
	}
	return first, last
}
