package access

import (
	"net/http"
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// clientsData is the data of clients.html.
type clientsData struct {
	frame.Sheet
	Clients, Revoked []backend.Client
}

func (s *service) clients(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	all, err := s.ask.ClientsOfMode(r, d.Caller())
	if err != nil {
		return err
	}
	data := clientsData{Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{
		"revoked": "The client is revoked: its secrets and tokens are no good any more.",
	})}}
	for _, c := range all {
		if c.Revoked {
			data.Revoked = append(data.Revoked, c)
		} else {
			data.Clients = append(data.Clients, c)
		}
	}
	return d.Show(w, r, frame.Shown{Title: "API clients", Page: "clients.html", Data: data})
}

func (s *service) addClientForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	if !d.Manages() {
		return problem.Denied("Owners and admins make API clients.")
	}
	return s.showAddClient(w, r, frame.Sheet{Desk: d, Form: d.NewForm(forms.Client(backend.ClientForm{}, d.Mode)...)})
}

func (s *service) showAddClient(w http.ResponseWriter, r *http.Request, h frame.Sheet) error {
	return h.Show(w, r, frame.Shown{Title: "New " + h.Mode + " client", Page: "client-add.html", Data: h, Status: h.Status()})
}

func (s *service) addClient(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	f := forms.ReadClient(posted)
	h := frame.Sheet{Desk: d, Form: d.NewForm(forms.Client(f, d.Mode)...)}
	h.Need("name", "Enter a name")
	if h.Good() {
		made, err := s.ask.CreateClient(r, d.Caller(), f)
		if err == nil {
			return showSecret(w, r, d, made)
		}
		if err := h.Refused(err, forms.ClientWords()); err != nil {
			return err
		}
	}
	return s.showAddClient(w, r, h)
}

// showSecret shows the secret of a client.
func showSecret(w http.ResponseWriter, r *http.Request, d frame.Desk, made backend.WithSecret) error {
	defer made.Secret.Wipe()
	return d.ShowOnce(w, r, frame.Once{
		Title: "Secret of " + made.Name, Label: "Client secret", Secret: made.Secret, ClientID: made.ID, Back: d.Base() + "/clients/" + made.ID,
		Text: "Copy the secret to where the client keeps its secrets. It is shown this once: CCMS keeps a hash of it and cannot show it again.",
	})
}

// clientData is the data of client.html.
type clientData struct {
	frame.Sheet
	Client backend.Client
	Rotate *page.Form
}

func (s *service) client(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	data := clientData{Client: c, Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{"changed": "The client is changed."})}}
	data.Form = d.NewForm(forms.Client(backend.ClientForm{Name: c.Name, Scopes: c.Scopes, ReturnURLs: c.ReturnURLs, Origins: c.Origins}, c.Mode)...)
	return s.showClient(w, r, data)
}

// theClient is the one in the path, which is of the desk's mode.
func (s *service) theClient(r *http.Request, d frame.Desk) (backend.Client, error) {
	c, err := s.ask.Client(r, d.Caller(), r.PathValue("client"))
	if err == nil && c.Mode != d.Mode {
		err = problem.NoResource()
	}
	return c, err
}

func (s *service) showClient(w http.ResponseWriter, r *http.Request, data clientData) error {
	data.Rotate = data.NewForm(forms.Overlap()...)
	return data.Show(w, r, frame.Shown{Title: data.Client.Name, Page: "client.html", Data: data, Status: data.Status()})
}

func (s *service) changeClient(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
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
	data := clientData{Client: c, Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Client(f, d.Mode)...)}}
	data.Need("name", "Enter a name")
	if data.Good() {
		err := s.ask.ChangeClient(r, d.Caller(), c.ID, f)
		if err == nil {
			return page.Redirect(w, d.Base()+"/clients/"+c.ID+"?done=changed")
		}
		if err := data.Refused(err, forms.ClientWords()); err != nil {
			return err
		}
	}
	return s.showClient(w, r, data)
}

func (s *service) rotate(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
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
	made, err := s.ask.Rotate(r, d.Caller(), c.ID, overlap)
	if err != nil {
		return err
	}
	return showSecret(w, r, d, made)
}

// revokeData is the data of client-revoke.html.
type revokeData struct {
	frame.Sheet
	Client backend.Client
}

func (s *service) revokeForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	c, err := s.theClient(r, d)
	if err != nil {
		return err
	}
	if !d.Manages() || c.Revoked {
		return problem.Denied("Owners and admins revoke API clients, each once.")
	}
	return s.showRevoke(w, r, revokeData{Client: c, Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Revoke(c, "")...)}})
}

func (s *service) showRevoke(w http.ResponseWriter, r *http.Request, data revokeData) error {
	return data.Show(w, r, frame.Shown{Title: "Revoke " + data.Client.Name + "?", Page: "client-revoke.html", Data: data, Status: data.Status()})
}

// revoke ends a client once its name was typed: there is no way back.
func (s *service) revoke(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
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
		data := revokeData{Client: c, Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Revoke(c, posted.Text("name"))...)}}
		data.Form.Field("name").Error = "Type " + c.Name + " as it stands here"
		return s.showRevoke(w, r, data)
	}
	if err := s.ask.Revoke(r, d.Caller(), c.ID); err != nil {
		return err
	}
	return page.Redirect(w, d.Base()+"/clients?done=revoked")
}
