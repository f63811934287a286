package portal

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/portal/backend"
	"ccms/internal/portal/session"
	"ccms/internal/problem"
)

// entry is the data of login.html and signup.html.
type entry struct {
	Form   *page.Form
	Notice string // what went wrong that no field can mend
	Next   string // the page to go on to
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
	return redirect(w, "/login?next="+next)
}

func (s *Service) logInFields(l *page.Language, email string) *page.Form {
	return l.NewForm(
		&page.Field{ID: "email", Label: l.T("field.email"), Type: "email", Autocomplete: "username", Value: email, Code: true},
		&page.Field{ID: "password", Label: l.T("field.password"), Type: "password", Autocomplete: "current-password"},
	)
}

func (s *Service) logInForm(w http.ResponseWriter, r *http.Request) error {
	v := s.pages.View(r, "login.title")
	v.Data = entry{Form: s.logInFields(v.Language, ""), Next: here(r.URL.Query().Get("next"))}
	return s.pages.Render(w, http.StatusOK, "login.html", v)
}

func (s *Service) logIn(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	v := s.pages.View(r, "login.title")
	email, password := posted.Text("email"), posted.Secret("password")
	e := entry{Form: s.logInFields(v.Language, email), Next: here(posted.Text("next"))}
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
		if e.Notice = explain(v.Language, "login.", err); e.Notice == "" {
			return err
		}
	}
	v.Error, v.Data = true, e
	return s.pages.Render(w, http.StatusBadRequest, "login.html", v)
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

// sessionLife bounds a session from above; the token's own life and the login
// service's idle limit end it earlier.
const sessionLife = 24 * time.Hour

// enter begins a session.
func (s *Service) enter(w http.ResponseWriter, r *http.Request, token, next string) error {
	account, err := s.services.Account(r, token)
	if err != nil {
		return err
	}
	if err := s.cfg.Sessions.Set(w, session.Session{Token: token, Person: account.Username, Expires: time.Now().Add(sessionLife)}); err != nil {
		return err
	}
	return redirect(w, next)
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
	return redirect(w, "/login")
}

func (s *Service) signUpFields(l *page.Language, p backend.Person) *page.Form {
	return l.NewForm(
		&page.Field{ID: "username", Label: l.T("field.username"), Hint: l.T("field.username.hint"), Autocomplete: "username", Value: p.Username, Code: true},
		&page.Field{ID: "first", Label: l.T("field.first"), Autocomplete: "given-name", Value: p.First},
		&page.Field{ID: "last", Label: l.T("field.last"), Autocomplete: "family-name", Value: p.Last},
		&page.Field{ID: "email", Label: l.T("field.email"), Hint: l.T("field.email.hint"), Type: "email", Autocomplete: "email", Value: p.Email, Code: true},
		&page.Field{ID: "password", Label: l.T("field.password"), Hint: l.T("field.password.hint"), Type: "password", Autocomplete: "new-password"},
	)
}

func (s *Service) signUpForm(w http.ResponseWriter, r *http.Request) error {
	v := s.pages.View(r, "signup.title")
	v.Data = entry{Form: s.signUpFields(v.Language, backend.Person{})}
	return s.pages.Render(w, http.StatusOK, "signup.html", v)
}

func (s *Service) signUp(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	p := backend.Person{
		Username: posted.Text("username"), First: posted.Text("first"), Last: posted.Text("last"), Email: posted.Text("email"), Password: posted.Secret("password"),
	}
	v := s.pages.View(r, "signup.title")
	e := entry{Form: s.signUpFields(v.Language, p)}
	for _, f := range e.Form.Fields {
		if posted.Secret(f.ID).Len() == 0 {
			f.Error = v.T("field." + f.ID + ".empty")
		}
	}
	if len(e.Form.Wrong()) == 0 {
		err := s.services.SignUp(r, p)
		if err == nil {
			done := s.pages.View(r, "signup.done")
			done.Data = p.Email
			return s.pages.Render(w, http.StatusOK, "check-mail.html", done)
		}
		if !s.blame(e.Form, v.Language, err) {
			return err
		}
	}
	v.Error, v.Data = true, e
	return s.pages.Render(w, http.StatusBadRequest, "signup.html", v)
}

// blame puts an error of sign-up to the field it is about, and reports whether
// there is one.
func (s *Service) blame(f *page.Form, l *page.Language, err error) bool {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return false
	}
	id, ok := map[string]string{"INVALID_EMAIL": "email", "EMAIL_EXISTS": "email", "WEAK_PASSWORD": "password", "USERNAME_EXISTS": "username", "INVALID_REQUEST": "username"}[e.Code]
	if ok {
		f.Field(id).Error = l.T("signup." + e.Code)
	}
	return ok
}
