package portal

import (
	"net/http"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
)

// defaultIdle is the default of login.session-idle.
const defaultIdle = 15 * time.Minute

// signedIn begins the view of a page of who is logged in: it says whose it is,
// and how long he stays so.
func (s *Service) signedIn(v page.View, who session.Session) page.View {
	v.Person, v.Stay = who.Person, s.left(v.Language, who)
	return v
}

// left is how long a session lasts when nothing is asked for. The login service
// records its use at most every tenth of the limit, so it may end that much
// earlier. The token's own end comes first where it is nearer, and nothing puts
// it off.
func (s *Service) left(l *page.Language, who session.Session) *page.Stay {
	idle, token := s.cfg.Idle-s.cfg.Idle/10, time.Until(who.Expires)
	return l.NewStay(min(idle, token), token < idle)
}

// stay has the login service know that the person is still there, and tells the
// script until when that holds. Where the session has ended the answer leads to
// the page for logging in.
func (s *Service) stay(w http.ResponseWriter, r *http.Request, who session.Session) error {
	if _, err := s.services.Who(r, who.Token); err != nil {
		return err
	}
	left := s.left(s.pages.Language(r), who)
	return httpserver.WriteJSON(w, http.StatusOK, map[string]int{"seconds": left.Seconds})
}
