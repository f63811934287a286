package portal

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"time"

	"ccms/internal/page"
	"ccms/internal/portal/backend"
	"ccms/internal/problem"
)

func signUpFields(l *page.Language, p backend.Person) *page.Form {
	return l.NewForm(
		&page.Field{ID: "username", Label: l.T("field.username"), Hint: l.T("field.username.hint"), Autocomplete: "username", Value: p.Username, Code: true},
		&page.Field{ID: "first", Label: l.T("field.first"), Autocomplete: "given-name", Value: p.First},
		&page.Field{ID: "last", Label: l.T("field.last"), Autocomplete: "family-name", Value: p.Last},
		&page.Field{ID: "email", Label: l.T("field.email"), Hint: l.T("field.email.hint"), Type: "email", Autocomplete: "email", Value: p.Email, Code: true},
		&page.Field{ID: "password", Label: l.T("field.password"), Hint: l.T("field.password.hint"), Type: "password", Autocomplete: "new-password"},
	)
}

func (s *Service) signUpForm(w http.ResponseWriter, r *http.Request) error {
	v := s.passwordView(r, "signup.title")
	v.Data = entry{Form: signUpFields(v.Language, backend.Person{})}
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
	v := s.passwordView(r, "signup.title")
	e := entry{Form: signUpFields(v.Language, p)}
	for _, f := range e.Form.Fields {
		if posted.Secret(f.ID).Len() == 0 {
			f.Error = v.T("field." + f.ID + ".empty")
		}
	}
	if len(e.Form.Wrong()) == 0 {
		err := s.services.SignUp(r, p)
		if err == nil {
			return s.checkMail(w, r, mailSent{Email: p.Email})
		}
		if !blame(e.Form, v.Language, err) {
			return err
		}
	}
	v.Error, v.Data = true, e
	return s.pages.Render(w, http.StatusBadRequest, "signup.html", v)
}

// blame puts an error of sign-up to the field it is about, and reports whether
// there is one.
func blame(f *page.Form, l *page.Language, err error) bool {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return false
	}
	id, ok := map[string]string{
		"INVALID_EMAIL": "email", "EMAIL_EXISTS": "email", "WEAK_PASSWORD": "password",
		"USERNAME_EXISTS": "username", "INVALID_REQUEST": "username",
	}[e.Code]
	if ok {
		f.Field(id).Error = l.T("signup." + e.Code)
	}
	return ok
}

// mailSent is the data of check-mail.html.
type mailSent struct {
	Email, Notice string
	Wait          *wait
}

// wait is how long until another mail may be asked for: a sentence around a
// number that a script counts down.
type wait struct {
	Before, After string
	Seconds       int
}

func waitFor(l *page.Language, d time.Duration) *wait {
	w := &wait{Seconds: int(math.Ceil(d.Seconds()))}
	w.Before, w.After, _ = strings.Cut(l.T("mail.wait"), "{0}")
	return w
}

func (s *Service) checkMail(w http.ResponseWriter, r *http.Request, m mailSent) error {
	v := s.pages.View(r, "mail.title")
	v.Scripts, v.Data = []string{"countdown.js"}, m
	return s.pages.Render(w, http.StatusOK, "check-mail.html", v)
}

// resend has the verification mail sent again. The page is the same whether or
// not the address has an account.
func (s *Service) resend(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	l := s.pages.Language(r)
	m := mailSent{Email: posted.Text("email"), Notice: l.T("mail.again")}
	err = s.services.SendVerification(r, m.Email)
	if e, ok := errors.AsType[*problem.Error](err); ok {
		switch e.Kind {
		case problem.TooMany:
			m.Notice, m.Wait = "", waitFor(l, e.RetryAfter)
		case problem.NotFound, problem.Conflict, problem.Invalid:
		default:
			return err
		}
	} else if err != nil {
		return err
	}
	return s.checkMail(w, r, m)
}
