package listing

import (
	"crypto/sha256"
	"encoding/base64"

	"ccms/internal/problem"
)

const (
	// maxCursor is above the length of any cursor given out.
	maxCursor = 300
	sumSize   = 6
)

// Cursor is what a caller gives back to go on with a list behind a place: good in
// that list alone. Its checksum is no secret, for a cursor leads into no list but
// the one its caller may read. It tells one that was cut, or came from another
// list, from one that was given. The list is its name and whose it is:
// "cards/firm_1". No place, behind the last page, is no cursor.
func Cursor(list, place string) string {
	if place == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(sum(list, place) + place))
}

// Place is the place that Cursor was given for the same list; "", which is where
// every list begins, for no cursor. Any other text is 400 VALIDATION_ERROR.
func Place(list, cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(cursor) > maxCursor || len(b) < sumSize {
		return "", NotGiven()
	}
	place := string(b[sumSize:])
	if sum(list, place) != string(b[:sumSize]) {
		return "", NotGiven()
	}
	return place, nil
}

// NotGiven refuses a cursor that no page of the list came with.
func NotGiven() error {
	return problem.Validation("Send the next_cursor of the page before as it was given, to the same list.")
}

// sum needs no length in front of the list: the byte between is in neither.
func sum(list, place string) string {
	s := sha256.Sum256([]byte(list + "\x00" + place))
	return string(s[:sumSize])
}
