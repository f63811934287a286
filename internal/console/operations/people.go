package operations

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
	"ccms/internal/upstream"
)

// person is an operator.
type person struct {
	ID       string    `json:"operator_id"`
	Username string    `json:"username"`
	Email    string    `json:"email"`
	Since    time.Time `json:"since"`
}

// Path is that of the page that asks whether to end it.
func (p person) Path() string { return path("people/"+url.PathEscape(p.ID)+"/remove", nil) }

// peopleData is the data of operators.html.
type peopleData struct {
	frame.Sheet
	People []person
}

func newPerson(email string) *page.Field {
	return &page.Field{ID: "email", Label: "E-mail address", Hint: "Of an account whose address is confirmed.", Type: "email", Value: email, Autocomplete: "off"}
}

func (s *service) people(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.showPeople(w, r, peopleData{Sheet: frame.Sheet{Desk: d, Form: d.NewForm(newPerson("")), Done: frame.Done(r, map[string]string{
		"given": "The person is an operator from now on.", "removed": "The person is an operator no more.",
	})}})
}

func (s *service) showPeople(w http.ResponseWriter, r *http.Request, data peopleData) error {
	var err error
	if data.People, err = s.operators(r, data.Desk); err != nil {
		return err
	}
	return data.Show(w, r, frame.Shown{Title: "Operators", Page: "operators.html", Data: data, Status: data.Status()})
}

func (s *service) operators(r *http.Request, d frame.Desk) ([]person, error) {
	var out struct {
		Data []person `json:"data"`
	}
	err := s.ask(r, d, holders()[0], upstream.Call{Method: http.MethodGet, Path: "/people", Out: &out})
	return out.Data, err
}

func (s *service) addPerson(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	data := peopleData{Sheet: frame.Sheet{Desk: d, Form: d.NewForm(newPerson(posted.Text("email")))}}
	data.Need("email", "Enter an e-mail address")
	if data.Good() {
		err := s.ask(r, d, holders()[0], upstream.Call{Method: http.MethodPost, Path: "/people", Body: upstream.Object(upstream.Field("email", posted.Text("email")))})
		if e, ok := errors.AsType[*problem.Error](err); ok && e.Code == "UNVERIFIED_ACCOUNT" { // of the person, not of who asks
			data.Form.Field("email").Error = "The person has to confirm the address first"
			return s.showPeople(w, r, data)
		}
		if err == nil {
			return page.Redirect(w, path("people", url.Values{"done": {"given"}}))
		}
		if err := data.Refused(err, map[string]string{"address": "email"}); err != nil {
			return err
		}
	}
	return s.showPeople(w, r, data)
}

// removalData is the data of operator-remove.html.
type removalData struct {
	frame.Sheet
	Who person
}

func (s *service) confirmRemoval(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.showRemoval(w, r, removalData{Sheet: frame.Sheet{Desk: d}})
}

func (s *service) showRemoval(w http.ResponseWriter, r *http.Request, data removalData) error {
	all, err := s.operators(r, data.Desk)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(p person) bool { return p.ID == r.PathValue("person") })
	if at < 0 {
		return problem.NoResource()
	}
	data.Who = all[at]
	return data.Show(w, r, frame.Shown{Title: "Take the role away", Page: "operator-remove.html", Data: data, Status: data.Status()})
}

func (s *service) removePerson(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	err := s.ask(r, d, holders()[0], upstream.Call{Method: http.MethodDelete, Path: "/people/" + url.PathEscape(r.PathValue("person"))})
	if err == nil {
		return page.Redirect(w, path("people", url.Values{"done": {"removed"}}))
	}
	data := removalData{Sheet: frame.Sheet{Desk: d}}
	if err := data.Refused(err, nil); err != nil {
		return err
	}
	return s.showRemoval(w, r, data)
}
