// Package backend owns what the cardholder's pages ask of the login and the card
// service: one method per question, in the words of the contract. It keeps
// nothing.
package backend

import "ccms/internal/upstream"

// Backend is safe for concurrent use.
type Backend struct{ up *upstream.Client }

// New returns a Backend that asks through up.
func New(up *upstream.Client) *Backend { return &Backend{up} }
