package creditcard

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
)

// addRoute is the pattern of card add, which is also the route its idempotency
// keys belong to.
const addRoute = "POST /api/customer/creditcard"

func (s *Service) handleAdd(r *http.Request, in addBody) (jsontext.Value, error) {
	defer in.wipe()
	key, err := idempotency.ParseKey(r.Header.Values(idempotency.Header))
	if err != nil {
		return nil, err
	}
	d, err := s.read(in)
	defer d.wipe()
	if err != nil {
		return nil, err
	}
	return s.add(r.Context(), callerOf(r), d, key)
}

// handleActive is contract section 3.2: no card is a 404 there.
func (s *Service) handleActive(r *http.Request, _ httpserver.None) ([]Card, error) {
	cards, err := s.handleList(r, httpserver.None{})
	if err == nil && len(cards) == 0 {
		return nil, noCards()
	}
	return cards, err
}

func (s *Service) handleList(r *http.Request, _ httpserver.None) ([]Card, error) {
	h, err := s.holder(r.Context(), identity.FromContext(r.Context()).Subject)
	return h.list(), err
}

func (s *Service) handleDelete(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	v, ok := parsePath(r.PathValue("creditCardNumber"))
	if !ok {
		return httpserver.Message{}, cardNotFound()
	}
	if _, err := s.change(r.Context(), callerOf(r), v, s.deletion()); err != nil {
		return httpserver.Message{}, err
	}
	return httpserver.Message{Message: "Credit card deleted. This can be undone for ten minutes."}, nil
}

func (s *Service) handleToggle(r *http.Request, _ httpserver.None) (Card, error) {
	v, ok := parsePath(r.PathValue("creditCardNumber"))
	if !ok {
		return Card{}, cardNotFound()
	}
	return s.change(r.Context(), callerOf(r), v, s.toggling())
}

// handleRestore takes the id or the token: a number could name several deleted
// cards.
func (s *Service) handleRestore(r *http.Request, _ httpserver.None) (Card, error) {
	v, ok := parsePath(r.PathValue("id"))
	if !ok || v.number != nil {
		return Card{}, cardNotFound()
	}
	return s.change(r.Context(), callerOf(r), v, s.restoration())
}

// handleErase is asked by the login service when an account goes (decision
// B10); it may be asked again.
func (s *Service) handleErase(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	if err := s.eraseHolder(r.Context(), serviceCaller(r)); err != nil {
		return httpserver.Message{}, err
	}
	return httpserver.Message{Message: "The cardholder's cards are erased."}, nil
}

// handleExport gives every card that is kept, deleted ones too, for the export
// of a person's data.
func (s *Service) handleExport(r *http.Request, _ httpserver.None) ([]Card, error) {
	return s.export(r.Context(), serviceCaller(r))
}

// serviceCaller is the caller of an internal route: another service of this
// deployment, for the customer the path names.
func serviceCaller(r *http.Request) caller {
	return caller{
		id: r.PathValue("id"), actor: "service:" + httpserver.Proof(r),
		from: httpserver.Client(r).String(), request: httpserver.RequestID(r.Context()),
	}
}
