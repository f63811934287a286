package portal

import (
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
)

// signedIn begins the view of a page of who is logged in: it says whose it is,
// and how long he stays so.
func (s *Service) signedIn(v page.View, who session.Session) page.View {
	v.Person, v.Stay = who.Person, who.Stay(v.Language, s.cfg.Idle)
	return v
}

// stay has the login service know that the person is still there, and tells the
// script until when that holds. Where the session has ended the answer leads to
// the page for logging in.
func (s *Service) stay(w http.ResponseWriter, r *http.Request, who session.Session) error {
	if _, err := s.services.Who(r, who.Token); err != nil {
		return err
	}
	left := who.Stay(s.pages.Language(r), s.cfg.Idle)
	return httpserver.WriteJSON(w, http.StatusOK, map[string]int{"seconds": left.Seconds})
}
