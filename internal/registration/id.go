package registration

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// uuid is a registration's id: version 7 of RFC 9562, which begins with the
// time. So ids order as registrations were made, and lists need no other key.
type uuid [16]byte

// newUUID makes an id of this moment. Twelve bits of the random part go on with
// the time, to a quarter of a microsecond (RFC 9562 section 6.2, method 3).
func newUUID(now time.Time) uuid {
	id := firstUUID(now)
	_, _ = rand.Read(id[8:]) // never fails since Go 1.24
	fraction := now.Nanosecond() % 1e6 << 12 / 1e6
	binary.BigEndian.PutUint16(id[6:], 0x7000|uint16(fraction))
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// firstUUID is a lower bound for the ids made from a moment on.
func firstUUID(at time.Time) (id uuid) {
	binary.BigEndian.PutUint64(id[:], uint64(max(at.UnixMilli(), 0))<<16)
	return id
}

// parseUUID reads an id as String writes it; letters may be large.
func parseUUID(text string) (id uuid, ok bool) {
	plain := strings.ReplaceAll(text, "-", "")
	n, err := hex.Decode(id[:], []byte(plain[:min(len(plain), 2*len(id))]))
	return id, err == nil && n == len(id) && strings.EqualFold(id.String(), text)
}

func (id uuid) String() string {
	b := make([]byte, 0, 36)
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}

// time is when the id was made, to the millisecond.
func (id uuid) time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:]) >> 16)).UTC()
}

// cursor is the id as the place behind which a list goes on.
func (id uuid) cursor() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseCursor(text string) (id uuid, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return uuid(append(b, id[:]...)[:len(id)]), err == nil && len(b) == len(id)
}

// key is the id of a registration's document. Firm and mode stand in front of
// it: who asks for another's finds nothing, and a firm's registrations lie
// together in the order they were made.
type key struct {
	firm, mode string
	id         uuid
}

func (k key) String() string { return k.firm + "/" + k.mode + "/" + k.id.String() }

func parseKey(text string) (k key, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return key{}, false
	}
	id, ok := parseUUID(parts[2])
	return key{parts[0], parts[1], id}, ok
}
