package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The members of Client in this file need the scope cards:register to register,
// cards:read to look, cards:manage to delete.

// CardData is a card to be registered.
type CardData struct {
	Number Secret // 12 to 19 digits; spaces and hyphens may stand between them
	Code   Secret // the security code, 3 or 4 digits; kept nowhere
	Expiry string // MM/YY, MM/YYYY or YYYY-MM
	Holder Secret // the name on the card, 1 to 255 characters

	Reference string            // yours, up to 255 characters; optional
	Metadata  map[string]string // yours, up to 20 members; optional
	// IdempotencyKey makes the registration happen once, for 24 hours: 1 to 255
	// printable ASCII characters. By default each call of Register makes one, so
	// that its own tries count once; give one that outlives your process, such
	// as an order's number, if you may call again after a crash.
	IdempotencyKey string
}

// appendJSON appends the card as the service reads it; with a key it is a line
// of a bulk request.
func (d *CardData) appendJSON(dst []byte, key string) ([]byte, error) {
	rest, err := json.Marshal(struct {
		Expiry    string            `json:"expiry_date"`
		Reference string            `json:"reference,omitempty"`
		Metadata  map[string]string `json:"metadata,omitempty"`
		Key       string            `json:"idempotency_key,omitempty"`
	}{d.Expiry, d.Reference, d.Metadata, key})
	if err != nil {
		return dst, err
	}
	dst = append(dst, `{"card_number":`...)
	dst = appendQuoted(dst, d.Number.Reveal())
	dst = append(dst, `,"cvv":`...)
	dst = appendQuoted(dst, d.Code.Reveal())
	dst = append(dst, `,"cardholder_name":`...)
	dst = appendQuoted(dst, d.Holder.Reveal())
	dst = append(dst, ',')
	return append(dst, rest[1:]...), nil
}

// size is more than appendJSON appends, so that its buffer never grows and
// leaves no copy behind.
func (d *CardData) size() int {
	n := 512 + 6*(d.Number.Len()+d.Code.Len()+d.Holder.Len()+len(d.Expiry)+len(d.Reference)+len(d.IdempotencyKey))
	for name, value := range d.Metadata {
		n += 6*(len(name)+len(value)) + 8
	}
	return n
}

// State is what became of a registration.
type State string

// The states. Verified, Rejected and Failed are for good, but for Verified,
// which becomes Expired when the card's month is over.
const (
	Pending  State = "pending"  // not decided yet
	Verified State = "verified" // accepted: it has a token
	Rejected State = "rejected" // refused: it has a reason
	Failed   State = "failed"   // nobody decided in time
	Expired  State = "expired"  // was verified; the card's month is over
)

// Registered is the answer to a registration.
type Registered struct {
	ID    string `json:"registration_id"`
	State State  `json:"status"` // Pending; Status says what became of it
}

// Outcome is what became of a registration. Token to Code are there once it is
// verified, Reason once it is rejected or has failed.
type Outcome struct {
	ID     string `json:"registration_id"`
	State  State  `json:"status"`
	Reason string `json:"reason"`
	Token  string `json:"token"` // what to keep in the place of the number
	Brand  string `json:"brand"`
	Last4  string `json:"last4"`
	Expiry string `json:"expiry"`     // MM/YYYY
	Code   string `json:"cvv_status"` // what became of the security code
}

// Registration is a registration as lists show it.
type Registration struct {
	ID           string            `json:"registration_id"`
	Mode         string            `json:"mode"` // test or live
	State        State             `json:"status"`
	Reason       string            `json:"reason"`
	Flags        []string          `json:"flags"` // what the rules found odd
	Token        string            `json:"token"`
	Brand        string            `json:"brand"`
	BIN          string            `json:"bin"`
	Last4        string            `json:"last4"`
	Expiry       string            `json:"expiry"` // MM/YYYY
	Code         string            `json:"cvv_status"`
	Reference    string            `json:"reference"`
	Metadata     map[string]string `json:"metadata"`
	RegisteredBy string            `json:"registered_by"`
	CreatedAt    time.Time         `json:"created_at"`
	DecidedAt    time.Time         `json:"decided_at"` // zero until then
}

// Register registers a card, once, however often it has to be sent.
func (c *Client) Register(ctx context.Context, d CardData) (Registered, error) {
	key := d.IdempotencyKey
	if key == "" {
		key = rand.Text()
	}
	var made Registered
	err := c.ask(ctx, request{
		method: http.MethodPost, path: "/register", media: "application/json", key: key, repeat: true,
		make: func() ([]byte, error) { return d.appendJSON(make([]byte, 0, d.size()), "") },
	}, &made)
	return made, err
}

// Status says what became of a registration.
func (c *Client) Status(ctx context.Context, id string) (Outcome, error) {
	var o Outcome
	return o, c.ask(ctx, read("/status/"+url.PathEscape(id), nil), &o)
}

// Await asks for the status until it is no longer Pending or ctx ends, twice a
// second at most and less often the longer it takes. The built-in rules decide
// at once; only a firm's own endpoint takes its time. In a server, webhooks do
// better.
func (c *Client) Await(ctx context.Context, id string) (Outcome, error) {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		o, err := c.Status(ctx, id)
		if err != nil || o.State != Pending {
			return o, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return o, ctx.Err()
		}
	}
}

// Filter says which registrations are listed; what is zero does not matter.
type Filter struct {
	State     State
	Brand     string
	Reason    string
	Reference string
	Last4     string
	From, To  time.Time // To is not included
}

func (f Filter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"status": string(f.State), "brand": f.Brand, "reason": f.Reason, "reference": f.Reference,
		"last4": f.Last4, "from": timeText(f.From), "to": timeText(f.To),
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Registrations yields the registrations that a filter leaves, the newest
// first, and reads page after page as they are taken. An error is the last it
// yields.
func (c *Client) Registrations(ctx context.Context, f Filter) iter.Seq2[Registration, error] {
	return pages[Registration](ctx, c, "/v1/registrations", f.query())
}

// Registration returns one.
func (c *Client) Registration(ctx context.Context, id string) (Registration, error) {
	var r Registration
	return r, c.ask(ctx, read("/v1/registrations/"+url.PathEscape(id), nil), &r)
}

// DeleteRegistration erases a registration and what you said of it; its card
// and token stay.
func (c *Client) DeleteRegistration(ctx context.Context, id string) error {
	return c.ask(ctx, request{method: http.MethodDelete, path: "/v1/registrations/" + url.PathEscape(id)}, nil)
}

// read is a request that only looks.
func read(path string, query url.Values) request {
	return request{method: http.MethodGet, path: path, query: query, repeat: true}
}

// pageSize is the most the service gives at once.
const pageSize = 100

// pages yields a list, page by page.
func pages[T any](ctx context.Context, c *Client, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		query := maps.Clone(query) // each walk begins at the beginning
		query.Set("limit", strconv.Itoa(pageSize))
		for {
			var page struct {
				Data []T     `json:"data"`
				Next *string `json:"next_cursor"`
			}
			if err := c.ask(ctx, read(path, query), &page); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, one := range page.Data {
				if !yield(one, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			query.Set("cursor", *page.Next)
		}
	}
}
