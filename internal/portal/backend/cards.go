package backend

import (
	"net/http"
	"net/url"

	"ccms/internal/secret"
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
	err := b.ask(r, call{method: http.MethodGet, service: Cards, path: "/api/creditcards", token: token, out: &out})
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
	return b.ask(r, call{method: http.MethodPost, service: Cards, path: "/api/customer/creditcard", token: token, key: c.Key, body: object(
		member{"cardNumber", c.Number}, member{"cvv", c.Code}, member{"expiryMonth", c.Month}, member{"expiryYear", c.Year},
	)})
}

// Toggle switches a card off or on and returns it.
func (b *Backend) Toggle(r *http.Request, token, card string) (Card, error) {
	var out Card
	err := b.ask(r, call{method: http.MethodPut, service: Cards, path: "/api/customer/creditcard/" + url.PathEscape(card) + "/toggle", token: token, out: &out})
	return out, err
}

// DeleteCard deletes a card.
func (b *Backend) DeleteCard(r *http.Request, token, card string) error {
	return b.ask(r, call{method: http.MethodDelete, service: Cards, path: "/api/customer/creditcard/" + url.PathEscape(card), token: token})
}

// RestoreCard undoes a deletion.
func (b *Backend) RestoreCard(r *http.Request, token, card string) error {
	return b.ask(r, call{method: http.MethodPost, service: Cards, path: "/api/customer/creditcard/" + url.PathEscape(card) + "/restore", token: token})
}
