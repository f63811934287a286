// Package backend owns what the console asks of the login and the card service:
// one method per question, in the words of their routes. It keeps nothing.
package backend

import (
	"net/http"
	"net/url"
	"time"

	"ccms/internal/upstream"
)

// Backend is safe for concurrent use.
type Backend struct{ up *upstream.Client }

// New returns a Backend that asks through up.
func New(up *upstream.Client) *Backend { return &Backend{up} }

// Caller is for whom something is asked: a person, in a firm and a mode
// (decision B13).
type Caller struct {
	Token string // his
	Firm  string
	Mode  string // test or live
}

// Page is a part of a list.
type Page[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next_cursor"` // "" on the last
}

// login asks the login service for something of the caller's firm.
func (b *Backend) login(r *http.Request, c Caller, call upstream.Call) error {
	call.Service, call.Token = upstream.Login, c.Token
	call.Path = "/api/firms/" + url.PathEscape(c.Firm) + call.Path
	return b.up.Ask(r, call)
}

// cards asks the card service for something of the caller's firm, in his mode.
func (b *Backend) cards(r *http.Request, c Caller, call upstream.Call) error {
	return b.up.Ask(r, c.cards(call))
}

// cards is a call to the card service in the caller's name.
func (c Caller) cards(call upstream.Call) upstream.Call {
	call.Service, call.Token = upstream.Cards, c.Token
	call.Header = map[string]string{"CCMS-Firm": c.Firm, "CCMS-Mode": c.Mode}
	return call
}

// query appends a query to a path.
func query(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Record is a line of an audit log.
type Record struct {
	Time    time.Time `json:"time"`
	Act     string    `json:"act"`
	Actor   string    `json:"actor"`
	Object  string    `json:"object"`
	From    string    `json:"from"`
	Result  string    `json:"result"`
	Reason  string    `json:"reason"`
	Request string    `json:"request"`
	Record  string    `json:"record"`
	Begin   string    `json:"begin"` // the record written before the act, of one with its outcome
}

// CardRecords returns what is on record of the firm's cards, the oldest first. A
// page may be empty and not the last.
func (b *Backend) CardRecords(r *http.Request, c Caller, q url.Values) (Page[Record], error) {
	var out Page[Record]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: query("/v1/audit", q), Out: &out})
	return out, err
}

// FirmRecords returns what is on record of the firm's people and clients, as
// CardRecords does.
func (b *Backend) FirmRecords(r *http.Request, c Caller, q url.Values) (Page[Record], error) {
	var out Page[Record]
	err := b.login(r, c, upstream.Call{Method: http.MethodGet, Path: query("/audit", q), Out: &out})
	return out, err
}
