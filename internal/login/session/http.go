package session

import (
	"net/http"
	"net/url"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/login/trail"
	"ccms/internal/problem"
)

// Routes registers what is asked of tokens and sessions (contract section 2,
// decisions B10 and B12).
func (s *Sessions) Routes(mux *httpserver.Mux) {
	own := func(h httpserver.Handler) httpserver.Handler { return httpserver.As(s.Authenticate, h) }

	mux.Handle("GET /api/customer/jwt/validate", httpserver.JSON(s.getValidate))
	mux.Handle("POST /api/customer/logout", httpserver.JSON(s.postLogout))
	mux.Handle("GET /api/account/sessions", own(httpserver.JSON(s.getSessions)))
	mux.Handle("DELETE /api/account/sessions", own(httpserver.JSON(s.deleteSessions)))
	mux.Handle("GET /api/account/sessions/{id}", own(httpserver.JSON(s.getSession)))
	mux.Handle("DELETE /api/account/sessions/{id}", own(httpserver.JSON(s.deleteSession)))
}

// Authenticate is Check of the Bearer token that came with r.
func (s *Sessions) Authenticate(r *http.Request) (identity.Principal, error) {
	return s.Check(r.Context(), httpserver.Bearer(r))
}

// validity is the answer to the question whether a person's token is good
// (decision B12).
type validity struct {
	Valid     bool   `json:"valid"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	Validated bool   `json:"accountValidated"`
	Scope     string `json:"scope"`
	Expires   int64  `json:"exp"`
}

// clientValidity is the same of a client's; one of the operators' has no firm.
type clientValidity struct {
	Valid    bool   `json:"valid"`
	FirmID   string `json:"firm_id"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Expires  int64  `json:"exp"`
}

func (s *Sessions) getValidate(r *http.Request, _ httpserver.None) (any, error) {
	p, err := s.checkAny(r.Context(), tokenOf(r))
	if err != nil {
		return nil, err
	}
	scope := strings.Join(p.Scope, " ")
	if p.ClientID != "" {
		return clientValidity{true, p.FirmID, p.ClientID, scope, p.Expires.Unix()}, nil
	}
	return validity{true, p.Username, p.Email, p.Validated, scope, p.Expires.Unix()}, nil
}

// tokenOf is the Bearer token, or, for older callers, the one in the query.
func tokenOf(r *http.Request) string {
	if r.Header.Get("Authorization") != "" || r.URL.RawQuery == "" {
		return httpserver.Bearer(r)
	}
	return r.URL.Query().Get("token")
}

func (s *Sessions) postLogout(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	all, err := allSessions(r.URL.Query())
	if err == nil {
		err = s.logOut(r.Context(), trail.CallerOf(r), httpserver.Bearer(r), all)
	}
	return httpserver.Message{Message: "Logged out."}, err
}

func allSessions(q url.Values) (bool, error) {
	switch q.Get("all") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, problem.Validation("Set all to true or false.")
}

func (s *Sessions) getSessions(r *http.Request, _ httpserver.None) ([]View, error) {
	return s.List(r.Context(), identity.FromContext(r.Context()))
}

func (s *Sessions) deleteSessions(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := s.endAll(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()).Subject)
	return httpserver.Message{Message: "All sessions were ended."}, err
}

func (s *Sessions) getSession(r *http.Request, _ httpserver.None) (View, error) {
	return s.get(r.Context(), identity.FromContext(r.Context()), r.PathValue("id"))
}

func (s *Sessions) deleteSession(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := s.endOwn(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()), r.PathValue("id"))
	return httpserver.Message{Message: "The session was ended."}, err
}
