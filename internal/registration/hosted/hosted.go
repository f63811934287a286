// Package hosted owns the internal routes behind the hosted card form: what a
// one-time link says, and a card that a person entered for it. It connects
// package link, which knows what a link is good for, with package registration,
// which takes the card; the pages are package cardform's, in the portal.
//
// The secret of a link stands in the body, not in the URL: URLs are kept in
// many places.
package hosted

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/registration"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/link"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
)

// Links are the one-time links; *link.Service is.
type Links interface {
	Open(ctx context.Context, secret string) (link.View, error)
	Submit(ctx context.Context, secret string, register func(context.Context, link.Submission) error) error
}

// Registrations are where cards go; *registration.Service is.
type Registrations interface {
	Submit(ctx context.Context, in registration.Submission) error
	Status(ctx context.Context, firm, mode, id string) (ledger.Status, error)
	Accepts(ctx context.Context, firm, mode string) ([]string, error)
}

// Config is what New needs.
type Config struct {
	Links         Links
	Registrations Registrations
	// FirmName is what people know a firm by. Its errors are answered as they
	// are.
	FirmName func(ctx context.Context, firm string) (string, error)
}

// Service is safe for concurrent use.
type Service struct{ c Config }

// New returns a service that keeps nothing itself.
func New(c Config) *Service { return &Service{c} }

// Routes registers the routes, which are for our own services alone.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("POST /internal/links/open", httpserver.Internal(httpserver.JSON(s.handleOpen)))
	mux.Handle("POST /internal/links/submit", httpserver.Internal(httpserver.JSON(s.handleSubmit)))
}

// opening is the body of POST /internal/links/open.
type opening struct {
	Secret string `json:"secret"`
}

// opened is a link as the page behind it needs it.
type opened struct {
	Firm         string     `json:"firm"` // its name
	Mode         string     `json:"mode"` // redirect, embed or link
	Environment  string     `json:"environment"`
	State        link.State `json:"state"`
	Reference    string     `json:"reference,omitzero"`
	ReturnURL    string     `json:"return_url,omitzero"`
	Origin       string     `json:"origin,omitzero"`
	Brands       []string   `json:"brands,omitempty"`       // ids of those the firm accepts; none means all
	Registration *outcome   `json:"registration,omitempty"` // of a used link: id and status
}

// outcome is what became of a card. Of the card itself it says what a receipt
// may show (PCI DSS 3.4.1), and only to who entered it.
type outcome struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`
	Brand  string `json:"brand,omitzero"`
	Last4  string `json:"last4,omitzero"`
	Expiry string `json:"expiry,omitzero"` // MM/YYYY
}

func (s *Service) handleOpen(r *http.Request, in opening) (opened, error) {
	ctx := r.Context()
	v, err := s.c.Links.Open(ctx, in.Secret)
	if err != nil {
		return opened{}, err
	}
	name, err := s.c.FirmName(ctx, v.FirmID)
	if err != nil {
		return opened{}, err
	}
	out := opened{
		Firm: name, Mode: string(v.Kind), Environment: v.Mode, State: v.State,
		Reference: v.Reference, ReturnURL: v.ReturnURL, Origin: v.Origin,
	}
	switch v.State {
	case link.Ready:
		out.Brands, err = s.c.Registrations.Accepts(ctx, v.FirmID, v.Mode)
	case link.Used:
		out.Registration, err = s.ended(ctx, v)
	}
	return out, err
}

// ended is what a used link ended in; nil when the firm deleted that.
func (s *Service) ended(ctx context.Context, v link.View) (*outcome, error) {
	status, err := s.c.Registrations.Status(ctx, v.FirmID, v.Mode, v.RegistrationID)
	if errors.Is(err, ledger.NotFound()) {
		return nil, nil
	}
	return &outcome{ID: status.ID, Status: status.Status}, err
}

// entered is the body of POST /internal/links/submit: a card as it was typed.
type entered struct {
	Secret string       `json:"secret"`
	Number secret.Bytes `json:"card_number"`
	Expiry string       `json:"expiry_date"`
	CVV    card.Code    `json:"cvv"`
	Name   secret.Bytes `json:"cardholder_name"`
}

func (in entered) wipe() {
	in.Number.Wipe()
	in.CVV.Wipe()
	in.Name.Wipe()
}

func (s *Service) handleSubmit(r *http.Request, in entered) (outcome, error) {
	defer in.wipe()
	var made link.Submission
	err := s.c.Links.Submit(r.Context(), in.Secret, func(ctx context.Context, of link.Submission) error {
		made = of
		return s.c.Registrations.Submit(ctx, registration.Submission{
			ID: of.RegistrationID, FirmID: of.FirmID, Mode: of.Mode, Actor: of.ID, From: httpserver.Client(r).String(),
			Number: in.Number, Expiry: in.Expiry, Code: in.CVV, Name: in.Name, Reference: of.Reference,
		})
	})
	if err != nil {
		return outcome{}, err
	}
	status, err := s.c.Registrations.Status(r.Context(), made.FirmID, made.Mode, made.RegistrationID)
	if err != nil {
		// The card is registered: nothing that fails now may say otherwise.
		return outcome{ID: made.RegistrationID, Status: verification.Pending}, nil
	}
	return outcome{status.ID, status.Status, status.Brand, status.Last4, status.Expiry}, nil
}
