package audit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ccms/internal/card"
	"ccms/internal/store"
)

// record is one line of the log as it is stored.
type record struct {
	Number  int64     `bson:"number"` // from 1, without gaps
	Chain   string    `bson:"-"`      // that of the document
	At      time.Time `bson:"at"`
	Act     string    `bson:"act"`
	Actor   string    `bson:"actor,omitempty"`
	Object  string    `bson:"object,omitempty"`
	Owner   string    `bson:"owner,omitempty"`
	From    string    `bson:"from,omitempty"`
	Request string    `bson:"request,omitempty"`
	Reason  string    `bson:"reason,omitempty"`
	Begin   int64     `bson:"begin,omitempty"`  // of an outcome: number of the act's first record
	Result  string    `bson:"result,omitempty"` // empty: about to happen
	MAC     []byte    `bson:"mac"`
}

// page is a document of records.
type page struct {
	// At is the time of all its records, by which a period is found. Documents
	// of earlier versions do without.
	At      time.Time `bson:"at,omitempty"`
	Records []record  `bson:"records"`
}

// head is the last record of a chain, or its beginning when number is 0.
type head struct {
	number int64
	mac    [sha256.Size]byte
}

// maxText is where free text is cut.
const maxText = 512

func newRecord(e Entry, result string) record {
	return record{
		Act: clean(e.Act), Actor: clean(e.Actor), Object: clean(e.Object), Owner: clean(e.Owner),
		From: clean(e.From), Request: clean(e.Request), Reason: clean(e.Reason), Result: clean(result),
	}
}

// clean masks card numbers, and makes text that any store returns unchanged.
// It masks before it cuts: a cut through a number would hide it from the mask.
func clean(s string) string {
	s = card.MaskRuns(strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD"))
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// books are the two collections and the key.
type books struct {
	records     *store.Of[page]
	checkpoints *store.Of[checkpoint]
	key         []byte
}

func openBooks(ctx context.Context, cfg Config) (books, error) {
	if cfg.Key.Len() < keySize {
		return books{}, fmt.Errorf("audit: the key has %d bytes, want at least %d", cfg.Key.Len(), keySize)
	}
	if cfg.Collection == "" {
		cfg.Collection = "Audit"
	}
	records, err := store.Open[page](ctx, cfg.DB, store.Spec{Name: cfg.Collection, Ordered: []string{"at"}})
	if err != nil {
		return books{}, fmt.Errorf("audit: %w", err)
	}
	checkpoints, err := store.Open[checkpoint](ctx, cfg.DB, store.Spec{Name: cfg.Collection + "Checkpoint"})
	if err != nil {
		return books{}, fmt.Errorf("audit: %w", err)
	}
	return books{records: records, checkpoints: checkpoints, key: cfg.Key.Reveal()}, nil
}

// mac is the HMAC-SHA-256 over fields, each led by its length, so that no two
// different lists of fields look alike. The first field names the use.
func (b books) mac(fields ...[]byte) (sum [sha256.Size]byte) {
	m := hmac.New(sha256.New, b.key)
	for _, f := range fields {
		_ = binary.Write(m, binary.BigEndian, uint32(len(f)))
		m.Write(f)
	}
	m.Sum(sum[:0])
	return sum
}

func number(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// beginning is the head of a chain without records.
func (b books) beginning(chain string) head {
	return head{mac: b.mac([]byte("ccms audit chain 1"), []byte(chain))}
}

// link is the MAC of r behind prev.
func (b books) link(prev head, r record) [sha256.Size]byte {
	return b.mac([]byte("ccms audit record 1"), prev.mac[:], []byte(r.Chain), number(r.Number), number(r.At.UnixMilli()),
		[]byte(r.Act), []byte(r.Actor), []byte(r.Object), []byte(r.Owner), []byte(r.From), []byte(r.Request), []byte(r.Reason),
		number(r.Begin), []byte(r.Result))
}

// seal numbers recs behind prev and links them.
func (l *Log) seal(prev head, recs []record, at time.Time) (page, head) {
	at = at.UTC().Truncate(time.Millisecond)
	for i := range recs {
		r := &recs[i]
		r.Chain, r.Number, r.At = l.chain, prev.number+1, at
		prev = head{number: r.Number, mac: l.link(prev, *r)}
		r.MAC = bytes.Clone(prev.mac[:])
	}
	return page{At: at, Records: recs}, prev
}

// follow checks that doc continues the chain behind prev and returns its end;
// else the error is a *Broken.
func (b books) follow(prev head, doc store.Record[page]) (head, error) {
	chain, first, err := splitID(doc.ID)
	broken := func(what string) (head, error) {
		return prev, &Broken{Chain: chain, Number: prev.number + 1, What: what}
	}
	switch {
	case err != nil:
		return broken("a document with an id of another shape")
	case first != prev.number+1:
		return broken("missing")
	case doc.Rev != 1:
		return broken("rewritten")
	case len(doc.Value.Records) == 0:
		return broken("empty")
	}
	for _, r := range doc.Value.Records {
		r.Chain = chain
		if r.Number != prev.number+1 {
			return broken("missing or out of order")
		}
		want := b.link(prev, r)
		if !hmac.Equal(want[:], r.MAC) || !doc.Value.At.IsZero() && !doc.Value.At.Equal(r.At) {
			return broken("altered")
		}
		prev = head{number: r.Number, mac: want}
	}
	return prev, nil
}

// headOf finds the end of a chain; a chain without records is at its beginning.
func (b books) headOf(ctx context.Context, chain string) (head, error) {
	q := store.Query{Desc: true, Where: []store.Cond{
		{Field: "_id", Op: store.Ge, Value: docID(chain, 0)},
		{Field: "_id", Op: store.Lt, Value: chain + "0"}, // '0' follows '/'
	}}
	last, err := b.records.First(ctx, q)
	if errors.Is(err, store.ErrNotFound) {
		return b.beginning(chain), nil
	}
	if err != nil {
		return head{}, err
	}
	return lastOf(chain, last.Value)
}

// lastOf is the last record of a document, as it is stored.
func lastOf(chain string, doc page) (head, error) {
	recs := doc.Records
	if len(recs) == 0 || len(recs[len(recs)-1].MAC) != sha256.Size {
		return head{}, &Broken{Chain: chain, What: "the last document is not one of ours"}
	}
	r := recs[len(recs)-1]
	return head{number: r.Number, mac: [sha256.Size]byte(r.MAC)}, nil
}

// docID orders documents by chain and number.
func docID(chain string, n int64) string { return fmt.Sprintf("%s/%016d", chain, n) }

func splitID(id string) (chain string, n int64, err error) {
	chain, digits, ok := strings.Cut(id, "/")
	if !ok {
		return id, 0, errors.New("no number")
	}
	if _, err := fmt.Sscanf(digits, "%d", &n); err != nil || docID(chain, n) != id {
		return chain, 0, errors.New("no number")
	}
	return chain, n, nil
}
