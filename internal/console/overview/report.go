package overview

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"ccms/internal/console/backend"
)

// Line is a row of a report, and a bar of its chart.
type Line struct {
	Name                                         string // what is counted: a day, a brand …
	Verified, Expired, Rejected, Failed, Pending int
}

// Total is how many registrations the line counts.
func (l Line) Total() int { return l.Verified + l.Expired + l.Rejected + l.Failed + l.Pending }

func (l *Line) add(status string, n int) {
	switch status {
	case "verified":
		l.Verified += n
	case "expired":
		l.Expired += n
	case "rejected":
		l.Rejected += n
	case "failed":
		l.Failed += n
	default:
		l.Pending += n
	}
}

// Lines adds counts up by the name that name gives each, and returns them in the
// order of names, those of all among them even where nothing was counted. The
// last is the sum.
func Lines(counts []backend.Count, name func(backend.Count) string, all []string) (lines []Line, sum Line) {
	found := map[string]*Line{}
	for _, n := range all {
		found[n] = &Line{Name: n}
	}
	for _, c := range counts {
		n := name(c)
		if found[n] == nil {
			found[n] = &Line{Name: n}
		}
		found[n].add(c.Status, c.Count)
		sum.add(c.Status, c.Count)
	}
	for _, n := range slices.Sorted(maps.Keys(found)) {
		lines = append(lines, *found[n])
	}
	return lines, sum
}

// Days are the days from first to last, as names of lines.
func Days(first, last time.Time) []string {
	return between(first, last, time.DateOnly, func(at time.Time) time.Time { return at.AddDate(0, 0, 1) })
}

// Months are those that have a day from first to last, as names of lines.
func Months(first, last time.Time) []string {
	return between(first.AddDate(0, 0, 1-first.Day()), last, "2006-01", func(at time.Time) time.Time { return at.AddDate(0, 1, 0) })
}

func between(first, last time.Time, layout string, next func(time.Time) time.Time) (names []string) {
	for at := first; !at.After(last); at = next(at) {
		names = append(names, at.Format(layout))
	}
	return names
}

// Chart is the bars of a report, in units of its own.
type Chart struct {
	High int
	Most int // what a bar of the whole height or width stands for
	Bars []Bar
}

// Bar is one of them: what was verified, and behind it all else.
type Bar struct {
	Good, Rest     Box
	Label          string // "" for none
	LabelX, LabelY float64
}

// Box is a rectangle.
type Box struct{ X, Y, Width, High float64 }

const (
	rowHigh   = 56 // of a lying bar with its label above it
	labelRoom = 24
	labels    = 6  // at most, below standing bars
	lastLabel = 84 // how wide one of them may be
)

// shortName is a day or a month as it stands below its bar.
func shortName(name string) string {
	if day, err := time.Parse(time.DateOnly, name); err == nil {
		return day.Format("2 Jan")
	}
	month, _ := time.Parse("2006-01", name) // as between makes it
	return month.Format("Jan 06")
}

// Standing is a chart of lines that follow each other in time.
func Standing(lines []Line) Chart {
	c := Chart{High: chartHigh + labelRoom, Most: most(lines)}
	slot, scale := float64(chartWide)/float64(len(lines)), chartHigh/float64(c.Most)
	every := (len(lines) + labels - 1) / labels
	for i, l := range lines {
		good, all := round(float64(l.Verified+l.Expired)*scale), round(float64(l.Total())*scale)
		x, width := round(float64(i)*slot+slot/8), round(slot*3/4)
		b := Bar{Good: Box{x, chartHigh - good, width, good}, Rest: Box{x, chartHigh - all, width, round(all - good)}, LabelY: chartHigh + 18}
		if i%every == 0 {
			b.Label, b.LabelX = shortName(l.Name), min(x, chartWide-lastLabel)
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// Lying is a chart of lines that only have names.
func Lying(lines []Line) Chart {
	c := Chart{High: rowHigh * len(lines), Most: most(lines)}
	scale := chartWide / float64(c.Most)
	for i, l := range lines {
		y := float64(i * rowHigh)
		good, all := round(float64(l.Verified+l.Expired)*scale), round(float64(l.Total())*scale)
		c.Bars = append(c.Bars, Bar{
			Good: Box{0, y + labelRoom, good, labelRoom}, Rest: Box{good, y + labelRoom, round(all - good), labelRoom},
			Label: l.Name + ": " + strconv.Itoa(l.Total()), LabelY: y + 18,
		})
	}
	return c
}

// most is the largest total, at least 1.
func most(lines []Line) int {
	n := 1
	for _, l := range lines {
		n = max(n, l.Total())
	}
	return n
}

func round(x float64) float64 { return math.Round(x*100) / 100 }
