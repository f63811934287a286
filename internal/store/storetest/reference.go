package storetest

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/store"
)

// modelCases hold a driver against a model of the contract so plain that it is
// seen to be right: a map, and a sort.
var modelCases = []testCase{
	{"random writes and queries give what a map and a sort give", func(f *fixture) {
		rapid.Check(f, func(t *rapid.T) {
			m := &model{fixture: f, docs: map[string]entry{}}
			m.empty(t)
			t.Repeat(map[string]func(*rapid.T){
				"insert":  m.insertOne,
				"replace": m.replaceOne,
				"delete":  m.deleteOne,
				"wait":    func(*rapid.T) { f.clock.Advance(20 * time.Minute) },
				"":        m.query,
			})
		})
	}},
}

// entry is a document of the model; an absent field is nil.
type entry struct {
	rev    int64
	fields map[string]any
}

type model struct {
	*fixture
	docs map[string]entry
}

func (m *model) empty(t *rapid.T) {
	for d, err := range m.c.Find(m.Context(), store.Query{}) {
		expect(t, err, nil)
		expect(t, m.c.Delete(m.Context(), d.ID, d.Rev), nil)
	}
}

// values has so few of each that they collide often.
var values = map[string][]any{
	"email": {nil, "x", "y", "z"},
	"name":  {nil, "", "a", "b", "é"},
	"n":     {nil, int64(-1), int64(0), int64(1)},
	"at":    {nil, noon, noon.Add(time.Millisecond)},
}

var modelFields = slices.Sorted(maps.Keys(values))

func drawID(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "id")
}

// drawDoc draws the fields of a document, which may expire within the hour.
func (m *model) drawDoc(t *rapid.T) map[string]any {
	fields := map[string]any{}
	for _, name := range modelFields {
		fields[name] = rapid.SampledFrom(values[name]).Draw(t, name)
	}
	if rapid.Bool().Draw(t, "expires") {
		fields["gone"] = m.clock.Now().Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "minutes")) * time.Minute)
	}
	return fields
}

func (e entry) doc(id string) store.Doc {
	var pairs []any
	for _, name := range slices.Sorted(maps.Keys(e.fields)) {
		if e.fields[name] != nil {
			pairs = append(pairs, name, e.fields[name])
		}
	}
	d := doc(id, pairs...)
	d.Rev = e.rev
	return d
}

func (m *model) live(id string) (entry, bool) {
	e, ok := m.docs[id]
	gone, expires := e.fields["gone"].(time.Time)
	return e, ok && (!expires || gone.After(m.clock.Now()))
}

// taken tells whether another live document has the unique key of fields.
func (m *model) taken(id string, fields map[string]any) bool {
	for other := range m.docs {
		e, ok := m.live(other)
		if ok && other != id && fields["email"] != nil && e.fields["email"] == fields["email"] {
			return true
		}
	}
	return false
}

func (m *model) insertOne(t *rapid.T) {
	id, e := drawID(t), entry{rev: 1, fields: m.drawDoc(t)}
	want := error(nil)
	if _, there := m.live(id); there || m.taken(id, e.fields) {
		want = store.ErrExists
	} else {
		m.docs[id] = e
	}
	expect(t, m.c.Insert(m.Context(), e.doc(id)), want)
}

func (m *model) replaceOne(t *rapid.T) {
	id, e := drawID(t), entry{rev: rapid.Int64Range(1, 3).Draw(t, "rev"), fields: m.drawDoc(t)}
	d := e.doc(id)
	want := error(nil)
	if now, there := m.live(id); !there || now.rev != e.rev {
		want = store.ErrStale
	} else if m.taken(id, e.fields) {
		want = store.ErrExists
	} else {
		e.rev++
		m.docs[id] = e
	}
	expect(t, m.c.Replace(m.Context(), d), want)
}

func (m *model) deleteOne(t *rapid.T) {
	id, rev := drawID(t), rapid.Int64Range(1, 3).Draw(t, "rev")
	want := store.ErrStale
	if now, there := m.live(id); there && now.rev == rev {
		want = nil
		delete(m.docs, id)
	}
	expect(t, m.c.Delete(m.Context(), id, rev), want)
}

func expect(t *rapid.T, got, want error) {
	if !errors.Is(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// query compares a random query with the model.
func (m *model) query(t *rapid.T) {
	q := m.drawQuery(t)
	var want []string
	for id := range m.docs {
		e, ok := m.live(id)
		if ok && matches(e, q) && (q.After == nil || behindPosition(e, id, q)) {
			want = append(want, id)
		}
	}
	slices.SortFunc(want, func(a, b string) int {
		c := cmp.Or(compare(m.docs[a].fields[q.Order], m.docs[b].fields[q.Order]), cmp.Compare(a, b))
		if q.Desc {
			return -c
		}
		return c
	})
	if q.Limit > 0 {
		want = want[:min(q.Limit, len(want))]
	}
	got, err := ids(m.Context(), m.c, q)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%+v after %+v found %q, %v; want %q", q, q.After, got, err, want)
	}
}

func (m *model) drawQuery(t *rapid.T) store.Query {
	q := store.Query{
		Order: rapid.SampledFrom(append([]string{""}, modelFields...)).Draw(t, "order"),
		Desc:  rapid.Bool().Draw(t, "desc"),
		Limit: rapid.IntRange(0, 3).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "where") {
		field := rapid.SampledFrom(modelFields).Draw(t, "field")
		op := rapid.SampledFrom([]store.Op{store.Eq, store.Lt, store.Le, store.Gt, store.Ge}).Draw(t, "op")
		q.Where = []store.Cond{{Field: field, Op: op, Value: rapid.SampledFrom(values[field][1:]).Draw(t, "value")}}
	}
	if rapid.Bool().Draw(t, "paging") {
		q.After = &store.Position{ID: drawID(t)}
		if q.Order != "" {
			q.After.Value = rapid.SampledFrom(values[q.Order]).Draw(t, "after")
		}
	}
	return q
}

func matches(e entry, q store.Query) bool {
	for _, w := range q.Where {
		v := e.fields[w.Field]
		c := compare(v, w.Value)
		if v == nil || !map[store.Op]bool{store.Eq: c == 0, store.Lt: c < 0, store.Le: c <= 0, store.Gt: c > 0, store.Ge: c >= 0}[w.Op] {
			return false
		}
	}
	return true
}

func behindPosition(e entry, id string, q store.Query) bool {
	c := cmp.Or(compare(e.fields[q.Order], q.After.Value), cmp.Compare(id, q.After.ID))
	if q.Desc {
		return c < 0
	}
	return c > 0
}

// compare orders nil before everything else.
func compare(a, b any) int {
	if a == nil || b == nil {
		return map[bool]int{true: 1}[a != nil] - map[bool]int{true: 1}[b != nil]
	}
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	default:
		return a.(time.Time).Compare(b.(time.Time))
	}
}
