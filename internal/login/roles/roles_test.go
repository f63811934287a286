package roles

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func open(t *testing.T) (*Accounts, *customer.Collection) {
	t.Helper()
	db := storetest.New(t)
	a, err := Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	customers, err := customer.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	erasing := customer.Customer{CreatedAt: time.Now()}
	erasing.Erase(time.Now())
	for id, c := range map[string]customer.Customer{
		"1": {Username: "Ann", UsernameKey: "ann", Email: "Ann@example.com", EmailKey: "ann@example.com", AccountValidated: true},
		"2": erasing,
	} {
		if err := customers.Insert(t.Context(), id, c); err != nil {
			t.Fatal(err)
		}
	}
	return a, customers
}

func TestAnAccountIsFoundByIDAndAddress(t *testing.T) {
	t.Parallel()
	a, _ := open(t)
	p, marks, err := a.ByID(t.Context(), "1")
	if err != nil || p.Subject != "1" || p.Username != "Ann" || p.Email != "Ann@example.com" || !p.Validated || len(marks) > 0 {
		t.Errorf("%+v %q, %v", p, marks, err)
	}
	key, ok := a.Key("ANN@Example.com")
	if by, err := a.ByEmail(t.Context(), key); !ok || err != nil || by.Subject != "1" {
		t.Errorf("%+v, %v", by, err)
	}
	if _, ok := a.Key("ann"); ok {
		t.Error("a name is an address")
	}
	for _, id := range []string{"2", "3"} {
		if _, _, err := a.ByID(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("account %s: %v", id, err)
		}
		if err := a.Mark(t.Context(), id, "operator", true); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("mark of account %s: %v", id, err)
		}
	}
	if _, err := a.ByEmail(t.Context(), "nobody@example.com"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestMarksComeAndGo(t *testing.T) {
	t.Parallel()
	a, customers := open(t)
	var all sync.WaitGroup
	for _, mark := range []string{"firm_A", "firm_B", "operator", "operator"} {
		all.Go(func() {
			if err := a.Mark(t.Context(), "1", mark, true); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, marks, err := a.ByID(t.Context(), "1")
	slices.Sort(marks)
	if err != nil || !slices.Equal(marks, []string{"firm_A", "firm_B", "operator"}) {
		t.Errorf("%q, %v", marks, err)
	}
	for _, mark := range []string{"firm_A", "firm_B", "operator", "none"} {
		if err := a.Mark(t.Context(), "1", mark, false); err != nil {
			t.Error(err)
		}
	}
	// Without a role the usual lock holds again (decision B5).
	if rec, err := customers.Get(t.Context(), "1"); err != nil || len(rec.Value.Roles) > 0 {
		t.Errorf("%q, %v", rec.Value.Roles, err)
	}
}
