package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/console/backend"
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

// registrationFields is the form of the filters, which is sent with GET.
func (s *Service) registrationFields(q url.Values) *page.Form {
	statuses := []page.Option{{Value: "", Text: "Any"}}
	for _, status := range []string{"pending", "verified", "rejected", "failed", "expired"} {
		statuses = append(statuses, page.Option{Value: status, Text: status, On: q.Get("status") == status})
	}
	brands := []page.Option{{Value: "", Text: "Any"}}
	for _, b := range brandsByName() {
		brands = append(brands, page.Option{Value: b.Name, Text: b.Name, On: q.Get("brand") == b.Name})
	}
	return s.english().NewForm(
		&page.Field{ID: "status", Label: "Status", Type: "select", Options: statuses},
		&page.Field{ID: "brand", Label: "Brand", Type: "select", Options: brands},
		&page.Field{ID: "reference", Label: "Reference", Value: q.Get("reference"), Autocomplete: "off"},
		&page.Field{ID: "last4", Label: "Last four digits", InputMode: "numeric", Value: q.Get("last4"), Autocomplete: "off", Code: true},
		&page.Field{ID: "from", Label: "From (UTC)", Type: "date", Value: q.Get("from")},
		&page.Field{ID: "to", Label: "Up to and with", Type: "date", Value: q.Get("to")},
	)
}

// brandsByName are the brands there are, as people look for them.
func brandsByName() []card.Brand {
	return slices.SortedFunc(slices.Values(card.Default().Brands()), func(a, b card.Brand) int { return strings.Compare(a.Name, b.Name) })
}

// filters are what of a query selects, without what is empty.
func filters(q url.Values, form *page.Form) url.Values {
	chosen := url.Values{}
	for _, f := range form.Fields {
		if v := q.Get(f.ID); v != "" {
			chosen.Set(f.ID, v)
		}
	}
	return chosen
}

// asked turns what a person filled in into what the card service is asked: its
// "to" does not count any more, a person's does. It notes at a field what is no
// day.
func asked(chosen url.Values, form *page.Form) url.Values {
	q := url.Values{}
	for name, values := range chosen {
		q[name] = values
	}
	for _, name := range []string{"from", "to"} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			form.Field(name).Error = "Enter a day such as 2026-11-30"
		} else if name == "to" {
			q.Set(name, day.AddDate(0, 0, 1).Format(time.DateOnly))
		}
	}
	if f := form.Field("last4"); f != nil && f.Value != "" && !fourDigits(f.Value) {
		f.Error = "Enter four digits"
	}
	return q
}

func (s *Service) registrations(w http.ResponseWriter, r *http.Request, d Desk) error {
	data := registrationsData{sheet: sheet{Desk: d, Form: s.registrationFields(r.URL.Query())}}
	chosen := filters(r.URL.Query(), data.Form)
	q, path := asked(chosen, data.Form), d.Base()+"/registrations"
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

func fourDigits(s string) bool { return len(s) == 4 && strings.Trim(s, "0123456789") == "" }
