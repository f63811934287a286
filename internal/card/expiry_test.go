package card

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCardIsValidUntilItsMonthHasEndedEverywhere(t *testing.T) {
	cases := []struct {
		name        string
		month, year int
		now         string
		valid       bool
	}{
		{"the first instant of the month", 4, 2026, "2026-04-01T00:00:00Z", true},
		{"the last second in UTC", 4, 2026, "2026-04-30T23:59:59Z", true},
		{"the next month in UTC, not yet at UTC−12", 4, 2026, "2026-05-01T11:59:59Z", true},
		{"ended at UTC−12", 4, 2026, "2026-05-01T12:00:00Z", false},
		{"the last second at UTC−12, in that zone", 4, 2026, "2026-04-30T23:59:59-12:00", true},
		{"the next month at UTC−12, in that zone", 4, 2026, "2026-05-01T00:00:00-12:00", false},
		{"the next month at UTC+14", 4, 2026, "2026-05-01T08:00:00+14:00", true},
		{"February of a leap year, on the 29th", 2, 2028, "2028-02-29T23:59:59Z", true},
		{"February of a leap year, over", 2, 2028, "2028-03-01T12:00:00Z", false},
		{"February of a common year, over", 2, 2027, "2027-03-01T12:00:00Z", false},
		{"February of a common year, its last hours", 2, 2027, "2027-03-01T11:59:59Z", true},
		{"February of 2100, which is no leap year", 2, 2100, "2100-03-01T12:00:00Z", false},
		{"the end of a year", 12, 2026, "2027-01-01T11:59:59Z", true},
		{"after the end of a year", 12, 2026, "2027-01-01T12:00:00Z", false},
		{"the night clocks go forward in Europe", 3, 2026, "2026-03-29T01:30:00+01:00", true},
		{"the night clocks go back in America", 10, 2026, "2026-11-01T06:30:00-04:00", true},
		{"last month", 3, 2026, "2026-04-15T00:00:00Z", false},
		{"last year, a later month", 12, 2025, "2026-04-15T00:00:00Z", false},
		{"the sample of the seed", 12, 2024, "2026-04-15T00:00:00Z", false},
		{"twenty years ahead", 4, 2046, "2026-04-15T00:00:00Z", true},
		{"twenty years and a month ahead", 5, 2046, "2026-04-15T00:00:00Z", false},
		{"twenty years ahead, on the month's last evening", 4, 2046, "2026-04-30T23:59:59Z", true},
		{"twenty years ahead over the turn of a year", 12, 2045, "2025-12-31T23:59:59Z", true},
		{"month 0", 0, 2030, "2026-04-15T00:00:00Z", false},
		{"month 13", 13, 2030, "2026-04-15T00:00:00Z", false},
		{"a negative month", -1, 2030, "2026-04-15T00:00:00Z", false},
		{"a month that overflows", 1 << 62, 2030, "2026-04-15T00:00:00Z", false},
		{"a two-digit year", 12, 30, "2026-04-15T00:00:00Z", false},
		{"year 0", 12, 0, "2026-04-15T00:00:00Z", false},
		{"a five-digit year", 12, 20300, "2026-04-15T00:00:00Z", false},
		{"a year that overflows", 12, 1 << 62, "2026-04-15T00:00:00Z", false},
		{"a negative year", 12, -2030, "2026-04-15T00:00:00Z", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, err := ParseExpiry(c.month, c.year, at(t, c.now))
			if (err == nil) != c.valid || err != nil && !errors.Is(err, ErrExpiry) {
				t.Errorf("%v, %v", e, err)
			}
		})
	}
}

func TestExpiryTextForms(t *testing.T) {
	now := at(t, "2026-04-15T00:00:00Z")
	for text, want := range map[string]Expiry{
		"12/30": {12, 2030}, "12/2030": {12, 2030}, "2030-12": {12, 2030}, "04/26": {4, 2026}, "2046-04": {4, 2046},
	} {
		if e, err := ParseExpiryText(text, now); err != nil || e != want {
			t.Errorf("%s: %v, %v", text, e, err)
		}
	}
	refused := []string{
		"", "/", "-", "12", "1230", "122030", "1/30", "1/2030", "12/3", "12/030", "12/20300", "2030-1", "30-12", "12-30", "12-2030",
		"2030/12", "2030-12-01", "12/30/", "12/ 30", " 12/30", "12/30 ", "+1/30", "-1/30", "12/+9", "12/0x1e", "1２/30", "١٢/٣٠",
		"00/30", "13/30", "03/26", "05/46", "12/24", "12/1930", "12\\30", "12.30", strings.Repeat("1", 1000), "12/30\x00",
	}
	for _, text := range refused {
		if e, err := ParseExpiryText(text, now); !errors.Is(err, ErrExpiry) {
			t.Errorf("%q: %v, %v", text, e, err)
		}
	}
}

func TestExpiryShowsMonthAndYear(t *testing.T) {
	if s := (Expiry{3, 2030}).String(); s != "03/2030" {
		t.Error(s)
	}
}

// Whatever the instant, a card of the current month is valid, one of two months
// ago is not, and validity only ends.
func TestExpiryFollowsTheCalendar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		now := start.Add(time.Duration(rapid.Int64Range(0, int64(60*365*24*time.Hour)).Draw(t, "now")))
		month := now.Year()*12 + int(now.Month()) - 1
		ahead := rapid.IntRange(-30, 300).Draw(t, "ahead")
		e, err := ParseExpiry((month+ahead)%12+1, (month+ahead)/12, now)
		noon := now.Day() == 1 && now.Hour() < 12 // the month before is not over everywhere
		want := ahead >= 0 && ahead <= maxMonthsAhead || ahead == -1 && noon
		if (err == nil) != want {
			t.Fatalf("%d months ahead at %s: %v", ahead, now, err)
		}
		if err != nil {
			return
		}
		if again, err := ParseExpiryText(e.String(), now); err != nil || again != e {
			t.Fatalf("%v reads back as %v, %v", e, again, err)
		}
		if e.Expired(e.Ends().Add(-1)) || !e.Expired(e.Ends()) {
			t.Fatalf("%v does not end at %s", e, e.Ends())
		}
	})
}

func FuzzExpiryText(f *testing.F) {
	for _, s := range []string{"12/30", "12/2030", "2030-12", "1/3", "--", "١٢/٣٠"} {
		f.Add(s)
	}
	now := time.Date(2026, 4, 15, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseExpiryText(text, now)
		if err != nil {
			if !errors.Is(err, ErrExpiry) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParseExpiryText(e.String(), now); err != nil || again != e {
			t.Fatalf("%q gives %v, which reads as %v, %v", text, e, again, err)
		}
	})
}
