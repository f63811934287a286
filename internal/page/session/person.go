package session

import (
	"errors"
	"net/http"
	"net/url"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// Handler is a page of who is logged in.
type Handler func(w http.ResponseWriter, r *http.Request, who Session) error

// Person runs h for who is logged in; others log in first and come back, to home
// where they were about to send a form. A token the services no longer take ends
// the session.
func (j *Jar) Person(home string, h Handler) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, ok := j.Get(r)
		if !ok {
			return logInFirst(w, r, home)
		}
		err := h(w, r, who)
		if e, refused := errors.AsType[*problem.Error](err); refused && (e.Kind == problem.Unauthorized || e.Code == "TOKEN_EXPIRED") {
			j.Clear(w)
			return logInFirst(w, r, home)
		}
		return err
	}
}

func logInFirst(w http.ResponseWriter, r *http.Request, home string) error {
	next := home
	if r.Method == http.MethodGet {
		next = r.URL.Path
	}
	return page.Redirect(w, "/login?again=1&next="+url.QueryEscape(next))
}
