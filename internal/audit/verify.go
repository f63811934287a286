package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"ccms/internal/store"
)

// checkpoint says that a chain had a record with this MAC. Checkpoints are
// numbered from 1 by their ids and chained like records.
type checkpoint struct {
	Chain  string `bson:"chain"`
	Number int64  `bson:"number"`
	Record []byte `bson:"record"` // MAC of the record
	MAC    []byte `bson:"mac"`    // over this and the checkpoint before
}

// Broken is where and how the log was altered.
type Broken struct {
	Chain  string // empty: the list of checkpoints
	Number int64  // of the first record that is wrong
	What   string
}

// Error implements error.
func (e *Broken) Error() string {
	if e.Chain == "" {
		return fmt.Sprintf("audit: checkpoint %d: %s", e.Number, e.What)
	}
	return fmt.Sprintf("audit: chain %s, record %d: %s", e.Chain, e.Number, e.What)
}

// Head is the last record of a chain. Kept elsewhere it shows a later cut.
type Head struct {
	Chain  string `json:"chain"`
	Number int64  `json:"number"`
	Value  []byte `json:"value"` // its MAC
}

// Report is what an intact log holds.
type Report struct {
	Records     int64
	Checkpoints int64
	Heads       []Head // one per chain, by name
}

// Verify reads the whole log, also while others append. A *Broken error names
// the first place that was changed, removed, inserted or reordered; any other
// error means that the log could not be read. Heads of earlier reports that
// were kept elsewhere must still be in it.
func Verify(ctx context.Context, cfg Config, kept ...Head) (Report, error) {
	b, err := openBooks(ctx, cfg)
	if err != nil {
		return Report{}, err
	}
	marks, end, err := b.readCheckpoints(ctx, b.beginning(""))
	if err != nil {
		return Report{}, err
	}
	known := slices.Clone(marks)
	for _, h := range kept {
		known = append(known, checkpoint{Chain: h.Chain, Number: h.Number, Record: h.Value})
	}
	chains, err := b.readRecords(ctx, known)
	if err != nil {
		return Report{}, err
	}
	for _, m := range known {
		if m.Number > chains[m.Chain].number {
			return Report{}, &Broken{Chain: m.Chain, Number: chains[m.Chain].number + 1, What: "missing"}
		}
	}
	// Chains that began while we read have their start behind the first list.
	later, end, err := b.readCheckpoints(ctx, end)
	if err != nil {
		return Report{}, err
	}
	started := map[string]bool{}
	for _, m := range slices.Concat(marks, later) {
		started[m.Chain] = true
	}
	r := Report{Checkpoints: end.number}
	for _, chain := range slices.Sorted(maps.Keys(chains)) {
		h := chains[chain]
		// A crash right after the first record leaves a chain of one, unlisted.
		if !started[chain] && h.number > 1 {
			return Report{}, &Broken{Chain: chain, Number: 1, What: "its start is not in the list of checkpoints"}
		}
		r.Records += h.number
		r.Heads = append(r.Heads, Head{Chain: chain, Number: h.number, Value: bytes.Clone(h.mac[:])})
	}
	return r, nil
}

// Heads returns where every chain ends now, by name, without looking at what is
// before: to be kept elsewhere, for a later Verify. Its cost grows with how often
// processes started, not with what they recorded.
func Heads(ctx context.Context, cfg Config) ([]Head, error) {
	b, err := openBooks(ctx, cfg)
	if err != nil {
		return nil, err
	}
	marks, _, err := b.readCheckpoints(ctx, b.beginning(""))
	if err != nil {
		return nil, err
	}
	ends := map[string]head{}
	for _, m := range marks {
		if _, known := ends[m.Chain]; !known {
			if ends[m.Chain], err = b.headOf(ctx, m.Chain); err != nil {
				return nil, err
			}
		}
	}
	heads := make([]Head, 0, len(ends))
	for _, chain := range slices.Sorted(maps.Keys(ends)) {
		h := ends[chain]
		heads = append(heads, Head{Chain: chain, Number: h.number, Value: bytes.Clone(h.mac[:])})
	}
	return heads, nil
}

