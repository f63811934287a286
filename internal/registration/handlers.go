package registration

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/registration/ledger"
)

// The patterns of the creating routes, to which their idempotency keys belong.
const (
	registerRoute = "POST /register"
	bulkRoute     = "POST /v1/registrations/bulk"
)

func (s *Service) handleRegister(r *http.Request, in body) (jsontext.Value, error) {
	defer in.wipe()
	who, err := writerOf(r)
	if err != nil {
		return nil, err
	}
	key, err := idempotency.ParseKey(r.Header.Values(idempotency.Header))
	if err != nil {
		return nil, err
	}
	d, err := s.read(&in, who.mode)
	defer d.wipe()
	if err != nil {
		return nil, err
	}
	return s.register(r.Context(), request{who: who, d: d, route: registerRoute, key: key})
}

// handleStatus takes the id from the path, else from the query.
func (s *Service) handleStatus(r *http.Request, _ httpserver.None) (ledger.Status, error) {
	id := r.PathValue("registration_id")
	if id == "" {
		if id = r.URL.Query().Get("registration_id"); id == "" {
			return ledger.Status{}, problem.Validation("Name a registration by registration_id.")
		}
	}
	k, found, err := s.ledger.Find(r.Context(), callerOf(r).shelf(), id)
	if err != nil {
		return ledger.Status{}, err
	}
	return found.StatusOf(k, s.now()), nil
}

func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[ledger.Row], error) {
	f, err := ledger.ReadFilter(callerOf(r).shelf(), r.URL.Query())
	if err != nil {
		return listing.Page[ledger.Row]{}, err
	}
	return s.ledger.List(r.Context(), f, s.now())
}

// handleGet gives one as the list shows it.
func (s *Service) handleGet(r *http.Request, _ httpserver.None) (ledger.Row, error) {
	k, found, err := s.ledger.Find(r.Context(), callerOf(r).shelf(), r.PathValue("id"))
	if err != nil {
		return ledger.Row{}, err
	}
	return found.RowOf(k, s.now()), nil
}

func (s *Service) handleDelete(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	if err := s.delete(r.Context(), callerOf(r), r.PathValue("id")); err != nil {
		return httpserver.Message{}, err
	}
	return httpserver.Message{Message: "Registration deleted. Its card stays until it is deleted itself."}, nil
}
