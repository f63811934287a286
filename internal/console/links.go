package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// linksData is the data of links.html.
type linksData struct {
	sheet
	Links       []backend.Link
	Filtered    bool
	Next, First string // paths, as those of registrationsData
}

func (s *Service) links(w http.ResponseWriter, r *http.Request, d Desk) error {
	states := []page.Option{{Value: "", Text: "Any"}}
	status := r.URL.Query().Get("status")
	for _, state := range []string{"open", "used", "expired", "revoked"} {
		states = append(states, page.Option{Value: state, Text: state, On: status == state})
	}
	data := linksData{sheet: sheet{
		Desk: d, Form: s.english().NewForm(&page.Field{ID: "status", Label: "State", Type: "select", Options: states}),
		Done: done(r, map[string]string{"cancelled": "The link is cancelled: it opens no form any more."}),
	}}
	chosen, path := forms.Chosen(r.URL.Query(), data.Form), d.Base()+"/links"
	data.Filtered = len(chosen) > 0
	q := url.Values{}
	if status != "" {
		q.Set("status", status)
	}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
		data.First = withQuery(path, chosen)
	}
	list, err := s.ask.Links(r, d.caller(), q)
	if err := data.refused(err, nil); err != nil {
		return err
	}
	data.Links = list.Data
	if list.Next != "" {
		chosen.Set("cursor", list.Next)
		data.Next = withQuery(path, chosen)
	}
	return s.show(w, r, shown{desk: &d, title: "Links", page: "links.html", data: data, status: data.status()})
}

// addLinkData is the data of link-add.html.
type addLinkData struct {
	sheet
	Clients []backend.Client // that may have links
}

// linkClients are those a link can belong to.
func (s *Service) linkClients(r *http.Request, d Desk) ([]backend.Client, error) {
	if !d.Manages() {
		return nil, problem.Denied("Owners and admins make links.")
	}
	all, err := s.ofMode(r, d)
	return slices.DeleteFunc(all, func(c backend.Client) bool { return c.Revoked }), err
}

func (s *Service) addLinkForm(w http.ResponseWriter, r *http.Request, d Desk) error {
	clients, err := s.linkClients(r, d)
	if err != nil {
		return err
	}
	return s.showAddLink(w, r, addLinkData{Clients: clients, sheet: sheet{Desk: d, Form: s.forms.Link(clients, backend.NewLink{})}})
}

func (s *Service) showAddLink(w http.ResponseWriter, r *http.Request, data addLinkData) error {
	return s.show(w, r, shown{desk: &data.Desk, title: "New " + data.Mode + " link", page: "link-add.html", data: data, status: data.status()})
}

func (s *Service) addLink(w http.ResponseWriter, r *http.Request, d Desk) error {
	clients, err := s.linkClients(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	n := backend.NewLink{ClientID: posted.Text("client"), Reference: posted.Text("reference")}
	n.ExpiresIn, _ = strconv.Atoi(posted.Text("expires")) // what is none the card service refuses
	made, err := s.ask.CreateLink(r, d.caller(), n)
	defer made.URL.Wipe()
	if err == nil {
		return s.show(w, r, shown{desk: &d, title: "The link is ready", page: "once.html", once: made.URL, data: onceData{
			sheet: sheet{Desk: d}, Label: "Link",
			Text: "Send it to one person. Whoever has it can register one card for " + d.Firm.Name + ", until " + made.ExpiresAt.UTC().Format("2006-01-02 15:04") + " UTC. It is shown this once.",
			Back: d.Base() + "/links", BackText: "I have copied it",
		}})
	}
	data := addLinkData{Clients: clients, sheet: sheet{Desk: d, Form: s.forms.Link(clients, n)}}
	if err := data.refused(err, map[string]string{"reference": "reference", "client_id": "client", "expires_in": "expires"}); err != nil {
		return err
	}
	return s.showAddLink(w, r, data)
}

func (s *Service) cancelLink(w http.ResponseWriter, r *http.Request, d Desk) error {
	if err := s.ask.RevokeLink(r, d.caller(), r.PathValue("link")); err != nil {
		return err
	}
	return page.Redirect(w, d.Base()+"/links?done=cancelled")
}
