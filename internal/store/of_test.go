package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

type person struct {
	Name string     `bson:"name"`
	Age  int64      `bson:"age"`
	Gone *time.Time `bson:"gone,omitempty"`
}

var people = store.Spec{Name: "Person", Unique: []string{"name"}, Ordered: []string{"age"}, Expires: "gone"}

// open returns the typed collection, and the fault wrapper it goes through.
func open(t *testing.T) (*store.Of[person], *storetest.Fault) {
	t.Helper()
	fault := storetest.NewFault(storetest.New(t))
	of, err := store.Open[person](t.Context(), fault, people)
	if err != nil {
		t.Fatal(err)
	}
	return of, fault
}

// methods calls every method of Of once.
func methods(ctx context.Context, of *store.Of[person]) map[string]error {
	errs := map[string]error{
		"Insert":  of.Insert(ctx, "b", person{Name: "Bob"}),
		"Replace": of.Replace(ctx, store.Record[person]{ID: "a", Rev: 1, Value: person{Name: "Eve"}}),
		"Delete":  of.Delete(ctx, "a", 1),
	}
	_, errs["Get"] = of.Get(ctx, "a")
	_, errs["First"] = of.First(ctx, store.Query{})
	_, errs["Update"] = of.Update(ctx, "a", func(*person) error { return nil })
	errs["Find"] = errors.New("found without an error")
	for _, err := range of.Find(ctx, store.Query{}) {
		errs["Find"] = err
	}
	return errs
}

func TestAFailureOfTheStoreIsADatabaseErrorWithItsCause(t *testing.T) {
	of, fault := open(t)
	cause := errors.New("disk on fire")
	fault.Add(storetest.Rule{Err: cause})
	for name, err := range methods(t.Context(), of) {
		if !errors.Is(err, problem.Database(nil)) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAClosedStoreIsADatabaseError(t *testing.T) {
	of, fault := open(t)
	if err := fault.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range methods(t.Context(), of) {
		if !errors.Is(err, problem.Database(nil)) || !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnAnswerThatTakesLongerThanTheBudgetIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, fault := open(t)
		if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		fault.Add(storetest.Rule{Delay: time.Hour})
		start := time.Now()
		errs := methods(t.Context(), of)
		for name, err := range errs {
			if !errors.Is(err, problem.TimedOut(nil)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took, want := time.Since(start), time.Duration(len(errs))*store.Budget; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
	})
}

func TestAnAnswerJustWithinTheBudgetIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, fault := open(t)
		fault.Add(storetest.Rule{Delay: store.Budget - time.Millisecond})
		if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
			t.Error(err)
		}
		for r, err := range of.Find(t.Context(), store.Query{}) {
			if err != nil || r.Value.Name != "Ada" {
				t.Errorf("found %+v, %v", r, err)
			}
		}
	})
}

func TestTheTimeOfTheCallerDoesNotCountInFind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, _ := open(t)
		for i := range 5 {
			if err := of.Insert(t.Context(), fmt.Sprint(i), person{Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		for _, err := range of.Find(t.Context(), store.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			seen++
			time.Sleep(3 * store.Budget)
		}
		if seen != 5 {
			t.Errorf("saw %d", seen)
		}
	})
}

