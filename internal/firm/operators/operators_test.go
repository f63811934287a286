package operators

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// accounts are people's marks by id; an address is the id and @x.example.
type accounts map[string][]string

func (a accounts) ByID(_ context.Context, id string) (identity.Principal, []string, error) {
	marks, ok := a[id]
	if !ok {
		return identity.Principal{}, nil, store.ErrNotFound
	}
	return identity.Principal{Subject: id, Username: id, Email: id + "@x.example", Validated: id != "new"}, marks, nil
}

func (a accounts) ByEmail(ctx context.Context, key string) (identity.Principal, error) {
	who, _, err := a.ByID(ctx, key[:len(key)-len("@x.example")])
	return who, err
}

func (a accounts) Mark(_ context.Context, id, mark string, on bool) error {
	if _, ok := a[id]; !ok {
		return store.ErrNotFound
	}
	a[id] = slices.DeleteFunc(a[id], func(m string) bool { return m == mark })
	if on {
		a[id] = append(a[id], mark)
	}
	return nil
}

func (accounts) Key(address string) (string, bool) {
	return address, len(address) > len("@x.example")
}

type house struct {
	accounts
	*Operators
	db   *storetest.Fault
	acts []audit.Entry
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{accounts: accounts{"ann": {"firm_1"}, "bob": nil, "new": nil}, db: storetest.NewFault(storetest.New(t))}
	act := func(_ context.Context, e audit.Entry, f func() error) error {
		h.acts = append(h.acts, e)
		return f()
	}
	var err error
	if h.Operators, err = Open(t.Context(), Config{DB: h.db, Accounts: h.accounts, Act: act}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) names(t *testing.T) (all []string) {
	t.Helper()
	list, err := h.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list {
		all = append(all, o.ID)
	}
	return all
}

func TestOperatorsMakeAndUnmakeOneAnother(t *testing.T) {
	t.Parallel()
	h, ctx := open(t), t.Context()
	for _, who := range []string{"ann", "bob", "bob"} {
		if _, err := h.Set(ctx, audit.Entry{Actor: "administrator"}, who+"@x.example", true); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.names(t); !slices.Equal(got, []string{"ann", "bob"}) {
		t.Errorf("listed: %q", got)
	}
	if is, err := h.Is(ctx, "bob"); err != nil || !is {
		t.Errorf("bob is one: %v, %v", is, err)
	}
	by := audit.Entry{Actor: "ann", From: "192.0.2.1", Request: "r1"}
	if err := h.Remove(ctx, by, "bob"); err != nil {
		t.Fatal(err)
	}
	if got := h.names(t); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("after bob went: %q", got)
	}
	if !slices.Equal(h.accounts["ann"], []string{"firm_1", "operator"}) || len(h.accounts["bob"]) > 0 {
		t.Errorf("marks: %v", h.accounts)
	}
	want := audit.Entry{Act: "operator.remove", Actor: "ann", Object: "bob", From: "192.0.2.1", Request: "r1"}
	if got := h.acts[len(h.acts)-1]; len(h.acts) != 4 || got != want {
		t.Errorf("on record: %+v", h.acts)
	}
}

func TestWhatOperatorsMayNotDo(t *testing.T) {
	t.Parallel()
	h, ctx := open(t), t.Context()
	by := audit.Entry{Actor: "ann"}
	if _, err := h.Set(ctx, by, "ann@x.example", true); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		do   func() error
		code string
	}{
		"take the role from oneself":        {func() error { return h.Remove(ctx, by, "ann") }, "VALIDATION_ERROR"},
		"take it from who has none":         {func() error { return h.Remove(ctx, by, "bob") }, "NOT_FOUND"},
		"take it from nobody":               {func() error { return h.Remove(ctx, by, "eve") }, "NOT_FOUND"},
		"give it to an unconfirmed address": {func() error { _, err := h.Set(ctx, by, "new@x.example", true); return err }, "UNVERIFIED_ACCOUNT"},
		"give it to what is no address":     {func() error { _, err := h.Set(ctx, by, "x", true); return err }, "VALIDATION_ERROR"},
	} {
		p, ok := errors.AsType[*problem.Error](c.do())
		if !ok || p.Code != c.code {
			t.Errorf("%s: %v", name, p)
		}
	}
	if _, err := h.Set(ctx, by, "eve@x.example", true); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	if got := h.names(t); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("listed: %q", got)
	}
}

// TestTheMarkDecides would fail if the list gave or took a right: it may be behind
// after a crash, or name an account that was erased.
func TestTheMarkDecides(t *testing.T) {
	t.Parallel()
	h, ctx := open(t), t.Context()
	for _, who := range []string{"ann", "bob"} {
		if _, err := h.Set(ctx, audit.Entry{}, who+"@x.example", true); err != nil {
			t.Fatal(err)
		}
	}
	h.accounts["ann"] = nil   // the mark is gone, the line is not
	delete(h.accounts, "bob") // erased
	if is, err := h.Is(ctx, "ann"); is || err != nil {
		t.Errorf("%v, %v", is, err)
	}
	if is, err := h.Is(ctx, "bob"); is || err != nil {
		t.Errorf("%v, %v", is, err)
	}
	if got := h.names(t); len(got) > 0 {
		t.Errorf("listed: %q", got)
	}
}
