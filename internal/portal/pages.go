package portal

import (
	"errors"
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/portal/backend"
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

func (s *Service) home(w http.ResponseWriter, _ *http.Request) error {
	return s.pages.Render(w, http.StatusOK, "home.html", page.View{Title: "Payment cards, kept safe", Data: s.cfg.PublicURL})
}

// verification is the data of verify.html: a username to confirm, or a text.
type verification struct {
	Username, Text string
	Done           bool
}

// verifyForm shows what will be confirmed and changes nothing, so that a mail
// scanner that follows the link does no harm (decision B8).
func (s *Service) verifyForm(w http.ResponseWriter, r *http.Request) error {
	username, err := s.services.Owner(r, r.URL.Query().Get("token"))
	if err != nil {
		return s.verifyFailed(w, err)
	}
	return s.pages.Render(w, http.StatusOK, "verify.html", page.View{Title: "Confirm your e-mail address", Data: verification{Username: username}})
}

func (s *Service) verify(w http.ResponseWriter, r *http.Request) error {
	if err := s.services.Verify(r, r.URL.Query().Get("token")); err != nil {
		return s.verifyFailed(w, err)
	}
	return s.pages.Render(w, http.StatusOK, "verify.html", page.View{Title: "Your e-mail address is confirmed", Data: verification{Done: true}})
}

// verifyFailed explains the three ways a link can fail; other failures get the
// general page.
func (s *Service) verifyFailed(w http.ResponseWriter, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	v := page.View{Title: "This link does not work"}
	switch e.Code {
	case "TOKEN_EXPIRED":
		v.Title = "This link has expired"
		v.Data = verification{Text: "Links work for 24 hours. Ask for a new verification mail, then open the link in it."}
	case "TOKEN_NOT_FOUND":
		v.Data = verification{Text: "We do not know this link. Open the newest verification mail, or ask for a new one."}
	case "INVALID_TOKEN":
		v.Data = verification{Text: "The link is incomplete. Copy all of it from the mail, or choose it in the mail again."}
	default:
		return err
	}
	return s.pages.Render(w, httpserver.Status(e), "verify.html", v)
}

// reset is the data of reset-password.html.
type reset struct {
	Text   string
	Done   bool
	Fields []field
}

type field struct{ ID, Label, Wrong string }

// resetFields are the inputs, with what is wrong with each, if anything.
func resetFields(newWrong, confirmWrong string) []field {
	return []field{
		{"newPassword", "New password", newWrong},
		{"confirmPassword", "New password again", confirmWrong},
	}
}

// resetForm does not look the token up: a page that told good tokens from bad
// ones would only help who guesses.
func (s *Service) resetForm(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Get("token") == "" {
		return s.resetUnusable(w)
	}
	return s.pages.Render(w, http.StatusOK, "reset-password.html", page.View{Title: "Set a new password", Data: reset{Fields: resetFields("", "")}})
}

func (s *Service) reset(w http.ResponseWriter, r *http.Request) error {
	form, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer form.Wipe()
	err = s.services.Reset(r, backend.NewPassword{
		Token: r.URL.Query().Get("token"), Password: form.Secret("newPassword"), Confirm: form.Secret("confirmPassword"),
	})
	if err == nil {
		return s.pages.Render(w, http.StatusOK, "reset-password.html", page.View{Title: "Your password is changed", Data: reset{Done: true}})
	}
	return s.resetFailed(w, err)
}

func (s *Service) resetFailed(w http.ResponseWriter, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "INVALID_TOKEN":
		return s.resetUnusable(w)
	case "PASSWORD_MISMATCH":
		return s.resetAgain(w, resetFields("", "The two passwords are not the same"))
	case "WEAK_PASSWORD":
		return s.resetAgain(w, resetFields("Choose a password that meets all the rules. "+e.Details, ""))
	}
	return err
}

func (s *Service) resetAgain(w http.ResponseWriter, fields []field) error {
	return s.pages.Render(w, http.StatusBadRequest, "reset-password.html", page.View{Title: "Set a new password", Error: true, Data: reset{Fields: fields}})
}

func (s *Service) resetUnusable(w http.ResponseWriter) error {
	return s.pages.Render(w, http.StatusBadRequest, "reset-password.html", page.View{
		Title: "This link does not work",
		Data:  reset{Text: "It was used already, has expired, or is incomplete. Links work for 30 minutes and once. Ask for a new one, then open it from the newest mail."},
	})
}
