package portal

import (
	"errors"
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// verification is the data of verify.html: a username to confirm, or a text.
type verification struct {
	Username, Text string
	Done, Again    bool
}

// verifyForm shows what will be confirmed and changes nothing, so that a mail
// scanner that follows the link does no harm (decision B8).
func (s *Service) verifyForm(w http.ResponseWriter, r *http.Request) error {
	username, err := s.services.Owner(r, r.URL.Query().Get("token"))
	if err != nil {
		return s.verifyFailed(w, r, err)
	}
	v := s.pages.View(r, "verify.title")
	v.Data = verification{Username: username}
	return s.pages.Render(w, http.StatusOK, "verify.html", v)
}

func (s *Service) verify(w http.ResponseWriter, r *http.Request) error {
	if err := s.services.Verify(r, r.URL.Query().Get("token")); err != nil {
		return s.verifyFailed(w, r, err)
	}
	v := s.pages.View(r, "verify.done")
	v.Data = verification{Done: true}
	return s.pages.Render(w, http.StatusOK, "verify.html", v)
}

// verifyFailed explains the three ways a link can fail; other failures get the
// general page.
func (s *Service) verifyFailed(w http.ResponseWriter, r *http.Request, err error) error {
	text := explain(s.pages.Language(r), "verify.", err)
	if text == nil {
		return err
	}
	v := s.pages.View(r, "link.broken")
	e, _ := errors.AsType[*problem.Error](err)
	if e.Code == "TOKEN_EXPIRED" {
		v.Title = v.T("link.expired")
	}
	v.Data = verification{Text: text.Text, Again: true}
	return s.pages.Render(w, httpserver.Status(err), "verify.html", v)
}
