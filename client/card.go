package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// Card is a card as its firm sees it. Needs the scope cards:read.
type Card struct {
	Token     string    `json:"token"`
	Mode      string    `json:"mode"`   // test or live
	Status    string    `json:"status"` // Enabled or Disabled
	Brand     string    `json:"brand"`
	BIN       string    `json:"bin"`
	Last4     string    `json:"last4"`
	Expiry    string    `json:"expiry"` // MM/YYYY
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// The states of a card; a disabled one cannot be revealed.
const (
	Enabled  = "enabled"
	Disabled = "disabled"
)

// Card returns the card of a token; one that is unknown, another firm's or
// erased is 404 NOT_FOUND.
func (c *Client) Card(ctx context.Context, token string) (Card, error) {
	var card Card
	return card, c.ask(ctx, read(cardPath(token), nil), &card)
}

// Cards yields the firm's cards, the newest first, page after page as they are
// taken. An error is the last it yields.
func (c *Client) Cards(ctx context.Context) iter.Seq2[Card, error] {
	return pages[Card](ctx, c, "/v1/cards", url.Values{})
}

// SetCardStatus makes a card Enabled or Disabled; needs cards:manage.
func (c *Client) SetCardStatus(ctx context.Context, token, status string) (Card, error) {
	var card Card
	return card, c.ask(ctx, write(http.MethodPatch, cardPath(token), map[string]string{"status": status}), &card)
}

// DeleteCard erases a card for good; needs cards:manage.
func (c *Client) DeleteCard(ctx context.Context, token string) error {
	return c.ask(ctx, request{method: http.MethodDelete, path: cardPath(token)}, nil)
}

// Revealed is a card in the clear. Wipe it as soon as it was used.
type Revealed struct {
	Number Secret `json:"card_number"`     // digits
	Expiry string `json:"expiry_date"`     // MM/YYYY
	Holder Secret `json:"cardholder_name"` // UTF-8
}

// Wipe overwrites number and name.
func (r *Revealed) Wipe() {
	r.Number.Wipe()
	r.Holder.Wipe()
}

// Reveal hands a number back. The reason, up to 200 characters, goes on record;
// so does every try, which is why none is repeated. Needs cards:reveal.
func (c *Client) Reveal(ctx context.Context, token, reason string) (Revealed, error) {
	var r Revealed
	return r, c.ask(ctx, write(http.MethodPost, cardPath(token)+"/reveal", map[string]string{"reason": reason}), &r)
}

func cardPath(token string) string { return "/v1/cards/" + url.PathEscape(token) }

// write is a request with a body of JSON that holds no card data.
func write(method, path string, in any) request {
	return request{
		method: method, path: path, media: "application/json",
		make: func() ([]byte, error) { return json.Marshal(in) },
	}
}
