package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// ID is a registration's id: a UUID of version 7 (RFC 9562), which begins with
// the time. So ids order as registrations were made, and lists need no other
// key.
type ID [16]byte

// NewID makes an id of this moment. Twelve bits of the random part go on with
// the time, to a quarter of a microsecond (RFC 9562 section 6.2, method 3).
func NewID(now time.Time) ID {
	id := firstID(now)
	_, _ = rand.Read(id[8:]) // never fails since Go 1.24
	fraction := now.Nanosecond() % 1e6 << 12 / 1e6
	binary.BigEndian.PutUint16(id[6:], 0x7000|uint16(fraction))
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// firstID is a lower bound for the ids made from a moment on.
func firstID(at time.Time) (id ID) {
	binary.BigEndian.PutUint64(id[:], uint64(max(at.UnixMilli(), 0))<<16)
	return id
}

// ParseID reads an id as String writes it; letters may be large.
func ParseID(text string) (id ID, ok bool) {
	plain := strings.ReplaceAll(text, "-", "")
	if len(plain) != 2*len(id) {
		return ID{}, false
	}
	_, err := hex.Decode(id[:], []byte(plain))
	return id, err == nil && strings.EqualFold(id.String(), text)
}

// String is the id in the usual form, with small letters.
func (id ID) String() string {
	b := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}

// Time is when the id was made, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:]) >> 16)).UTC()
}

// Key is the id of a registration's document. Firm and mode stand in front of
// it: who asks for another's finds nothing, and a firm's registrations lie
// together in the order they were made.
type Key struct {
	Firm, Mode string // without a slash
	ID         ID
}

// String is the key as the store has it.
func (k Key) String() string { return k.Firm + "/" + k.Mode + "/" + k.ID.String() }

// ParseKey reads a key as String writes it.
func ParseKey(text string) (k Key, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return Key{}, false
	}
	id, ok := ParseID(parts[2])
	return Key{parts[0], parts[1], id}, ok
}
