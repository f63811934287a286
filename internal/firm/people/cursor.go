package people

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
)

// cursorText writes where the next page of firms begins, "" at the end.
func cursorText(p *store.Position) string {
	if p == nil {
		return ""
	}
	at, _ := p.Value.(time.Time)
	return base64.RawURLEncoding.EncodeToString(append(strconv.AppendInt(nil, at.UnixMilli(), 10), " "+p.ID...))
}

// parseCursor reads what cursorText wrote; the first page is "".
func parseCursor(text string) (*store.Position, error) {
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	at, id, ok := strings.Cut(string(b), " ")
	milli, numberErr := strconv.ParseInt(at, 10, 64)
	if err != nil || numberErr != nil || !ok || len(id) > maxID || milli < 0 || milli > maxMilli {
		return nil, problem.Validation("Send the next_cursor of the page before.")
	}
	return &store.Position{Value: time.UnixMilli(milli).UTC(), ID: id}, nil
}

// The limits of what stands in a cursor: the end of the year 9999, and more than an
// id has.
const (
	maxMilli = 253402300799999
	maxID    = 64
)
