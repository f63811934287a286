package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// firmsData is the data of firms.html.
type firmsData struct {
	frame.Sheet
	Firms []backend.Firm
}

// firms lets a person choose a firm. Who has just one goes on to it.
func (s *service) firms(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	mine, err := s.ask.Firms(r, d.Token())
	if err != nil {
		return err
	}
	switch {
	case len(mine) == 1 && !d.Operator:
		return page.Redirect(w, "/console/firms/"+url.PathEscape(mine[0].ID))
	case len(mine) == 0 && d.Operator:
		return page.Redirect(w, "/console/firms")
	}
	return d.Show(w, r, frame.Shown{Title: "Your firms", Page: "firms.html", Data: firmsData{frame.Sheet{Desk: d}, mine}})
}

// enter goes on to a firm: to its live side once it has a client there.
func (s *service) enter(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	firm, mode := r.PathValue("firm"), frame.Test
	clients, err := s.ask.Clients(r, backend.Caller{Token: d.Token(), Firm: firm})
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Kind != problem.Forbidden) {
		return err
	}
	if slices.ContainsFunc(clients, func(c backend.Client) bool { return c.Mode == frame.Live && !c.Revoked }) {
		mode = frame.Live
	}
	return page.Redirect(w, frame.Base(firm, mode))
}

// allFirmsData is the data of all-firms.html.
type allFirmsData struct {
	frame.Sheet
	Firms []backend.Firm
	Next  string // path of the next page, "" on the last
	Key   string
}

func (s *service) allFirms(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := allFirmsData{Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Firm("", "")...), Done: frame.Done(r, map[string]string{
		"created": "The firm is there. Its owner finds it here once the address is confirmed.",
		"suspend": "The firm is suspended: its clients and people can do nothing.",
		"resume":  "The firm is active again.",
	})}}
	return s.showFirms(w, r, data)
}

func (s *service) showFirms(w http.ResponseWriter, r *http.Request, data allFirmsData) error {
	list, err := s.ask.AllFirms(r, data.Token(), r.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	data.Firms, data.Key = list.Data, rand.Text()
	if list.Next != "" {
		data.Next = "/console/firms?" + url.Values{"cursor": {list.Next}}.Encode()
	}
	return data.Show(w, r, frame.Shown{Title: "All firms", Page: "all-firms.html", Data: data, Status: data.Status()})
}

func (s *service) createFirm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	data := allFirmsData{Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Firm(posted.Text("name"), posted.Text("owner"))...)}}
	data.Need("name", "Enter the name of the firm")
	data.Need("owner", "Enter the address of who is to be the owner")
	if data.Good() {
		err := s.ask.CreateFirm(r, d.Token(), backend.NewFirm{Name: posted.Text("name"), Owner: posted.Text("owner"), Key: posted.Text("key")})
		if err == nil {
			return page.Redirect(w, "/console/firms?done=created")
		}
		if err := data.Refused(err, map[string]string{"name of": "name", "address": "owner"}); err != nil {
			return err
		}
	}
	return s.showFirms(w, r, data)
}

func (s *service) suspend(suspended bool) frame.Handler {
	then := map[bool]string{true: "suspend", false: "resume"}[suspended]
	return func(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
		if err := s.ask.Suspend(r, backend.Caller{Token: d.Token(), Firm: r.PathValue("firm")}, suspended); err != nil {
			return err
		}
		return page.Redirect(w, "/console/firms?done="+then)
	}
}
