// Package overview owns the figures of a firm's registrations, and the chart that
// shows them: counting, and where each bar stands. Which registrations are
// counted is its caller's.
package overview

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"ccms/internal/console/backend"
)

// Figures are what the overview shows of a period.
type Figures struct {
	Total, Verified, Refused, Pending int
	Share                             string // of those decided, "" while none is
	Days                              []Day  // the oldest first
	Most                              int    // what the highest bar stands for
	Reasons                           []Reason
}

// Day is a bar of the chart and a row of its table.
type Day struct {
	Date            time.Time
	Verified, Other int
	X, Width        int // of the bar, in the chart's units
	GoodY, GoodHigh int
	RestY, RestHigh int
	Label           string // below it, "" for none
}

// Reason is why some were refused.
type Reason struct {
	Name  string
	Count int
}

// Count sorts registrations into days days from first.
func Count(rows []backend.Registration, first time.Time, days int) Figures {
	f := Figures{Total: len(rows), Days: make([]Day, days)}
	for i := range f.Days {
		f.Days[i].Date = first.AddDate(0, 0, i)
	}
	reasons := map[string]int{}
	for _, v := range rows {
		d := &f.Days[min(max(int(v.CreatedAt.Sub(first)/(24*time.Hour)), 0), days-1)]
		switch v.Status {
		case "verified", "expired": // expired is a verified one whose card ran out since
			f.Verified++
			d.Verified++
			continue
		case "pending":
			f.Pending++
		default:
			f.Refused++
			reasons[cmp.Or(v.Reason, v.Status)]++
		}
		d.Other++
	}
	if decided := f.Verified + f.Refused; decided > 0 {
		f.Share = strconv.FormatFloat(100*float64(f.Verified)/float64(decided), 'f', 1, 64) + "\u00a0%"
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		f.Reasons = append(f.Reasons, Reason{name, reasons[name]})
	}
	slices.SortStableFunc(f.Reasons, func(a, b Reason) int { return b.Count - a.Count })
	f.Most = draw(f.Days)
	return f
}

// The chart's size in its own units.
const (
	chartWide, chartHigh = 720, 140
	labelEvery           = 7 // days of a chart with many
)

// draw gives the days their bars, the tallest as high as the chart, and returns
// what that stands for.
func draw(days []Day) (most int) {
	most = 1
	for _, d := range days {
		most = max(most, d.Verified+d.Other)
	}
	slot := chartWide / len(days)
	for i := range days {
		d := &days[i]
		d.X, d.Width = i*slot+slot/8, slot*3/4
		d.GoodHigh, d.RestHigh = d.Verified*chartHigh/most, d.Other*chartHigh/most
		d.GoodY = chartHigh - d.GoodHigh
		d.RestY = d.GoodY - d.RestHigh
		if len(days) <= labelEvery || i%labelEvery == 0 {
			d.Label = d.Date.Format("2 Jan")
		}
	}
	return most
}
