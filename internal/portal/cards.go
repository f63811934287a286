package portal

import (
	"net/http"

	"ccms/internal/portal/session"
)

func (s *Service) cards(w http.ResponseWriter, r *http.Request, who session.Session) error {
	cards, err := s.services.Cards(r, who.Token)
	if err != nil {
		return err
	}
	v := s.pages.View(r, "cards.title")
	v.Person, v.Data = who.Person, cards
	return s.pages.Render(w, http.StatusOK, "cards.html", v)
}
