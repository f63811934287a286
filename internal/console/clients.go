package console

import (
	"net/http"
	"slices"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// clientsData is the data of clients.html.
type clientsData struct {
	sheet
	Clients, Revoked []backend.Client
}

// ofMode leaves those clients that belong to the desk's mode.
func (s *Service) ofMode(r *http.Request, d Desk) ([]backend.Client, error) {
	all, err := s.ask.Clients(r, d.caller())
	return slices.DeleteFunc(all, func(c backend.Client) bool { return c.Mode != d.Mode }), err
}

func (s *Service) clients(w http.ResponseWriter, r *http.Request, d Desk) error {
	all, err := s.ofMode(r, d)
	if err != nil {
		return err
	}
	data := clientsData{sheet: sheet{Desk: d, Done: done(r, map[string]string{
		"revoked": "The client is revoked: its secrets and tokens are no good any more.",
	})}}
	for _, c := range all {
		if c.Revoked {
			data.Revoked = append(data.Revoked, c)
		} else {
			data.Clients = append(data.Clients, c)
		}
	}
	return s.show(w, r, shown{desk: &d, title: "API clients", page: "clients.html", data: data})
}

func (s *Service) addClientForm(w http.ResponseWriter, r *http.Request, d Desk) error {
	if !d.Manages() {
		return problem.Denied("Owners and admins make API clients.")
	}
	return s.showAddClient(w, r, sheet{Desk: d, Form: s.forms.Client(backend.ClientForm{}, d.Mode)})
}

func (s *Service) showAddClient(w http.ResponseWriter, r *http.Request, h sheet) error {
	return s.show(w, r, shown{desk: &h.Desk, title: "New " + h.Mode + " client", page: "client-add.html", data: h, status: h.status()})
}

func (s *Service) addClient(w http.ResponseWriter, r *http.Request, d Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	f := forms.ReadClient(posted)
	h := sheet{Desk: d, Form: s.forms.Client(f, d.Mode)}
	need(h.Form, "name", "Enter a name")
	if len(h.Form.Wrong()) == 0 {
		made, err := s.ask.CreateClient(r, d.caller(), f)
		if err == nil {
			return s.showSecret(w, r, d, made)
		}
		if err := h.refused(err, forms.ClientWords()); err != nil {
			return err
		}
	}
	return s.showAddClient(w, r, h)
}

// onceData is the data of once.html.
type onceData struct {
	sheet
	Text, Label string
	ClientID    string // "" for what is of none
	Back        string // path to go on to
	BackText    string
}

// showSecret shows the secret of a client. It stands in this answer and nowhere
// else.
func (s *Service) showSecret(w http.ResponseWriter, r *http.Request, d Desk, made backend.WithSecret) error {
	defer made.Secret.Wipe()
	return s.show(w, r, shown{desk: &d, title: "Secret of " + made.Name, page: "once.html", once: made.Secret, data: onceData{
		sheet: sheet{Desk: d}, Label: "Client secret", ClientID: made.ID,
		Text: "Copy the secret to where the client keeps its secrets. It is shown this once: CCMS keeps a hash of it and cannot show it again.",
		Back: d.Base() + "/clients/" + made.ID, BackText: "I have copied it",
	}})
}

// clientData is the data of client.html.
type clientData struct {
	sheet
	Client backend.Client
	Rotate *page.Form
}

func (s *Service) client(w http.ResponseWriter, r *http.Request, d Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	data := clientData{Client: c, sheet: sheet{Desk: d, Done: done(r, map[string]string{"changed": "The client is changed."})}}
	data.Form = s.forms.Client(backend.ClientForm{Name: c.Name, Scopes: c.Scopes, ReturnURLs: c.ReturnURLs, Origins: c.Origins}, c.Mode)
	return s.showClient(w, r, data)
}

// theClient is the one in the path, which is of the desk's mode.
func (s *Service) theClient(r *http.Request, d Desk) (backend.Client, error) {
	c, err := s.ask.Client(r, d.caller(), r.PathValue("client"))
	if err == nil && c.Mode != d.Mode {
		err = problem.NoResource()
	}
	return c, err
}

func (s *Service) showClient(w http.ResponseWriter, r *http.Request, data clientData) error {
	data.Rotate = s.english().NewForm(&page.Field{
		ID: "overlap", Label: "The secret in use now works for", Hint: "Long enough to bring the new one to every machine.", Type: "select",
		Options: []page.Option{{Value: "86400", Text: "another day"}, {Value: "604800", Text: "another week"}, {Value: "3600", Text: "another hour"}, {Value: "0", Text: "no moment longer"}},
	})
	return s.show(w, r, shown{desk: &data.Desk, title: data.Client.Name, page: "client.html", data: data, status: data.status()})
}

func (s *Service) changeClient(w http.ResponseWriter, r *http.Request, d Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	f := forms.ReadClient(posted)
	data := clientData{Client: c, sheet: sheet{Desk: d, Form: s.forms.Client(f, d.Mode)}}
	need(data.Form, "name", "Enter a name")
	if len(data.Form.Wrong()) == 0 {
		err := s.ask.ChangeClient(r, d.caller(), c.ID, f)
		if err == nil {
			return page.Redirect(w, d.Base()+"/clients/"+c.ID+"?done=changed")
		}
		if err := data.refused(err, forms.ClientWords()); err != nil {
			return err
		}
	}
	return s.showClient(w, r, data)
}

func (s *Service) rotate(w http.ResponseWriter, r *http.Request, d Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	overlap, err := strconv.Atoi(posted.Text("overlap"))
	if err != nil {
		return problem.Validation("Choose how long the secret in use works on.")
	}
	made, err := s.ask.Rotate(r, d.caller(), c.ID, overlap)
	if err != nil {
		return err
	}
	return s.showSecret(w, r, d, made)
}

// revokeData is the data of client-revoke.html.
type revokeData struct {
	sheet
	Client backend.Client
}

func (s *Service) revokeForm(w http.ResponseWriter, r *http.Request, d Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	if !d.Manages() || c.Revoked {
		return problem.Denied("Owners and admins revoke API clients, each once.")
	}
	return s.showRevoke(w, r, revokeData{Client: c, sheet: sheet{Desk: d, Form: s.forms.Revoke(c, "")}})
}

func (s *Service) showRevoke(w http.ResponseWriter, r *http.Request, data revokeData) error {
	return s.show(w, r, shown{desk: &data.Desk, title: "Revoke " + data.Client.Name + "?", page: "client-revoke.html", data: data, status: data.status()})
}

// revoke ends a client once its name was typed: there is no way back.
func (s *Service) revoke(w http.ResponseWriter, r *http.Request, d Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	if posted.Text("name") != c.Name {
		data := revokeData{Client: c, sheet: sheet{Desk: d, Form: s.forms.Revoke(c, posted.Text("name"))}}
		data.Form.Field("name").Error = "Type " + c.Name + " as it stands here"
		return s.showRevoke(w, r, data)
	}
	if err := s.ask.Revoke(r, d.caller(), c.ID); err != nil {
		return err
	}
	return page.Redirect(w, d.Base()+"/clients?done=revoked")
}
