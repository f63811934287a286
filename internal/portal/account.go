package portal

import (
	"errors"
	"net/http"
	"strconv"

	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/portal/backend"
	"ccms/internal/problem"
)

// account is the data of account.html. Its forms are shown one by one, so that
// one that failed does not stand among errors of another.
type account struct {
	backend.Account
	Sessions              []backend.LoggedIn
	Name, Email, Password *page.Form
	Form                  *page.Form // the one with errors, for the summary
	Done                  string
}

func (s *Service) accountPage(w http.ResponseWriter, r *http.Request, who session.Session) error {
	v := s.passwordView(r, "account.title")
	done := "account.done." + r.URL.Query().Get("done")
	data := account{}
	if text := v.T(done); text != done {
		data.Done = text
	}
	return s.showAccount(w, r, accountView{who: who, view: v, data: data, status: http.StatusOK})
}

// accountView is the account page with what happened on it.
type accountView struct {
	who    session.Session
	view   page.View
	data   account
	status int
}

// showAccount fills in what the page shows beside the form that was sent.
func (s *Service) showAccount(w http.ResponseWriter, r *http.Request, a accountView) error {
	var err error
	if a.data.Account, err = s.services.Account(r, a.who.Token); err != nil {
		return err
	}
	if a.data.Sessions, err = s.services.Sessions(r, a.who.Token); err != nil {
		return err
	}
	l := a.view.Language
	if a.data.Name == nil {
		a.data.Name = nameFields(l, a.data.Account.Name.First, a.data.Account.Name.Last)
	}
	if a.data.Email == nil {
		a.data.Email = emailFields(l, "")
	}
	if a.data.Password == nil {
		a.data.Password = passwordFields(l)
	}
	a.view = s.signedIn(a.view, a.who)
	a.view.Data, a.view.Here = a.data, "/account"
	return s.pages.Render(w, a.status, "account.html", a.view)
}

func nameFields(l *page.Language, first, last string) *page.Form {
	return l.NewForm(
		&page.Field{ID: "first", Label: l.T("field.first"), Autocomplete: "given-name", Value: first},
		&page.Field{ID: "last", Label: l.T("field.last"), Autocomplete: "family-name", Value: last},
	)
}

func emailFields(l *page.Language, email string) *page.Form {
	return l.NewForm(
		&page.Field{ID: "email", Label: l.T("account.email.new"), Hint: l.T("field.email.hint"), Type: "email", Autocomplete: "email", Value: email, Code: true},
		&page.Field{ID: "emailPassword", Label: l.T("account.password.current"), Type: "password", Autocomplete: "current-password"},
	)
}

func passwordFields(l *page.Language) *page.Form {
	return l.NewForm(
		&page.Field{ID: "currentPassword", Label: l.T("account.password.current"), Type: "password", Autocomplete: "current-password"},
		&page.Field{ID: "newPassword", Label: l.T("reset.new"), Hint: l.T("field.password.hint"), Type: "password", Autocomplete: "new-password"},
		&page.Field{ID: "confirmPassword", Label: l.T("reset.again"), Type: "password", Autocomplete: "new-password"},
	)
}

// submit is a form of the account page: it reads what was sent, and on an error
// puts it to a field.
type submit struct {
	then   string // the page that says that it worked
	fields func(l *page.Language, p *page.Posted) *page.Form
	put    func(a *account, f *page.Form) // where the form stands on the page
	send   func(r *http.Request, token string, p *page.Posted) error
	blame  map[string]string // code of an error to the field it is about
}

func (s *Service) accountForm(c submit) session.Handler {
	return func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		posted, err := page.ReadPosted(w, r)
		if err != nil {
			return err
		}
		defer posted.Wipe()
		v := s.passwordView(r, "account.title")
		form := c.fields(v.Language, posted)
		for _, f := range form.Fields {
			if posted.Secret(f.ID).Len() == 0 {
				f.Error = v.T("field." + f.ID + ".empty")
			}
		}
		if len(form.Wrong()) == 0 {
			err := c.send(r, who.Token, posted)
			if err == nil {
				return page.Redirect(w, c.then)
			}
			e, ok := errors.AsType[*problem.Error](err)
			if !ok || c.blame[e.Code] == "" {
				return err
			}
			form.Field(c.blame[e.Code]).Error = v.T("account." + e.Code)
		}
		v.Error = true
		a := accountView{who: who, view: v, status: http.StatusBadRequest, data: account{Form: form}}
		c.put(&a.data, form)
		return s.showAccount(w, r, a)
	}
}

