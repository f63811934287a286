package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
)

// sameOrigin refuses a form that another site sent.
func sameOrigin(h httpserver.Handler) httpserver.Handler {
	protection := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := protection.Check(r); err != nil {
			return problem.Denied("Send this form from its own page.").Because(err)
		}
		return h(w, r)
	}
}

// personHandler is a page of who is logged in.
type personHandler func(w http.ResponseWriter, r *http.Request, who session.Session) error

// person runs h for who is logged in; others log in first and come back. A
// token the services no longer take ends the session.
func (s *Service) person(h personHandler) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, ok := s.cfg.Sessions.Get(r)
		if !ok {
			return s.logInFirst(w, r)
		}
		err := h(w, r, who)
		if e, refused := errors.AsType[*problem.Error](err); refused && (e.Kind == problem.Unauthorized || e.Code == "TOKEN_EXPIRED") {
			s.cfg.Sessions.Clear(w)
			return s.logInFirst(w, r)
		}
		return err
	}
}

func (s *Service) logInFirst(w http.ResponseWriter, r *http.Request) error {
	next := "/cards"
	if r.Method == http.MethodGet {
		next = r.URL.Path
	}
	return redirect(w, "/login?again=1&next="+url.QueryEscape(next))
}

// redirect goes on to a page of ours after a form (RFC 9110 §15.4.4).
func redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
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
		return redirect(w, "/cards")
	}
	v := s.pages.View(r, "home.title")
	v.Data = s.cfg.PublicURL
	return s.pages.Render(w, http.StatusOK, "home.html", v)
}
