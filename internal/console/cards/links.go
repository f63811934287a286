package cards

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// linksData is the data of links.html.
type linksData struct {
	frame.Sheet
	Links       []backend.Link
	Filtered    bool
	Next, First string // paths, as those of registrationsData
}

func (s *service) links(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	states := []page.Option{{Value: "", Text: "Any"}}
	status := r.URL.Query().Get("status")
	for _, state := range []string{"open", "used", "expired", "revoked"} {
		states = append(states, page.Option{Value: state, Text: state, On: status == state})
	}
	data := linksData{Sheet: frame.Sheet{
		Desk: d, Form: d.NewForm(&page.Field{ID: "status", Label: "State", Type: "select", Options: states}),
		Done: frame.Done(r, map[string]string{"cancelled": "The link is cancelled: it opens no form any more."}),
	}}
	chosen, path := forms.Chosen(r.URL.Query(), data.Form), d.Base()+"/links"
	data.Filtered = len(chosen) > 0
	q := url.Values{}
	if status != "" {
		q.Set("status", status)
	}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		q.Set("cursor", cursor)
		data.First = frame.WithQuery(path, chosen)
	}
	list, err := s.ask.Links(r, d.Caller(), q)
	if err := data.Refused(err, nil); err != nil {
		return err
	}
	data.Links = list.Data
	if list.Next != "" {
		chosen.Set("cursor", list.Next)
		data.Next = frame.WithQuery(path, chosen)
	}
	return d.Show(w, r, frame.Shown{Title: "Links", Page: "links.html", Data: data, Status: data.Status()})
}

// addLinkData is the data of link-add.html.
type addLinkData struct {
	frame.Sheet
	Clients []backend.Client // that may have links
}

// linkClients are those a link can belong to.
func (s *service) linkClients(r *http.Request, d frame.Desk) ([]backend.Client, error) {
	if !d.Manages() {
		return nil, problem.Denied("Owners and admins make links.")
	}
	all, err := s.ask.ClientsOfMode(r, d.Caller())
	return slices.DeleteFunc(all, func(c backend.Client) bool { return c.Revoked }), err
}

func (s *service) addLinkForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	clients, err := s.linkClients(r, d)
	if err != nil {
		return err
	}
	return s.showAddLink(w, r, addLinkData{Clients: clients, Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Link(clients, backend.NewLink{Kind: "link", ExpiresIn: 86400})...)}})
}

func (s *service) showAddLink(w http.ResponseWriter, r *http.Request, data addLinkData) error {
	return data.Show(w, r, frame.Shown{Title: "New " + data.Mode + " link", Page: "link-add.html", Data: data, Status: data.Status()})
}

func (s *service) addLink(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	clients, err := s.linkClients(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	n := forms.ReadPlace(posted.Text("place"))
	n.Reference = posted.Text("reference")
	n.ExpiresIn, _ = strconv.Atoi(posted.Text("expires")) // what is none the card service refuses
	made, err := s.ask.CreateLink(r, d.Caller(), n)
	defer made.URL.Wipe()
	if err == nil {
		return d.ShowOnce(w, r, frame.Once{
			Title: "The link is ready", Label: "Link", Secret: made.URL, Back: d.Base() + "/links",
			Text: "Whoever has it can register one card for " + d.Firm.Name + ", until " + made.ExpiresAt.UTC().Format("2006-01-02 15:04") + " UTC. It is shown this once.",
		})
	}
	data := addLinkData{Clients: clients, Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Link(clients, n)...)}}
	if err := data.Refused(err, map[string]string{"reference": "reference", "client_id": "place", "mode": "place", "origin exactly": "place", "expires_in": "expires"}); err != nil {
		return err
	}
	return s.showAddLink(w, r, data)
}

func (s *service) cancelLink(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	if err := s.ask.RevokeLink(r, d.Caller(), r.PathValue("link")); err != nil {
		return err
	}
	return page.Redirect(w, d.Base()+"/links?done=cancelled")
}
