package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ccms/internal/secret"
	"ccms/internal/store"
)

// tampered is a log somebody can change behind our back: past the revision
// too, by removing a document and inserting another in its place.
type tampered struct {
	*testing.T
	cfg Config
	log *Log
}

// fill writes three chains: "a" of single records and closed, "b" with a
// document of many records, "c" left open.
func fill(t *testing.T) tampered {
	cfg := config(t)
	cfg.Chain = "a"
	l := open(t, cfg)
	for i := range 3 {
		act(t, l, Entry{Act: "card.add", Actor: "acc_1", Object: fmt.Sprint(i), Owner: "acc_1", From: "192.0.2.1", Request: "r", Reason: "x"})
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Chain = "b"
	l = open(t, cfg)
	var batch []record
	for i := range 5 {
		batch = append(batch, newRecord(Entry{Act: "card.read", Actor: "acc_2", Object: fmt.Sprint(i)}, Success))
	}
	if err := l.write(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	act(t, l, Entry{Act: "card.read", Actor: "acc_2"})
	cfg.Chain = "c"
	l = open(t, cfg)
	act(t, l, Entry{Act: "login"})
	verify(t, cfg)
	return tampered{t, cfg, l}
}

func (s tampered) pages() (list []store.Record[page]) {
	s.Helper()
	for doc, err := range s.log.records.Find(s.Context(), store.Query{}) {
		if err != nil {
			s.Fatal(err)
		}
		list = append(list, doc)
	}
	return list
}

func (s tampered) page(id string) store.Record[page] {
	s.Helper()
	doc, err := s.log.records.Get(s.Context(), id)
	if err != nil {
		s.Fatal(err)
	}
	return doc
}

func (s tampered) remove(id string) {
	s.Helper()
	if err := s.log.records.Delete(s.Context(), id, s.page(id).Rev); err != nil {
		s.Fatal(err)
	}
}

func (s tampered) insert(id string, recs ...record) {
	s.Helper()
	if err := s.log.records.Insert(s.Context(), id, page{Records: recs}); err != nil {
		s.Fatal(err)
	}
}

func (s tampered) put(id string, recs ...record) {
	s.Helper()
	s.remove(id)
	s.insert(id, recs...)
}

// found checks that Verify names this place.
func (s tampered) found(chain string, n int64) {
	s.Helper()
	_, err := Verify(s.Context(), s.cfg)
	b, ok := errors.AsType[*Broken](err)
	if !ok || b.Chain != chain || b.Number != n {
		s.Errorf("got %v, want chain %q, record %d", err, chain, n)
	}
}

// chains are the numbers of records fill writes.
var chains = map[string]int64{"a": 8, "b": 8, "c": 3}

func TestEveryChangeOfEveryFieldIsFound(t *testing.T) {
	changes := map[string]func(*record){
		"number":  func(r *record) { r.Number++ },
		"time":    func(r *record) { r.At = r.At.Add(time.Millisecond) },
		"act":     func(r *record) { r.Act += "x" },
		"actor":   func(r *record) { r.Actor = "acc_3" },
		"object":  func(r *record) { r.Object += "1" },
		"owner":   func(r *record) { r.Owner += " " },
		"from":    func(r *record) { r.From += "0" },
		"request": func(r *record) { r.Request += "r" },
		"reason":  func(r *record) { r.Reason += "y" },
		"shifted": func(r *record) { r.Actor, r.Object = r.Actor+"q", "q"+r.Object },
		"begin":   func(r *record) { r.Begin++ },
		"result":  func(r *record) { r.Result += "ed" },
		"mac":     func(r *record) { r.MAC = bytes.Clone(r.MAC); r.MAC[31] ^= 1 },
		"no mac":  func(r *record) { r.MAC = nil },
	}
	s := fill(t)
	for _, doc := range s.pages() {
		chain, _, _ := splitID(doc.ID)
		for i, r := range doc.Value.Records {
			for name, change := range changes {
				altered := slices.Clone(doc.Value.Records)
				change(&altered[i])
				s.put(doc.ID, altered...)
				if s.found(chain, r.Number); t.Failed() {
					t.Fatalf("after changing %s of record %d of chain %s", name, r.Number, chain)
				}
			}
		}
		s.put(doc.ID, doc.Value.Records...)
	}
	verify(t, s.cfg)
}

func TestEveryRemovalOfADocumentIsFound(t *testing.T) {
	s := fill(t)
	for _, doc := range s.pages() {
		chain, n, _ := splitID(doc.ID)
		last := n+int64(len(doc.Value.Records))-1 == chains[chain]
		s.remove(doc.ID)
		if last && chain != "a" {
			// Only a head kept elsewhere shows this cut, which moves it.
			for _, h := range verify(t, s.cfg).Heads {
				if h.Chain == chain && h.Number >= chains[chain] {
					t.Errorf("the head of chain %s does not show the cut", chain)
				}
			}
		} else if s.found(chain, n); t.Failed() {
			t.Fatalf("after removing %s", doc.ID)
		}
		s.insert(doc.ID, doc.Value.Records...)
	}
	verify(t, s.cfg)
}

func TestEveryRemovalOfARecordInADocumentIsFound(t *testing.T) {
	s := fill(t)
	doc := s.page(docID("b", 2))
	for i, r := range doc.Value.Records {
		s.put(doc.ID, slices.Delete(slices.Clone(doc.Value.Records), i, i+1)...)
		s.found("b", r.Number)
	}
	s.put(doc.ID)
	s.found("b", 2)
}

func TestEverySwapIsFound(t *testing.T) {
	s := fill(t)
	pages := s.pages()
	for i, x := range pages {
		for _, y := range pages[i+1:] {
			chain, n, _ := splitID(x.ID)
			s.put(x.ID, y.Value.Records...)
			s.put(y.ID, x.Value.Records...)
			if s.found(chain, n); t.Failed() {
				t.Fatalf("after swapping %s and %s", x.ID, y.ID)
			}
			s.put(x.ID, x.Value.Records...)
			s.put(y.ID, y.Value.Records...)
		}
	}
	verify(t, s.cfg)
}

func TestEveryInsertionIsFound(t *testing.T) {
	s := fill(t)
	for _, doc := range s.pages() {
		for chain, n := range chains {
			id := docID(chain, n+1)
			s.insert(id, doc.Value.Records...)
			if s.found(chain, n+1); t.Failed() {
				t.Fatalf("after copying %s to %s", doc.ID, id)
			}
			s.remove(id)
		}
		s.insert(docID("new", 1), doc.Value.Records...)
		s.found("new", 1)
		s.remove(docID("new", 1))
	}
	for _, id := range []string{"b/3", "b", "b/0000000000000003x", docID("b", 0)} {
		s.insert(id, s.page(docID("b", 2)).Value.Records...)
		if _, err := Verify(t.Context(), s.cfg); err == nil {
			t.Errorf("a document with id %q was not found", id)
		}
		s.remove(id)
	}
}

func TestADocumentUnderAnotherNumberIsFound(t *testing.T) {
	s := fill(t)
	last := s.page(docID("c", 3))
	s.remove(last.ID)
	s.insert(docID("c", 4), last.Value.Records...) // the same records in the same order
	s.found("c", 3)
}

func TestACutThatWasWrittenOverIsFound(t *testing.T) {
	s := fill(t)
	s.remove(docID("a", 8))
	s.cfg.Chain = "a"
	act(t, open(t, s.cfg), Entry{Act: "a"}) // unsuspecting, it goes on
	s.found("a", 8)
}

func TestARewriteOfTheSameContentIsFound(t *testing.T) {
	s := fill(t)
	if err := s.log.records.Replace(t.Context(), s.page(docID("a", 3))); err != nil {
		t.Fatal(err)
	}
	s.found("a", 3)
}

func TestAWholeChainThatIsGoneIsFound(t *testing.T) {
	for chain := range chains {
		s := fill(t)
		for _, doc := range s.pages() {
			if c, _, _ := splitID(doc.ID); c == chain {
				s.remove(doc.ID)
			}
		}
		s.found(chain, 1)
	}
}

func TestTheListOfCheckpointsIsWatchedToo(t *testing.T) {
	get := func(s tampered, n int64) store.Record[checkpoint] {
		r, err := s.log.checkpoints.Get(s.Context(), checkpointID(n))
		if err != nil {
			s.Fatal(err)
		}
		return r
	}
	remove := func(s tampered, n int64) {
		if err := s.log.checkpoints.Delete(s.Context(), checkpointID(n), get(s, n).Rev); err != nil {
			s.Fatal(err)
		}
	}
	put := func(s tampered, n int64, c checkpoint) {
		remove(s, n)
		if err := s.log.checkpoints.Insert(s.Context(), checkpointID(n), c); err != nil {
			s.Fatal(err)
		}
	}
	for n := range int64(3) { // of four: a opened, a closed, b opened, c opened
		s := fill(t)
		remove(s, n+1)
		s.found("", n+1)
	}
	s := fill(t)
	remove(s, 4)
	s.found("c", 1) // more than one record and no start
	for n := range int64(4) {
		s := fill(t)
		c := get(s, n+1).Value
		c.Number++
		put(s, n+1, c)
		s.found("", n+1)
	}
	s = fill(t)
	one, two := get(s, 1).Value, get(s, 2).Value
	put(s, 1, two)
	put(s, 2, one)
	s.found("", 1)
	s = fill(t)
	if err := s.log.checkpoints.Replace(t.Context(), get(s, 2)); err != nil {
		t.Fatal(err)
	}
	s.found("", 2)
}

func TestAnotherKeyVerifiesNothing(t *testing.T) {
	s := fill(t)
	s.cfg.Key = secret.New(bytes.Repeat([]byte{7}, keySize))
	s.found("", 1)
}

func TestACrashBetweenFirstRecordAndListIsNoAlarm(t *testing.T) {
	s := fill(t)
	l := &Log{books: s.log.books, now: time.Now, chain: "d", turn: make(chan struct{}, 1), head: s.log.beginning("d")}
	if _, err := l.append(t.Context(), record{Act: actOpen}); err != nil {
		t.Fatal(err)
	}
	verify(t, s.cfg)
	s.cfg.Chain = "d"
	act(t, open(t, s.cfg), Entry{Act: "a"}) // the restart lists it
	verify(t, s.cfg)
}