func (s *Service) changeName() session.Handler {
	return s.accountForm(submit{
		then: "/account?done=name",
		fields: func(l *page.Language, p *page.Posted) *page.Form {
			return nameFields(l, p.Text("first"), p.Text("last"))
		},
		put: func(a *account, f *page.Form) { a.Name = f },
		send: func(r *http.Request, token string, p *page.Posted) error {
			return s.services.ChangeAccount(r, token, backend.Change{First: p.Text("first"), Last: p.Text("last")})
		},
		blame: map[string]string{"INVALID_REQUEST": "first"},
	})
}

func (s *Service) changeEmail() session.Handler {
	return s.accountForm(submit{
		then:   "/account?done=email",
		fields: func(l *page.Language, p *page.Posted) *page.Form { return emailFields(l, p.Text("email")) },
		put:    func(a *account, f *page.Form) { a.Email = f },
		send: func(r *http.Request, token string, p *page.Posted) error {
			return s.services.ChangeAccount(r, token, backend.Change{Email: p.Text("email"), Password: p.Secret("emailPassword")})
		},
		blame: map[string]string{"INVALID_EMAIL": "email", "EMAIL_EXISTS": "email", "INVALID_CREDENTIALS": "emailPassword", "ACCOUNT_LOCKED": "emailPassword"},
	})
}

// changePassword ends every session, this one too.
func (s *Service) changePassword() session.Handler {
	return s.accountForm(submit{
		then:   "/login?done=password",
		fields: func(l *page.Language, _ *page.Posted) *page.Form { return passwordFields(l) },
		put:    func(a *account, f *page.Form) { a.Password = f },
		send: func(r *http.Request, token string, p *page.Posted) error {
			return s.services.ChangePassword(r, token, backend.PasswordChange{
				Current: p.Secret("currentPassword"), Password: p.Secret("newPassword"), Confirm: p.Secret("confirmPassword"),
			})
		},
		blame: map[string]string{
			"INVALID_CREDENTIALS": "currentPassword", "ACCOUNT_LOCKED": "currentPassword",
			"WEAK_PASSWORD": "newPassword", "PASSWORD_MISMATCH": "confirmPassword",
		},
	})
}

func (s *Service) endSession(w http.ResponseWriter, r *http.Request, who session.Session) error {
	err := s.services.EndSession(r, who.Token, r.PathValue("id"))
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Kind != problem.NotFound) {
		return err
	}
	return page.Redirect(w, "/account?done=session")
}

func (s *Service) exportAccount(w http.ResponseWriter, r *http.Request, who session.Session) error {
	b, err := s.services.Export(r, who.Token)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="ccms-export.json"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
	return nil
}

func deleteFields(l *page.Language) *page.Form {
	return l.NewForm(&page.Field{ID: "password", Label: l.T("account.password.current"), Type: "password", Autocomplete: "current-password"})
}

func (s *Service) deleteAccountForm(w http.ResponseWriter, r *http.Request, who session.Session) error {
	v := s.signedIn(s.passwordView(r, "account.delete.title"), who)
	v.Data = entry{Form: deleteFields(v.Language)}
	return s.pages.Render(w, http.StatusOK, "delete-account.html", v)
}

func (s *Service) deleteAccount(w http.ResponseWriter, r *http.Request, who session.Session) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	v := s.signedIn(s.passwordView(r, "account.delete.title"), who)
	form := deleteFields(v.Language)
	err = s.services.DeleteAccount(r, who.Token, posted.Secret("password"))
	if err == nil {
		s.cfg.Sessions.Clear(w)
		return s.pages.Render(w, http.StatusOK, "goodbye.html", s.pages.View(r, "account.deleted"))
	}
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Code != "INVALID_CREDENTIALS" && e.Code != "ACCOUNT_LOCKED" {
		return err
	}
	form.Field("password").Error = v.T("account." + e.Code)
	v.Error, v.Data = true, entry{Form: form}
	return s.pages.Render(w, http.StatusBadRequest, "delete-account.html", v)
}
