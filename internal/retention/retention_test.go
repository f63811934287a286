package retention_test

import (
	"testing"
	"time"

	"ccms/internal/retention"
)

func TestWhatIsOlderThanKeepAndGraceIsOverdue(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := retention.Class{Keep: time.Hour, Grace: time.Minute}
	for _, age := range []time.Duration{0, time.Hour, 61 * time.Minute, 61*time.Minute + time.Millisecond} {
		c.Note(now.Add(-age), now)
	}
	if c.Kept != 4 || c.Overdue != 1 || !c.Oldest.Equal(now.Add(-61*time.Minute-time.Millisecond)) {
		t.Errorf("got %+v", c)
	}
}
