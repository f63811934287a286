package people

import (
	"strconv"
	"strings"
	"time"

	"ccms/internal/listing"
	"ccms/internal/store"
)

// allFirms is the list of firms that operators read.
const allFirms = "firms"

// cursorText writes where the next page of firms begins, "" at the end.
func cursorText(p *store.Position) string {
	if p == nil {
		return ""
	}
	at, _ := p.Value.(time.Time)
	return listing.Cursor(allFirms, strconv.FormatInt(at.UnixMilli(), 10)+" "+p.ID)
}

// parseCursor reads what cursorText wrote; the first page is "".
func parseCursor(text string) (*store.Position, error) {
	place, err := listing.Place(allFirms, text)
	if place == "" {
		return nil, err
	}
	at, id, ok := strings.Cut(place, " ")
	milli, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !ok || len(id) > maxID || milli < 0 || milli > maxMilli {
		return nil, listing.NotGiven()
	}
	return &store.Position{Value: time.UnixMilli(milli).UTC(), ID: id}, nil
}

// The limits of what stands in a cursor: the end of the year 9999, and more than an
// id has.
const (
	maxMilli = 253402300799999
	maxID    = 64
)
