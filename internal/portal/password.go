package portal

import (
	"errors"
	"net/http"

	"ccms/internal/page"
	"ccms/internal/portal/backend"
	"ccms/internal/problem"
)

func forgotFields(l *page.Language, email string) *page.Form {
	return l.NewForm(&page.Field{ID: "email", Label: l.T("field.email"), Type: "email", Autocomplete: "username", Value: email, Code: true})
}

func (s *Service) forgotForm(w http.ResponseWriter, r *http.Request) error {
	v := s.pages.View(r, "forgot.title")
	v.Data = entry{Form: forgotFields(v.Language, "")}
	return s.pages.Render(w, http.StatusOK, "forgot-password.html", v)
}

// forgot has a reset mail sent. The page is the same whether or not the address
// has an account.
func (s *Service) forgot(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	v := s.pages.View(r, "forgot.title")
	email := posted.Text("email")
	e := entry{Form: forgotFields(v.Language, email)}
	if email == "" {
		e.Form.Field("email").Error = v.T("field.email.empty")
	} else {
		err = s.services.ForgotPassword(r, email)
		p, ok := errors.AsType[*problem.Error](err)
		switch {
		case ok && p.Code == "INVALID_EMAIL":
			e.Form.Field("email").Error = v.T("signup.INVALID_EMAIL")
		case err == nil, ok && (p.Kind == problem.NotFound || p.Kind == problem.TooMany):
			done := s.pages.View(r, "mail.title")
			done.Data = mailSent{Email: email}
			return s.pages.Render(w, http.StatusOK, "reset-sent.html", done)
		default:
			return err
		}
	}
	v.Error, v.Data = true, e
	return s.pages.Render(w, http.StatusBadRequest, "forgot-password.html", v)
}

// reset is the data of reset-password.html.
type reset struct {
	Form *page.Form
	Text string
	Done bool
}

func resetFields(l *page.Language) *page.Form {
	return l.NewForm(
		&page.Field{ID: "newPassword", Label: l.T("reset.new"), Hint: l.T("field.password.hint"), Type: "password", Autocomplete: "new-password"},
		&page.Field{ID: "confirmPassword", Label: l.T("reset.again"), Type: "password", Autocomplete: "new-password"},
	)
}

// resetForm does not look the token up: a page that told good tokens from bad
// ones would only help who guesses.
func (s *Service) resetForm(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("token") == "" {
		return s.resetUnusable(w, r)
	}
	v := s.passwordView(r, "reset.title")
	v.Data = reset{Form: resetFields(v.Language)}
	return s.pages.Render(w, http.StatusOK, "reset-password.html", v)
}

func (s *Service) reset(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	err = s.services.Reset(r, backend.NewPassword{
		Token: r.URL.Query().Get("token"), Password: posted.Secret("newPassword"), Confirm: posted.Secret("confirmPassword"),
	})
	if err == nil {
		v := s.pages.View(r, "reset.done")
		v.Data = reset{Done: true}
		return s.pages.Render(w, http.StatusOK, "reset-password.html", v)
	}
	return s.resetFailed(w, r, err)
}

func (s *Service) resetFailed(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	v := s.passwordView(r, "reset.title")
	form := resetFields(v.Language)
	switch e.Code {
	case "INVALID_TOKEN":
		return s.resetUnusable(w, r)
	case "PASSWORD_MISMATCH":
		form.Field("confirmPassword").Error = v.T("reset.PASSWORD_MISMATCH")
	case "WEAK_PASSWORD":
		form.Field("newPassword").Error = v.T("signup.WEAK_PASSWORD")
	default:
		return err
	}
	v.Error, v.Data = true, reset{Form: form}
	return s.pages.Render(w, http.StatusBadRequest, "reset-password.html", v)
}

func (s *Service) resetUnusable(w http.ResponseWriter, r *http.Request) error {
	v := s.pages.View(r, "link.broken")
	v.Data = reset{Text: v.T("reset.unusable")}
	return s.pages.Render(w, http.StatusBadRequest, "reset-password.html", v)
}
