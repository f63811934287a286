package session

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// Handler is a page of who is logged in.
type Handler func(w http.ResponseWriter, r *http.Request, who Session) error

// defaultIdle is the default of login.session-idle.
const defaultIdle = 15 * time.Minute

// Stay is how long a session lasts when nothing is asked for. The login service
// ends it after idle (0: 15 minutes), and records its use at most every tenth of
// that, so it may end that much earlier. The token's own end comes first where it
// is nearer, and nothing puts it off.
func (s Session) Stay(l *page.Language, idle time.Duration) *page.Stay {
	if idle == 0 {
		idle = defaultIdle
	}
	idle, token := idle-idle/10, time.Until(s.Expires)
	return l.NewStay(min(idle, token), token < idle)
}

// Person runs h for who is logged in; others log in first and come back, to what
// home says of the request where they were about to send a form. A token the
// services no longer take ends the session.
func (j *Jar) Person(home func(*http.Request) string, h Handler) httpserver.Handler {
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

func logInFirst(w http.ResponseWriter, r *http.Request, home func(*http.Request) string) error {
	var next string
	if r.Method == http.MethodGet {
		next = Asked(r.URL)
	} else {
		next = home(r)
	}
	return page.Redirect(w, "/login?again=1&next="+url.QueryEscape(next))
}

// Asked is the page that was asked for, as a path with its query, without what
// that says was just done.
func Asked(u *url.URL) string {
	q := u.Query()
	q.Del("done")
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: q.Encode()}).String()
}
