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
	return s.cfg.Sessions.Person(func(*http.Request) string { return "/cards" }, h)
}

// here is a page of ours, given as a path; anything else is the cards.
func here(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/cards"
	}
	return path
}

// passwordView begins the view of a page that asks for a password.
func (s *Service) passwordView(r *http.Request, key string) page.View {
	v := s.pages.View(r, key)
	v.Scripts = []string{"password.js"}
	return v
}

// explain is what the catalogue says of an error's code, nil when nothing.
func explain(l *page.Language, prefix string, err error) *page.Notice {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return nil
	}
	key := prefix + e.Code
	if text := l.T(key); text != key {
		return &page.Notice{Text: text}
	}
	return nil
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
