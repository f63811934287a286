package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"ccms/internal/console/backend"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/problem"
)

// firmsData is the data of firms.html.
type firmsData struct {
	sheet
	Firms    []backend.Firm
	Operator bool
}

// firms lets a person choose a firm. Who has just one goes on to it.
func (s *Service) firms(w http.ResponseWriter, r *http.Request, who session.Session) error {
	mine, err := s.ask.Firms(r, who.Token)
	if err != nil {
		return err
	}
	_, err = s.ask.AllFirms(r, who.Token, "")
	operator := err == nil
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Code != forbidden) {
		return err
	}
	switch {
	case len(mine) == 1 && !operator:
		return page.Redirect(w, "/console/firms/"+url.PathEscape(mine[0].ID))
	case len(mine) == 0 && operator:
		return page.Redirect(w, "/console/firms")
	}
	return s.show(w, r, shown{who: who, title: "Your firms", page: "firms.html", data: firmsData{Firms: mine, Operator: operator}})
}

// enter goes on to a firm: to its live side once it has a client there.
func (s *Service) enter(w http.ResponseWriter, r *http.Request, who session.Session) error {
	firm, mode := r.PathValue("firm"), testMode
	clients, err := s.ask.Clients(r, backend.Caller{Token: who.Token, Firm: firm})
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Code != forbidden) {
		return err
	}
	if slices.ContainsFunc(clients, func(c backend.Client) bool { return c.Mode == liveMode && !c.Revoked }) {
		mode = liveMode
	}
	return page.Redirect(w, base(firm, mode))
}

// allFirmsData is the data of all-firms.html.
type allFirmsData struct {
	sheet
	Firms []backend.Firm
	Next  string // path of the next page, "" on the last
	Key   string
}

func (s *Service) allFirms(w http.ResponseWriter, r *http.Request, who session.Session) error {
	data := allFirmsData{sheet: sheet{Desk: Desk{who: who}, Form: s.forms.Firm("", ""), Done: done(r, map[string]string{
		"created": "The firm is there. Its owner finds it here once the address is confirmed.",
		"suspend": "The firm is suspended: its clients and people can do nothing.",
		"resume":  "The firm is active again.",
	})}}
	return s.showFirms(w, r, data)
}

func (s *Service) showFirms(w http.ResponseWriter, r *http.Request, data allFirmsData) error {
	list, err := s.ask.AllFirms(r, data.who.Token, r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	data.Firms, data.Key = list.Data, rand.Text()
	if list.Next != "" {
		data.Next = "/console/firms?" + url.Values{"cursor": {list.Next}}.Encode()
	}
	return s.show(w, r, shown{who: data.who, title: "All firms", page: "all-firms.html", data: data, status: data.status()})
}

func (s *Service) createFirm(w http.ResponseWriter, r *http.Request, who session.Session) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	data := allFirmsData{sheet: sheet{Desk: Desk{who: who}, Form: s.forms.Firm(posted.Text("name"), posted.Text("owner"))}}
	need(data.Form, "name", "Enter the name of the firm")
	need(data.Form, "owner", "Enter the address of who is to be the owner")
	if len(data.Form.Wrong()) == 0 {
		err := s.ask.CreateFirm(r, who.Token, backend.NewFirm{Name: posted.Text("name"), Owner: posted.Text("owner"), Key: posted.Text("key")})
		if err == nil {
			return page.Redirect(w, "/console/firms?done=created")
		}
		if err := data.refused(err, map[string]string{"name of": "name", "address": "owner"}); err != nil {
			return err
		}
	}
	return s.showFirms(w, r, data)
}

// need notes at a field that something has to be entered.
func need(f *page.Form, id, sentence string) {
	if field := f.Field(id); field.Value == "" {
		field.Error = sentence
	}
}

func (s *Service) suspend(suspended bool) session.Handler {
	then := map[bool]string{true: "suspend", false: "resume"}[suspended]
	return func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		if err := s.ask.Suspend(r, backend.Caller{Token: who.Token, Firm: r.PathValue("firm")}, suspended); err != nil {
			return err
		}
		return page.Redirect(w, "/console/firms?done="+then)
	}
}