// readRecords follows every chain and holds it against marks.
func (b books) readRecords(ctx context.Context, marks []checkpoint) (map[string]head, error) {
	want := map[string][]checkpoint{}
	for _, m := range marks {
		id := docID(m.Chain, m.Number)
		want[id] = append(want[id], m)
	}
	chains := map[string]head{}
	for doc, err := range b.records.Find(ctx, store.Query{}) {
		if err != nil {
			return nil, err
		}
		chain, _, _ := splitID(doc.ID)
		prev, known := chains[chain]
		if !known {
			prev = b.beginning(chain)
		}
		next, err := b.follow(prev, doc)
		if err != nil {
			return nil, err
		}
		for _, r := range doc.Value.Records {
			for _, m := range want[docID(chain, r.Number)] {
				if !hmac.Equal(m.Record, r.MAC) {
					return nil, &Broken{Chain: chain, Number: r.Number, What: "differs from its checkpoint"}
				}
			}
		}
		chains[chain] = next
	}
	return chains, nil
}

// readCheckpoints reads the list behind prev and returns its end.
func (b books) readCheckpoints(ctx context.Context, prev head) ([]checkpoint, head, error) {
	var list []checkpoint
	q := store.Query{Where: []store.Cond{{Field: "_id", Op: store.Gt, Value: checkpointID(prev.number)}}}
	for doc, err := range b.checkpoints.Find(ctx, q) {
		if err != nil {
			return nil, prev, err
		}
		next, err := b.followCheckpoint(prev, doc)
		if err != nil {
			return nil, prev, err
		}
		list = append(list, doc.Value)
		prev = next
	}
	return list, prev, nil
}

func (b books) followCheckpoint(prev head, doc store.Record[checkpoint]) (head, error) {
	n := prev.number + 1
	want := b.linkCheckpoint(prev, doc.Value)
	switch {
	case doc.ID != checkpointID(n):
		return prev, &Broken{Number: n, What: "missing"}
	case doc.Rev != 1:
		return prev, &Broken{Number: n, What: "rewritten"}
	case !hmac.Equal(want[:], doc.Value.MAC):
		return prev, &Broken{Number: n, What: "altered"}
	}
	return head{number: n, mac: want}, nil
}

func (b books) linkCheckpoint(prev head, c checkpoint) [sha256.Size]byte {
	return b.mac([]byte("ccms audit checkpoint 1"), prev.mac[:], number(prev.number+1), []byte(c.Chain), number(c.Number), c.Record)
}

// checkpoint adds rec to the list, behind whoever else does.
func (l *Log) checkpoint(ctx context.Context, rec record) error {
	c := checkpoint{Chain: rec.Chain, Number: rec.Number, Record: rec.MAC}
	var err error
	for range tries {
		var prev head
		if prev, err = l.lastCheckpoint(ctx); err != nil {
			return err
		}
		sum := l.linkCheckpoint(prev, c)
		c.MAC = sum[:]
		err = l.checkpoints.Insert(ctx, checkpointID(prev.number+1), c)
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return err
}

func (l *Log) lastCheckpoint(ctx context.Context) (head, error) {
	last, err := l.checkpoints.First(ctx, store.Query{Desc: true})
	if errors.Is(err, store.ErrNotFound) {
		return l.beginning(""), nil
	}
	if err != nil {
		return head{}, err
	}
	n, err := strconv.ParseInt(last.ID, 10, 64)
	if err != nil || len(last.Value.MAC) != sha256.Size {
		return head{}, cmp.Or[error](err, &Broken{What: "the last one is not ours"})
	}
	return head{number: n, mac: [sha256.Size]byte(last.Value.MAC)}, nil
}

func checkpointID(n int64) string { return fmt.Sprintf("%016d", n) }
