package portal

import (
	"errors"
	"net/http"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
)

// person runs h for who is logged in.
func (s *Service) person(h session.Handler) httpserver.Handler {
	return s.cfg.Sessions.Person("/cards", h)
}

// here is a page of ours, given as a path; anything else is the cards.
func here(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/cards"
	}
	return path
}

// explain is what the catalogue says of an error's code, "" when nothing.
func explain(l *page.Language, prefix string, err error) string {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return ""
	}
	key := prefix + e.Code
	if text := l.T(key); text != key {
		return text
	}
	return ""
}

// home is the first page; who is logged in goes on to his cards.
func (s *Service) home(w http.ResponseWriter, r *http.Request) error {
	if _, ok := s.cfg.Sessions.Get(r); ok {
		return page.Redirect(w, "/cards")
	}
	v := s.pages.View(r, "home.title")
	v.Data = s.cfg.PublicURL
	return s.pages.Render(w, http.StatusOK, "home.html", v)
}
