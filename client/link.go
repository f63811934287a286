package client

import (
	"context"
	"net/http"
	"time"
)

// NewLink is a one-time link to be made: a page of ours on which a person enters
// a card, so that its number never reaches you.
type NewLink struct {
	Mode      string        // "redirect" there and back, "embed" in your page, "link" to be sent
	Reference string        // yours; goes into the registration
	ReturnURL string        // to redirect; on the client's list
	Origin    string        // to embed; on the client's list
	ExpiresIn time.Duration // default 30 min, of a link to be sent 24 h
}

// Link is a one-time link. Its URL is shown in this answer only, and whoever has
// it may register one card.
type Link struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// CreateLink makes a one-time link. It is sent once: after a broken connection
// make another, the one before expires by itself. Needs cards:register.
func (c *Client) CreateLink(ctx context.Context, in NewLink) (Link, error) {
	var l Link
	return l, c.ask(ctx, write(http.MethodPost, "/v1/links", struct {
		Mode      string `json:"mode"`
		Reference string `json:"reference,omitempty"`
		ReturnURL string `json:"return_url,omitempty"`
		Origin    string `json:"origin,omitempty"`
		ExpiresIn int64  `json:"expires_in,omitempty"`
	}{in.Mode, in.Reference, in.ReturnURL, in.Origin, int64(in.ExpiresIn / time.Second)}), &l)
}
