// Package listing owns how the lists of a firm's things are ordered, filtered
// and cut into pages (decision D6): newest first, {"data":[…],"next_cursor"}.
// What is listed, and who may see it, is its caller's.
//
// A document that is listed has an ordered field with a Key: firm, time of
// creation and id. So a page costs what is on it, however much the store holds.
package listing

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	// maxScan bounds how many documents one page looks at when a filter leaves
	// most of them out.
	maxScan = 1000
)

// keyTime sorts as text and has no run of digits that could pass for a number.
const keyTime = "20060102T150405.000"

// Key is what a document with this id, made at a time, has in its ordered
// field. Neither owner nor id may hold a slash.
func Key(owner string, at time.Time, id string) string {
	return owner + "/" + at.UTC().Format(keyTime) + "/" + id
}

// Request is which page of whose list is wanted.
type Request struct {
	list   string // its name, and whose
	owner  string
	limit  int
	after  string // key, "" for the first page
	filter url.Values
}

// Parse reads limit (1 to 100, default 50), cursor and the filters that are
// known from a query for a list, such as "cards", of what an owner has: a firm,
// mostly. Anything else, or a parameter twice, is 400 VALIDATION_ERROR.
func Parse(list, owner string, query url.Values, filters ...string) (Request, error) {
	r := Request{list: list + "/" + owner, owner: owner, limit: defaultLimit, filter: query}
	for name, values := range query {
		if len(values) > 1 || name != "limit" && name != "cursor" && !slices.Contains(filters, name) {
			return r, problem.Validation("Use only the query parameters the API description names, each once.")
		}
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			return r, problem.Validation("Send a limit from 1 to 100.")
		}
		r.limit = n
	}
	place, err := Place(r.list, query.Get("cursor"))
	if place != "" {
		r.after = owner + "/" + place
	}
	return r, err
}

// cursor is where the page after key begins, a key of the list's owner.
func (r Request) cursor(key string) string {
	return Cursor(r.list, strings.TrimPrefix(key, r.owner+"/"))
}

// Filter is the value of a filter, "" when it was not sent.
func (r Request) Filter(name string) string { return r.filter.Get(name) }

// Page is the answer to a Request.
type Page[T any] struct {
	Data []T `json:"data"`
	// Next is the cursor of the next page, null on the last. With a filter a
	// page may be short, even empty, and not the last.
	Next *string `json:"next_cursor"`
}

// Source is where the documents lie, and where their keys.
type Source[D any] struct {
	Documents *store.Of[D]
	Field     string // the ordered field that holds the Key
	Key       func(D) string
}

// Read returns the page of those documents that show shows. Errors are the
// store's.
func Read[D, T any](ctx context.Context, s Source[D], r Request, show func(store.Record[D]) (T, bool)) (Page[T], error) {
	p := Page[T]{Data: []T{}}
	seen, last := 0, ""
	for rec, err := range s.Documents.Find(ctx, s.query(r)) {
		if err != nil {
			return Page[T]{}, err
		}
		if len(p.Data) == r.limit || seen == maxScan {
			p.Next = new(r.cursor(last))
			break
		}
		seen++
		last = s.Key(rec.Value)
		if v, ok := show(rec); ok {
			p.Data = append(p.Data, v)
		}
	}
	return p, nil
}

// query asks for one document more than the page may look at: that it is there
// says that there is a next page.
func (s Source[D]) query(r Request) store.Query {
	q := store.Query{
		Where: []store.Cond{
			{Field: s.Field, Op: store.Gt, Value: r.owner + "/"},
			{Field: s.Field, Op: store.Lt, Value: r.owner + "0"}, // 0 follows the slash
		},
		Order: s.Field, Desc: true, Limit: maxScan + 1,
	}
	if r.after != "" {
		q.After = &store.Position{Value: r.after, ID: r.after[strings.LastIndexByte(r.after, '/')+1:]}
	}
	return q
}
