package card

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxMonthsAhead is 20 years, counted by month (decisions C4 and G).
const maxMonthsAhead = 20 * 12

// Expiry is the month printed on a card. A card is valid through its last day.
type Expiry struct {
	Month int // 1 to 12
	Year  int // four digits
}

// ParseExpiry checks a month and a four-digit year against now: the month must
// not have ended everywhere on earth, and lie at most 20 years ahead
// (decision C4); else the error is an ErrExpiry.
func ParseExpiry(month, year int, now time.Time) (Expiry, error) {
	e := Expiry{Month: month, Year: year}
	switch {
	case month < 1 || month > 12 || year < 1000 || year > 9999:
		return Expiry{}, ErrExpiry
	case e.Expired(now):
		return Expiry{}, badExpiry("The card has expired.")
	case e.months() > monthsOf(now.UTC())+maxMonthsAhead:
		return Expiry{}, badExpiry("The expiry date lies more than 20 years ahead.")
	}
	return e, nil
}

// ParseExpiryText reads MM/YY, MM/YYYY or YYYY-MM (decision D2), where YY is
// 20YY, and checks it as ParseExpiry does.
func ParseExpiryText(text string, now time.Time) (Expiry, error) {
	month, year, slash := strings.Cut(text, "/")
	if !slash {
		year, month, _ = strings.Cut(text, "-")
		if len(year) != 4 {
			return Expiry{}, ErrExpiry
		}
	}
	if len(month) != 2 || len(year) != 4 && len(year) != 2 || strings.Trim(month+year, "0123456789") != "" {
		return Expiry{}, ErrExpiry
	}
	if len(year) == 2 {
		year = "20" + year
	}
	m, _ := strconv.Atoi(month)
	y, _ := strconv.Atoi(year)
	return ParseExpiry(m, y, now)
}

// Ends is the first instant at which the month is over in every time zone. Days
// end last at UTC−12: at noon UTC of the next.
func (e Expiry) Ends() time.Time {
	return time.Date(e.Year, time.Month(e.Month)+1, 1, 12, 0, 0, 0, time.UTC)
}

// Expired reports whether the month has ended everywhere at now.
func (e Expiry) Expired(now time.Time) bool { return !now.Before(e.Ends()) }

// String is MM/YYYY.
func (e Expiry) String() string { return fmt.Sprintf("%02d/%04d", e.Month, e.Year) }

func (e Expiry) months() int { return e.Year*12 + e.Month }

func monthsOf(t time.Time) int { return t.Year()*12 + int(t.Month()) }
