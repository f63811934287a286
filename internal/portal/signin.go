package portal

import (
	"net/http"
	"time"

	"ccms/internal/page"
	"ccms/internal/page/session"
)

// entry is the data of pages that are one form.
type entry struct {
	Form *page.Form
	Done string // what was just done
	Next string // the page to go on to
}

func logInFields(l *page.Language, email string) *page.Form {
	return l.NewForm(
		&page.Field{ID: "email", Label: l.T("field.email"), Type: "email", Autocomplete: "username", Value: email, Code: true},
		&page.Field{ID: "password", Label: l.T("field.password"), Type: "password", Autocomplete: "current-password"},
	)
}

func (s *Service) logInForm(w http.ResponseWriter, r *http.Request) error {
	v := s.passwordView(r, "login.title")
	e := entry{Form: logInFields(v.Language, ""), Next: here(r.URL.Query().Get("next"))}
	q := r.URL.Query()
	done := "login.done." + q.Get("done")
	if text := v.T(done); text != done {
		e.Done = text
	}
	if q.Has("again") {
		e.Done = v.T("login.again")
	}
	v.Data = e
	return s.pages.Render(w, http.StatusOK, "login.html", v)
}

func (s *Service) logIn(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	v := s.passwordView(r, "login.title")
	email, password := posted.Text("email"), posted.Secret("password")
	e := entry{Form: logInFields(v.Language, email), Next: here(posted.Text("next"))}
	if email == "" {
		e.Form.Field("email").Error = v.T("field.email.empty")
	}
	if password.Len() == 0 {
		e.Form.Field("password").Error = v.T("field.password.empty")
	}
	if len(e.Form.Wrong()) == 0 {
		token, err := s.services.LogIn(r, email, password)
		if err == nil {
			return s.enter(w, r, token, e.Next)
		}
		if e.Form.Notice = explain(v.Language, "login.", err); e.Form.Notice == nil {
			return err
		}
	}
	v.Error, v.Data = true, e
	return s.pages.Render(w, http.StatusBadRequest, "login.html", v)
}

// enter begins a session.
func (s *Service) enter(w http.ResponseWriter, r *http.Request, token, next string) error {
	who, err := s.services.Who(r, token)
	if err != nil {
		return err
	}
	if err := s.cfg.Sessions.Set(w, session.Session{Token: token, Person: who.Username, Expires: time.Unix(who.Expires, 0)}); err != nil {
		return err
	}
	return page.Redirect(w, next)
}

// logOut ends the session here and, while it is reachable, at the login
// service.
func (s *Service) logOut(w http.ResponseWriter, r *http.Request) error {
	who, ok := s.cfg.Sessions.Get(r)
	s.cfg.Sessions.Clear(w)
	if ok {
		if err := s.services.LogOut(r, who.Token); err != nil {
			return err
		}
	}
	return page.Redirect(w, "/login")
}
