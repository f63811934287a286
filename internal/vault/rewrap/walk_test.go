package rewrap

import (
	"context"
	"errors"
	"testing"
	"time"

	"ccms/internal/store/storetest"
	"ccms/internal/vault"
)

// TestAWalkGoesOnWhenTheStoreWasSlow would fail if one answer that came too late,
// to a read of a page or to a write, ended it: a machine under load has such.
func TestAWalkGoesOnWhenTheStoreWasSlow(t *testing.T) {
	s := newShelf(t, 6)
	s.rotate(t)
	slow := context.DeadlineExceeded
	for _, r := range []storetest.Rule{
		{Collection: "Folder", Op: storetest.Find, Times: 1, Err: slow},
		{Collection: "Folder", Op: storetest.Get, Skip: 1, Times: 1, Err: slow},
		{Collection: "Folder", Op: storetest.Replace, Skip: 2, Times: 1, Err: errors.New("disk on fire")},
		{Collection: "Folder", Op: storetest.Replace, Skip: 3, Times: 1, After: true, Err: slow}, // done, not acknowledged
	} {
		s.fault.Add(r)
	}
	var sum tally
	hitches := 0
	pace := sum.pace()
	pace.Patience, pace.Hitch = time.Minute, func(err error) {
		if err == nil {
			t.Error("a hitch without a reason")
		}
		hitches++
	}
	active := map[string]uint32{}
	for _, owner := range []string{"owner0", "owner1"} {
		id, version, err := s.ring.Active(t.Context(), owner)
		must(t, err)
		active[id] = version
	}
	err := s.book.Rewrap(t.Context(), Job{Vault: s.vault, Active: active, Pace: pace})
	if err != nil || hitches != 4 || sum.documents != 6 || sum.failed != 0 {
		t.Errorf("%v, %d hitches, %+v", err, hitches, sum)
	}
	if v := s.byVersion(t); v[2] != 12 || v[1] != 0 {
		t.Errorf("%v", v)
	}
	s.opens(t, 6)
}

func TestAWalkEndsWhenPatienceIsOverOrAnErrorDoesNotPass(t *testing.T) {
	s := newShelf(t, 2)
	s.rotate(t)
	s.fault.Add(storetest.Rule{Collection: "Folder", Op: storetest.Replace, Err: errors.New("disk on fire")})
	var sum tally
	pace, hitches := sum.pace(), 0
	pace.Patience, pace.Hitch = 400*time.Millisecond, func(error) { hitches++ }
	if err := s.book.Rewrap(t.Context(), Job{Vault: s.vault, Pace: pace}); err == nil || hitches != 2 {
		t.Errorf("%v after %d hitches", err, hitches)
	}
	s.fault.Clear()
	broken := errors.New("a programming error")
	hitches = 0
	if err := s.book.Rewrap(t.Context(), Job{Vault: failing{broken}, Pace: pace}); !errors.Is(err, broken) || hitches != 0 {
		t.Errorf("%v after %d hitches", err, hitches)
	}
}

func TestAWalkThatWaitsEndsWithItsContext(t *testing.T) {
	s := newShelf(t, 1)
	s.rotate(t)
	s.fault.Add(storetest.Rule{Collection: "Folder", Op: storetest.Replace, Err: errors.New("disk on fire")})
	ctx, cancel := context.WithCancel(t.Context())
	var sum tally
	pace := sum.pace()
	pace.Patience, pace.Hitch = time.Hour, func(error) { cancel() }
	if err := s.book.Rewrap(ctx, Job{Vault: s.vault, Pace: pace}); err == nil {
		t.Error("it goes on")
	}
}

type failing struct{ err error }

// Rewrap implements Vault.
func (f failing) Rewrap(context.Context, vault.Place, string) (string, error) { return "", f.err }
