package backend

import (
	"net/http"
	"net/url"

	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Card is the card object of decision C7.
type Card struct {
	ID          int64  `json:"creditCardId"`
	Number      string `json:"creditCardNumber"` // masked
	Token       string `json:"token"`
	ExpiryMonth int    `json:"expiryMonth"`
	ExpiryYear  int    `json:"expiryYear"`
	Vendor      string `json:"wireTransactionVendor"`
	Status      string `json:"status"`
}

// Cards returns a person's cards, oldest first.
func (b *Backend) Cards(r *http.Request, token string) ([]Card, error) {
	var out []Card
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Cards, Path: "/api/creditcards", Token: token, Out: &out})
	return out, err
}

// NewCard is a card to be added.
type NewCard struct {
	Number, Code secret.Bytes
	Month, Year  int
	Key          string // makes a form that is sent twice one card
}

// AddCard adds a card.
func (b *Backend) AddCard(r *http.Request, token string, c NewCard) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Cards, Path: "/api/customer/creditcard", Token: token, Header: map[string]string{"Idempotency-Key": c.Key}, Body: upstream.Object(
		upstream.Field("cardNumber", c.Number), upstream.Field("cvv", c.Code), upstream.Field("expiryMonth", c.Month), upstream.Field("expiryYear", c.Year),
	)})
}

// Toggle switches a card off or on and returns it.
func (b *Backend) Toggle(r *http.Request, token, card string) (Card, error) {
	var out Card
	err := b.up.Ask(r, upstream.Call{Method: http.MethodPut, Service: upstream.Cards, Path: "/api/customer/creditcard/" + url.PathEscape(card) + "/toggle", Token: token, Out: &out})
	return out, err
}

// DeleteCard deletes a card.
func (b *Backend) DeleteCard(r *http.Request, token, card string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodDelete, Service: upstream.Cards, Path: "/api/customer/creditcard/" + url.PathEscape(card), Token: token})
}

// RestoreCard undoes a deletion.
func (b *Backend) RestoreCard(r *http.Request, token, card string) error {
	return b.up.Ask(r, upstream.Call{Method: http.MethodPost, Service: upstream.Cards, Path: "/api/customer/creditcard/" + url.PathEscape(card) + "/restore", Token: token})
}
