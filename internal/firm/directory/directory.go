// Package directory owns how a service beside the login service learns of firms,
// their clients and their members (decision D1): it asks over the internal
// routes of package firm and remembers an answer for 0.9 s, so that whatever is
// suspended or revoked is so everywhere within a second.
//
// It decides nothing and keeps nothing: what an answer allows is for who asks,
// and after a restart it knows nobody.
package directory

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"time"
)

// ErrUnknown: there is no such firm, the client may not act, or the person has no
// role in the firm.
var ErrUnknown = errors.New("directory: unknown")

// Firm is what there is to know of a firm.
type Firm struct {
	ID        string `json:"firm_id"`
	Name      string `json:"name"`
	Suspended bool   `json:"suspended"`
}

// Client is what there is to know of a client.
type Client struct {
	ID         string   `json:"client_id"`
	FirmID     string   `json:"firm_id"` // "" for an operators' client
	Mode       string   `json:"mode"`    // test or live
	Scopes     []string `json:"scopes"`
	ReturnURLs []string `json:"return_urls"`
	Origins    []string `json:"origins"`
	Active     bool     `json:"active"` // not revoked, and its firm not suspended
}

// Membership is what there is to know of a person in a firm.
type Membership struct {
	Role string `json:"role"` // owner, admin or viewer; "" for none, and while the firm is suspended
}

// Operator is whether somebody runs this installation.
type Operator struct {
	Operator bool `json:"operator"`
}

// remembered is how long an answer holds: with the time it takes to get one, a
// suspension is known within 1 s.
const remembered = 900 * time.Millisecond

// Config is what New needs.
type Config struct {
	// Call asks the login service for a path and decodes its answer into out;
	// Call of trust.Peer does.
	Call func(ctx context.Context, method, path string, out any) error
	// Size is how many answers of a kind are remembered at most. Default 10,000.
	Size int
	Now  func() time.Time // default time.Now
}

// Directory knows firms, clients and members. It is safe for concurrent use.
type Directory struct {
	call    func(ctx context.Context, method, path string, out any) error
	firms   *memory[Firm]
	clients *memory[Client]
	roles   *memory[Membership]
	runners *memory[Operator]
}

// New returns a directory that knows nobody yet.
func New(cfg Config) *Directory {
	if cfg.Size == 0 {
		cfg.Size = 10_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Directory{
		call:  cfg.Call,
		firms: newMemory[Firm](cfg), clients: newMemory[Client](cfg), roles: newMemory[Membership](cfg), runners: newMemory[Operator](cfg),
	}
}

// Firm returns a firm, suspended or not, or ErrUnknown. Other errors, here and
// below, are those of Config.Call.
func (d *Directory) Firm(ctx context.Context, id string) (Firm, error) {
	if !isFirm(id) {
		return Firm{}, ErrUnknown
	}
	f, err := ask(ctx, d, d.firms, "/internal/firms/"+url.PathEscape(id))
	if err == nil && f.ID == "" {
		err = ErrUnknown
	}
	return f, err
}

// Client returns a client that may act, or ErrUnknown.
func (d *Directory) Client(ctx context.Context, id string) (Client, error) {
	if !isClient(id) {
		return Client{}, ErrUnknown
	}
	c, err := ask(ctx, d, d.clients, "/internal/clients/"+url.PathEscape(id))
	if err == nil && !c.Active {
		err = ErrUnknown
	}
	return c, err
}

// Role returns the role of a person in a firm, or ErrUnknown, also while the
// firm is suspended.
func (d *Directory) Role(ctx context.Context, firm, subject string) (string, error) {
	if !isFirm(firm) {
		return "", ErrUnknown
	}
	m, err := ask(ctx, d, d.roles, "/internal/firms/"+url.PathEscape(firm)+"/members/"+url.PathEscape(subject))
	if err == nil && m.Role == "" {
		err = ErrUnknown
	}
	return m.Role, err
}

// Operator reports whether an account is an operator's. The account is one that
// was authenticated.
func (d *Directory) Operator(ctx context.Context, subject string) (bool, error) {
	o, err := ask(ctx, d, d.runners, "/internal/operators/"+url.PathEscape(subject))
	return o.Operator, err
}

// Act is something an operator does elsewhere, for the record.
type Act struct {
	Operator string // his account's id
	Name     string // a dotted word
	Object   string
	Result   string // "" before it happens
	From     string // his address
}

// Record puts an operator's act on the login service's record. It fails with
// ErrUnknown for who is none.
func (d *Directory) Record(ctx context.Context, a Act) error {
	q := url.Values{"act": {a.Name}, "object": {a.Object}, "result": {a.Result}, "from": {a.From}}
	var o Operator
	err := d.call(ctx, http.MethodPost, "/internal/operators/"+url.PathEscape(a.Operator)+"/acts?"+q.Encode(), &o)
	if err == nil && !o.Operator {
		err = ErrUnknown
	}
	return err
}

// Disabled is a webhook endpoint that was switched off.
type Disabled struct {
	FirmID   string
	Endpoint string // its id
	Mode     string // test or live
	Host     string // that is called no more
	Reason   string // failing or gone
	At       time.Time
}

// TellDisabled has the owners and admins of a firm told that an endpoint was
// switched off. Told again, they get no second mail while the first one waits.
func (d *Directory) TellDisabled(ctx context.Context, e Disabled) error {
	if !isFirm(e.FirmID) {
		return ErrUnknown
	}
	q := url.Values{"endpoint": {e.Endpoint}, "mode": {e.Mode}, "host": {e.Host}, "reason": {e.Reason}, "at": {e.At.UTC().Format(time.RFC3339Nano)}}
	var f Firm
	err := d.call(ctx, http.MethodPost, "/internal/firms/"+url.PathEscape(e.FirmID)+"/disabled-endpoints?"+q.Encode(), &f)
	if err == nil && f.ID == "" {
		err = ErrUnknown
	}
	return err
}

// isFirm and isClient report whether something may be an id of package firm.
// Callers name ids in headers and bodies; whatever else they say there must not
// become part of a path, which is logged.
func isFirm(id string) bool   { return firmID.MatchString(id) }
func isClient(id string) bool { return clientID.MatchString(id) }

var (
	firmID   = regexp.MustCompile(`^firm_[A-Z2-7]{26}$`)
	clientID = regexp.MustCompile(`^client_[A-Z2-7]{26}$`)
)

func ask[V any](ctx context.Context, d *Directory, m *memory[V], path string) (V, error) {
	return m.get(ctx, path, func(ctx context.Context) (v V, err error) {
		err = d.call(ctx, http.MethodGet, path, &v)
		return v, err
	})
}
