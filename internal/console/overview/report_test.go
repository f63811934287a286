package overview_test

import (
	"slices"
	"testing"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/overview"
)

func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

func TestDaysOnWhichNothingHappenedAreThere(t *testing.T) {
	counts := []backend.Count{
		{Day: "2026-02-28", Status: "verified", Count: 3}, {Day: "2026-02-28", Status: "rejected", Count: 1},
		{Day: "2026-03-02", Status: "expired", Count: 2}, {Day: "2026-03-02", Status: "pending", Count: 1}, {Day: "2026-03-02", Status: "failed", Count: 1},
	}
	lines, sum := overview.Lines(counts, func(c backend.Count) string { return c.Day }, overview.Days(day("2026-02-27"), day("2026-03-02")))
	want := []overview.Line{
		{Name: "2026-02-27"}, {Name: "2026-02-28", Verified: 3, Rejected: 1}, {Name: "2026-03-01"}, {Name: "2026-03-02", Expired: 2, Pending: 1, Failed: 1},
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%v", lines)
	}
	if sum.Total() != 8 || sum.Verified != 3 {
		t.Errorf("sum %v", sum)
	}
}

func TestMonthsBeginWithTheFirstAndEndWithTheLast(t *testing.T) {
	got := overview.Months(day("2026-11-30"), day("2027-02-01"))
	if want := []string{"2026-11", "2026-12", "2027-01", "2027-02"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestBarsStayInTheChart would fail if a bar were cut off, or a chart of any
// length, or of nothing, were none.
func TestBarsStayInTheChart(t *testing.T) {
	for name, lines := range map[string][]overview.Line{
		"one":     {{Name: "2026-11-01", Verified: 7}},
		"nothing": {{Name: "2026-11-01"}, {Name: "2026-11-02"}},
		"many":    slices.Repeat([]overview.Line{{Name: "2026-11-01", Verified: 1, Failed: 2}, {Name: "2026-11-02", Pending: 40}}, 100),
	} {
		t.Run(name, func(t *testing.T) {
			for kind, c := range map[string]overview.Chart{"standing": overview.Standing(lines), "lying": overview.Lying(lines)} {
				if len(c.Bars) != len(lines) {
					t.Fatalf("%s: %d bars", kind, len(c.Bars))
				}
				for i, b := range c.Bars {
					for _, box := range []overview.Box{b.Good, b.Rest} {
						if box.X < 0 || box.Y < 0 || box.Width < 0 || box.High < 0 || box.X+box.Width > 720.01 || box.Y+box.High > float64(c.High)+.01 {
							t.Errorf("%s: bar %d is %+v in %d", kind, i, box, c.High)
						}
					}
				}
			}
		})
	}
}
