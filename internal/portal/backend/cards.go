package backend

import "net/http"

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
