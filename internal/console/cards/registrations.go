package cards

import (
	"errors"
	"net/http"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// registrationsData is the data of registrations.html.
type registrationsData struct {
	frame.Sheet
	Rows     []backend.Registration
	Filtered bool
	Next     string // path of the next page, "" on the last
	First    string // path of the first page, "" on it
	Export   string // path
}

func (s *service) registrations(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := registrationsData{Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Registrations(r.URL.Query())...)}}
	chosen := forms.Chosen(r.URL.Query(), data.Form)
	q, path := forms.Asked(chosen, data.Form), d.Base()+"/registrations"
	data.Filtered, data.Export = len(chosen) > 0, frame.WithQuery(path+".csv", chosen)
	cursor := r.URL.Query().Get("cursor")
	if data.Good() {
		if cursor != "" {
			q.Set("cursor", cursor)
			data.First = frame.WithQuery(path, chosen)
		}
		list, err := s.ask.Registrations(r, d.Caller(), q)
		if err := data.Refused(err, nil); err != nil {
			return err
		}
		data.Rows = list.Data
		if list.Next != "" {
			chosen.Set("cursor", list.Next)
			data.Next = frame.WithQuery(path, chosen)
		}
	}
	return d.Show(w, r, frame.Shown{Title: "Registrations", Page: "registrations.html", Data: data, Status: data.Status()})
}

// registrationData is the data of registration.html and delete-card.html.
type registrationData struct {
	frame.Sheet
	Row  backend.Registration
	Card backend.Card // zero once it is erased
}

// theRegistration is the one in the path with its card.
func (s *service) theRegistration(r *http.Request, d frame.Desk) (registrationData, error) {
	data := registrationData{Sheet: frame.Sheet{Desk: d}}
	var err error
	if data.Row, err = s.ask.Registration(r, d.Caller(), r.PathValue("id")); err != nil {
		return data, err
	}
	data.Card, err = s.ask.Card(r, d.Caller(), data.Row.Token)
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Kind == problem.NotFound {
		err = nil
	}
	return data, err
}

func (s *service) registration(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theRegistration(r, d)
	if err != nil {
		return err
	}
	data.Done = frame.Done(r, map[string]string{
		"enabled": "The card is switched on.", "disabled": "The card is switched off: its number is not given out.", "deleted": "The card is erased.",
	})
	return d.Show(w, r, frame.Shown{Title: "Registration", Page: "registration.html", Data: data})
}

// turnCard brings the card of a registration into a state.
func (s *service) turnCard(status string) frame.Handler {
	return func(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
		data, err := s.theRegistration(r, d)
		if err != nil {
			return err
		}
		if err := s.ask.TurnCard(r, d.Caller(), data.Row.Token, status); err != nil {
			return err
		}
		return page.Redirect(w, data.path()+"?done="+status)
	}
}

func (data registrationData) path() string { return data.Base() + "/registrations/" + data.Row.ID }

func (s *service) deleteCardForm(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theRegistration(r, d)
	if err != nil {
		return err
	}
	if !d.Manages() {
		return problem.Denied("Owners and admins erase cards.")
	}
	if data.Card.Token == "" {
		return page.Redirect(w, data.path())
	}
	return d.Show(w, r, frame.Shown{Title: "Erase this card?", Page: "delete-card.html", Data: data})
}

func (s *service) deleteCard(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data, err := s.theRegistration(r, d)
	if err != nil {
		return err
	}
	err = s.ask.DeleteCard(r, d.Caller(), data.Row.Token)
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Kind != problem.NotFound && e.Kind != problem.Conflict) {
		return err
	}
	return page.Redirect(w, data.path()+"?done=deleted")
}