func TestTheCallersOwnContextIsTold(t *testing.T) {
	of, _ := open(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range methods(cancelled, of) {
		if _, ok := errors.AsType[*problem.Error](err); ok || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, err := range methods(late, of) {
		if !errors.Is(err, problem.TimedOut(nil)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheContractsOwnErrorsPassUnchanged(t *testing.T) {
	of, _ := open(t)
	ctx := t.Context()
	if err := of.Insert(ctx, "a", person{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want error }{
		"Insert":  {of.Insert(ctx, "b", person{Name: "Ada"}), store.ErrExists},
		"Replace": {of.Replace(ctx, store.Record[person]{ID: "a", Rev: 7}), store.ErrStale},
		"Delete":  {of.Delete(ctx, "a", 7), store.ErrStale},
		"Get":     {second(of.Get(ctx, "x")), store.ErrNotFound},
		"First":   {second(of.First(ctx, store.Query{Where: []store.Cond{{Field: "age", Op: store.Gt, Value: int64(5)}}})), store.ErrNotFound},
		"Update":  {second(of.Update(ctx, "x", func(*person) error { return nil })), store.ErrNotFound},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestADocumentThatDoesNotFitTheTypeIsADatabaseError(t *testing.T) {
	db := storetest.New(t)
	c, err := db.Collection(t.Context(), people)
	if err != nil {
		t.Fatal(err)
	}
	body, err := bson.Marshal(bson.D{{Key: "age", Value: "old"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Insert(t.Context(), store.Doc{ID: "a", Body: body}); err != nil {
		t.Fatal(err)
	}
	of, err := store.Open[person](t.Context(), db, people)
	if err != nil {
		t.Fatal(err)
	}
	_, got := of.Get(t.Context(), "a")
	_, first := of.First(t.Context(), store.Query{})
	for _, err := range []error{got, first} {
		if !errors.Is(err, problem.Database(nil)) {
			t.Errorf("got %v", err)
		}
	}
}

func TestAValueThatCannotBeEncodedIsAnErrorBeforeTheStoreIsAsked(t *testing.T) {
	of, err := store.Open[chan int](t.Context(), storetest.New(t), store.Spec{Name: "Channel"})
	if err != nil {
		t.Fatal(err)
	}
	if err := of.Insert(t.Context(), "a", make(chan int)); err == nil {
		t.Error("a channel was stored")
	}
	if err := of.Replace(t.Context(), store.Record[chan int]{ID: "a"}); err == nil {
		t.Error("a channel was stored")
	}
}

func TestUpdateReturnsWhatItStored(t *testing.T) {
	of, _ := open(t)
	if err := of.Insert(t.Context(), "a", person{Name: "Ada", Age: 36}); err != nil {
		t.Fatal(err)
	}
	r, err := of.Update(t.Context(), "a", func(p *person) error { p.Age++; return nil })
	if err != nil || r.Rev != 2 || r.Value.Age != 37 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if err := of.Replace(t.Context(), r); err != nil {
		t.Errorf("its revision is not the stored one: %v", err)
	}
}

func TestUpdateEndsWithTheErrorOfChangeAndStoresNothing(t *testing.T) {
	of, _ := open(t)
	if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if _, err := of.Update(t.Context(), "a", func(p *person) error { p.Name = "Eve"; return no }); err != no {
		t.Errorf("got %v", err)
	}
	if r, err := of.Get(t.Context(), "a"); err != nil || r.Rev != 1 || r.Value.Name != "Ada" {
		t.Errorf("stored %+v, %v", r, err)
	}
}

func TestUpdateSucceedsThoughTheAnswerToAWriteWasLost(t *testing.T) {
	of, fault := open(t)
	if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	// The first write is stored and answered as stale, as a driver that sends
	// a write twice would see it: change runs again on what it wrote itself.
	fault.Add(storetest.Rule{Op: storetest.Replace, After: true, Times: 1, Err: store.ErrStale})
	runs := 0
	r, err := of.Update(t.Context(), "a", func(p *person) error { runs++; p.Age = 36; return nil })
	if err != nil || runs != 2 || r.Rev != 3 || r.Value.Age != 36 {
		t.Errorf("%d runs, %+v, %v", runs, r, err)
	}
}

func TestUpdateGivesUpOnADocumentThatAlwaysChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, fault := open(t)
		if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		fault.Add(storetest.Rule{Op: storetest.Replace, Err: store.ErrStale})
		_, err := of.Update(t.Context(), "a", func(*person) error { return nil })
		if !errors.Is(err, problem.Database(nil)) || !errors.Is(err, store.ErrStale) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUpdateEndsWithItsContextBetweenTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		of, fault := open(t)
		if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		fault.Add(storetest.Rule{Op: storetest.Replace, Err: store.ErrStale})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := of.Update(ctx, "a", func(*person) error { return nil })
		if !errors.Is(err, problem.TimedOut(nil)) {
			t.Errorf("got %v", err)
		}
	})
}

func TestEightUpdatesOfOneDocumentAllCount(t *testing.T) {
	of, _ := open(t)
	if err := of.Insert(t.Context(), "a", person{Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				if _, err := of.Update(t.Context(), "a", func(p *person) error { p.Age++; return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if r, err := of.Get(t.Context(), "a"); err != nil || r.Value.Age != 80 {
		t.Errorf("ended at %+v, %v", r, err)
	}
}

func TestFindYieldsRecordsInOrderAndStopsWhenTold(t *testing.T) {
	of, _ := open(t)
	for i, name := range []string{"Ada", "Bob", "Cy"} {
		if err := of.Insert(t.Context(), name, person{Name: name, Age: int64(-i)}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for r, err := range of.Find(t.Context(), store.Query{Order: "age"}) {
		if err != nil {
			t.Fatal(err)
		}
		if names = append(names, r.Value.Name); len(names) == 2 {
			break
		}
	}
	if !slices.Equal(names, []string{"Cy", "Bob"}) {
		t.Errorf("found %q", names)
	}
}

func TestOpenNamesTheCollectionInItsError(t *testing.T) {
	_, fault := open(t)
	fault.Add(storetest.Rule{Op: storetest.Collection, Err: errors.New("no")})
	if _, err := store.Open[person](t.Context(), fault, people); err == nil || err.Error() != "open collection Person: no" {
		t.Errorf("got %v", err)
	}
}
