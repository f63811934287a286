package console

import (
	"errors"
	"net/http"
	"net/url"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// registrationsData is the data of registrations.html.
type registrationsData struct {
	sheet
	Rows     []backend.Registration
	Filtered bool
	Next     string // path of the next page, "" on the last
	First    string // path of the first page, "" on it
	Export   string // path
}

func (s *Service) registrations(w http.ResponseWriter, r *http.Request, d Desk) error {
	data := registrationsData{sheet: sheet{Desk: d, Form: s.forms.Registrations(r.URL.Query())}}
	chosen := forms.Chosen(r.URL.Query(), data.Form)
	q, path := forms.Asked(chosen, data.Form), d.Base()+"/registrations"
	data.Filtered, data.Export = len(chosen) > 0, withQuery(path+".csv", chosen)
	cursor := r.URL.Query().Get("cursor")
	if len(data.Form.Wrong()) == 0 {
		if cursor != "" {
			q.Set("cursor", cursor)
			data.First = withQuery(path, chosen)
		}
		list, err := s.ask.Registrations(r, d.caller(), q)
		if err := data.refused(err, nil); err != nil {
			return err
		}
		data.Rows = list.Data
		if list.Next != "" {
			chosen.Set("cursor", list.Next)
			data.Next = withQuery(path, chosen)
		}
	}
	return s.show(w, r, shown{desk: &d, title: "Registrations", page: "registrations.html", data: data, status: data.status()})
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// registrationData is the data of registration.html and delete-card.html.
type registrationData struct {
	sheet
	Row  backend.Registration
	Card backend.Card // zero once it is erased
}

// theRegistration is the one in the path with its card.
func (s *Service) theRegistration(r *http.Request, d Desk) (registrationData, error) {
	data := registrationData{sheet: sheet{Desk: d}}
	var err error
	if data.Row, err = s.ask.Registration(r, d.caller(), r.PathValue("id")); err != nil {
		return data, err
	}
	data.Card, err = s.ask.Card(r, d.caller(), data.Row.Token)
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Kind == problem.NotFound {
		err = nil
	}
	return data, err
}

func (s *Service) registration(w http.ResponseWriter, r *http.Request, d Desk) error {
	data, err := s.theRegistration(r, d)
	if err != nil {
		return err
	}
	data.Done = done(r, map[string]string{
		"enabled": "The card is switched on.", "disabled": "The card is switched off: its number is not given out.", "deleted": "The card is erased.",
	})
	return s.show(w, r, shown{desk: &d, title: "Registration", page: "registration.html", data: data})
}

// turnCard brings the card of a registration into a state.
func (s *Service) turnCard(status string) deskHandler {
	return func(w http.ResponseWriter, r *http.Request, d Desk) error {
		data, err := s.theRegistration(r, d)
		if err != nil {
			return err
		}
		if err := s.ask.TurnCard(r, d.caller(), data.Row.Token, status); err != nil {
			return err
		}
		return page.Redirect(w, data.path()+"?done="+status)
	}
}

func (data registrationData) path() string { return data.Base() + "/registrations/" + data.Row.ID }

func (s *Service) deleteCardForm(w http.ResponseWriter, r *http.Request, d Desk) error {
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
	return s.show(w, r, shown{desk: &d, title: "Erase this card?", page: "delete-card.html", data: data})
}

func (s *Service) deleteCard(w http.ResponseWriter, r *http.Request, d Desk) error {
	data, err := s.theRegistration(r, d)
	if err != nil {
		return err
	}
	err = s.ask.DeleteCard(r, d.caller(), data.Row.Token)
	if e, ok := errors.AsType[*problem.Error](err); err != nil && (!ok || e.Kind != problem.NotFound && e.Kind != problem.Conflict) {
		return err
	}
	return page.Redirect(w, data.path()+"?done=deleted")
}
