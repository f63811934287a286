package cardform

import (
	"net/http"

	"ccms/internal/page/cardfields"
	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// The modes of links (decision D6).
const (
	redirectMode = "redirect"
	embedMode    = "embed"
)

// link is what the card service says of a one-time link.
type link struct {
	Firm         string   `json:"firm"` // its name
	Mode         string   `json:"mode"` // redirect, embed or link
	Environment  string   `json:"environment"`
	State        string   `json:"state"` // open, used, expired or revoked
	Reference    string   `json:"reference"`
	ReturnURL    string   `json:"return_url"`
	Origin       string   `json:"origin"`
	Brands       []string `json:"brands"`       // ids of those the firm accepts; none means all
	Registration *outcome `json:"registration"` // of a used link: id and status

	framed bool // it is shown in a frame, as far as one can tell
}

// leadsBack reports whether the person goes back to the firm on his own.
func (k link) leadsBack() bool { return k.Mode == redirectMode || k.ReturnURL != "" && !k.framed }

// outcome is what became of a card.
type outcome struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`
	Brand  string `json:"brand,omitzero"`
	Last4  string `json:"last4,omitzero"`
	Expiry string `json:"expiry,omitzero"` // MM/YYYY
}

func (s *Service) open(r *http.Request) (link, error) {
	var out link
	err := s.up.Ask(r, upstream.Call{
		Method: http.MethodPost, Service: upstream.Cards, Path: "/internal/links/open", Out: &out,
		Body: upstream.Object(upstream.Member{Name: "secret", Value: r.PathValue("secret")}),
	})
	// Where the frame does not load, the firm's page links to this one.
	out.framed = out.Mode == embedMode && r.Header.Get("Sec-Fetch-Dest") != "document"
	return out, err
}

func (s *Service) submit(r *http.Request, c cardfields.Card, name secret.Bytes) (outcome, error) {
	var out outcome
	err := s.up.Ask(r, upstream.Call{
		Method: http.MethodPost, Service: upstream.Cards, Path: "/internal/links/submit", Out: &out,
		Body: upstream.Object(
			upstream.Member{Name: "secret", Value: r.PathValue("secret")},
			upstream.Member{Name: "card_number", Value: c.Number}, upstream.Member{Name: "expiry_date", Value: c.Expiry.String()},
			upstream.Member{Name: "cvv", Value: c.Code}, upstream.Member{Name: "cardholder_name", Value: name},
		),
	})
	return out, err
}
