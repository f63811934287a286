// Package people owns the routes under /api/firms: what people do to firms,
// their members and their clients, and which role each of it needs (decision
// B13).
//
// It keeps nothing and makes no change itself: package firm does, and records it.
// Who the caller is, package login finds out.
package people

import (
	"net/http"
	"time"

	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/problem"
)

// Config is what New needs.
type Config struct {
	Firms *firm.Service
	// Idempotency keeps the answers of requests that make something without a
	// secret (decision D5).
	Idempotency *idempotency.Keys
	Now         func() time.Time // default time.Now
}

// Service answers people.
type Service struct {
	firms *firm.Service
	keys  *idempotency.Keys
	now   func() time.Time
}

// New returns the routes for the people of cfg.Firms.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg.Firms, cfg.Idempotency, cfg.Now}
}

// Routes registers /api/firms/**.
func (s *Service) Routes(mux *httpserver.Mux) {
	created := httpserver.JSONOptions{Status: http.StatusCreated}
	own := func(h httpserver.Handler) httpserver.Handler { return httpserver.As(s.firms.Person, h) }

	mux.Handle("GET /api/firms", own(httpserver.JSON(s.getFirms)))
	mux.Handle("POST /api/firms", own(httpserver.JSON(s.postFirm, created)))
	mux.Handle("GET /api/firms/{firm}", own(httpserver.JSON(s.getFirm)))
	mux.Handle("PUT /api/firms/{firm}", own(httpserver.JSON(s.putFirm)))
	mux.Handle("POST /api/firms/{firm}/suspend", own(httpserver.JSON(s.postSuspend)))
	mux.Handle("POST /api/firms/{firm}/resume", own(httpserver.JSON(s.postResume)))

	mux.Handle("GET /api/firms/{firm}/audit", own(httpserver.JSON(s.getAudit)))
	mux.Handle("GET /api/firms/{firm}/members", own(httpserver.JSON(s.getMembers)))
	mux.Handle("POST /api/firms/{firm}/members", own(httpserver.JSON(s.postMember, created)))
	mux.Handle("PATCH /api/firms/{firm}/members/{member}", own(httpserver.JSON(s.patchMember)))
	mux.Handle("DELETE /api/firms/{firm}/members/{member}", own(httpserver.JSON(s.deleteMember)))

	mux.Handle("GET /api/firms/{firm}/clients", own(httpserver.JSON(s.getClients)))
	mux.Handle("POST /api/firms/{firm}/clients", own(httpserver.JSON(s.postClient, created)))
	mux.Handle("GET /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.getClient)))
	mux.Handle("PATCH /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.patchClient)))
	mux.Handle("DELETE /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.deleteClient)))
	mux.Handle("POST /api/firms/{firm}/clients/{client}/rotate", own(httpserver.JSON(s.postRotate)))
}

// right is what one thing a person may do asks of him.
type right struct {
	least     firm.Role // of a member
	operator  bool      // whether operators may, whose firm it is not
	suspended bool      // whether members may while the firm is suspended
}

// The rights there are. Operators see to it that a firm has an owner; its clients
// are none of theirs. What owners alone may do to owners is for package firm.
func mayRead() right          { return right{firm.Viewer, true, true} }
func mayRename() right        { return right{firm.Admin, false, false} }
func mayAudit() right         { return right{firm.Admin, true, true} }
func mayChangeMembers() right { return right{firm.Admin, true, false} }
func mayLeave() right         { return right{firm.Viewer, true, true} }
func mayReadClients() right   { return right{firm.Viewer, false, true} }
func mayUseClients() right    { return right{firm.Admin, false, false} }

// check reports whether somebody has the right; its error is FORBIDDEN.
func (r right) check(w firm.Standing) error {
	switch {
	case w.Operator && r.operator:
		return nil
	case w.Role.Rank() < r.least.Rank():
		return problem.Denied("This needs another role in the firm.")
	case w.Firm.Suspended && !r.suspended:
		return problem.Denied("The firm is suspended.")
	}
	return nil
}

// stand finds out how the caller stands to the firm in the path and whether that
// gives him a right.
func (s *Service) stand(r *http.Request, needs right) (firm.Standing, error) {
	w, err := s.firms.Stand(r.Context(), firm.CallerOf(r), r.PathValue("firm"))
	if err == nil {
		err = needs.check(w)
	}
	return w, err
}

// needOperator is FORBIDDEN for who is none.
func (s *Service) needOperator(r *http.Request) error {
	is, err := s.firms.Operators().Is(r.Context(), identity.FromContext(r.Context()).Subject)
	if err == nil && !is {
		err = problem.Denied("This is for operators.")
	}
	return err
}
