package registration_test

import (
	"slices"
	"testing"
	"time"
)

func TestTheList(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	if p := w.page(as, ""); len(p.Data) != 0 || p.Next != nil {
		t.Errorf("a firm without registrations has %+v", p)
	}
	first := w.register(as, visa, member{"reference", `"order 1"`}, member{"metadata", `{"b":"2","a":"€"}`})
	w.clock.Advance(time.Hour)
	second := w.register(as, mastercard)
	w.register(client("firm_b", "test"), visa)
	w.register(client("firm_a", "live"), anyNumber())

	all := w.page(as, "").Data
	if len(all) != 2 || all[0].ID != second || all[1].ID != first {
		t.Fatalf("listed %+v", all)
	}
	got := all[1]
	if got.Mode != "test" || got.Status != "verified" || got.Brand != "Visa" || got.BIN != "411111" || got.Last4 != "1111" ||
		got.Expiry != "12/2030" || got.Reference != "order 1" || got.Metadata["a"] != "€" || got.Metadata["b"] != "2" ||
		got.By != "client_of_firm_a" || !got.CreatedAt.Equal(w.now().Add(-time.Hour)) || !got.DecidedAt.Equal(got.CreatedAt) || got.Token == "" {
		t.Errorf("listed %+v", got)
	}
	for query, want := range map[string][]string{
		"brand=visa": {first}, "last4=4444": {second}, "reference=order+1": {first}, "status=verified": {second, first}, "status=rejected": nil,
		"from=2026-05-01T12:30:00Z": {second}, "to=2026-05-01T12:30:00Z": {first}, "from=2026-05-02": nil, "mode=live": nil, "mode=test": {second, first},
	} {
		var ids []string
		for _, r := range w.page(as, query).Data {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %q, want %q", query, ids, want)
		}
	}
	if p := w.page(as, "limit=1"); len(p.Data) != 1 || p.Next == nil || w.page(as, "limit=1&cursor="+*p.Next).Data[0].ID != first {
		t.Errorf("a page of one is %+v", p)
	}
	want(t, w.do(call{method: "GET", path: "/v1/registrations?limit=1000", as: as}), 400, "VALIDATION_ERROR")
}

// TestAMemberListsBothModes would fail if the two were not one list in order.
func TestAMemberListsBothModes(t *testing.T) {
	w := newWorld(t)
	var ids []string
	for i := range 6 {
		mode, number := "test", visa
		if i%2 == 0 {
			mode, number = "live", anyNumber()
		}
		ids = append(ids, w.register(client("firm_a", mode), number))
		w.clock.Advance(time.Second)
	}
	slices.Reverse(ids)
	a := w.do(call{method: "GET", path: "/v1/registrations?limit=4", as: "member viewer@firm_a", firm: "firm_a"})
	want(t, a, 200, "")
	p := decode[page](t, a)
	var got []string
	for _, r := range p.Data {
		got = append(got, r.ID)
	}
	if !slices.Equal(got, ids[:4]) || p.Next == nil {
		t.Errorf("got %q, want %q", got, ids[:4])
	}
	live := w.do(call{method: "GET", path: "/v1/registrations?mode=live", as: "member viewer@firm_a", firm: "firm_a"})
	if rows := decode[page](t, live).Data; len(rows) != 3 {
		t.Errorf("of live there are %+v", rows)
	}
}
