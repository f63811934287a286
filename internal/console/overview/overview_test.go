package overview

import (
	"testing"
	"time"

	"ccms/internal/console/backend"
)

func TestRegistrationsAreCountedByDayAndReason(t *testing.T) {
	first := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	at := func(days int, hours time.Duration) time.Time { return first.AddDate(0, 0, days).Add(hours * time.Hour) }
	f := Count([]backend.Registration{
		{Status: "verified", CreatedAt: at(6, 23)}, {Status: "expired", CreatedAt: at(6, 1)}, {Status: "pending", CreatedAt: at(6, 0)},
		{Status: "rejected", Reason: "bin_denied", CreatedAt: at(0, 0)}, {Status: "rejected", Reason: "declined", CreatedAt: at(0, 5)},
		{Status: "rejected", Reason: "declined", CreatedAt: at(1, 5)}, {Status: "failed", CreatedAt: at(1, 6)},
	}, first, 7)
	if f.Total != 7 || f.Verified != 2 || f.Refused != 4 || f.Pending != 1 || f.Share != "33.3\u00a0%" {
		t.Errorf("%+v", f)
	}
	if d := f.Days[6]; d.Verified != 2 || d.Other != 1 {
		t.Errorf("last day %+v", d)
	}
	if d := f.Days[0]; d.Verified != 0 || d.Other != 2 {
		t.Errorf("first day %+v", d)
	}
	if f.Reasons[0] != (Reason{"declined", 2}) || len(f.Reasons) != 3 {
		t.Errorf("reasons %+v", f.Reasons)
	}
}

// TestBarsStayInTheChart would fail if a bar left the drawing, whatever the
// counts and the length of the period.
func TestBarsStayInTheChart(t *testing.T) {
	for _, days := range []int{7, 30} {
		all := make([]Day, days)
		for i := range all {
			all[i] = Day{Verified: i * i, Other: 1000 - i}
		}
		draw(all)
		for i, d := range all {
			if d.RestY < 0 || d.GoodY+d.GoodHigh != chartHigh || d.RestY+d.RestHigh != d.GoodY || d.X+d.Width > chartWide {
				t.Errorf("day %d of %d: %+v", i, days, d)
			}
		}
	}
	none := make([]Day, 7)
	draw(none)
	if none[3].GoodHigh != 0 {
		t.Error("a bar for nothing")
	}
}
