package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"

	"ccms/internal/console/backend"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// peopleData is the data of people.html.
type peopleData struct {
	sheet
	Members []backend.Member
	Key     string
}

func (s *Service) people(w http.ResponseWriter, r *http.Request, d Desk) error {
	return s.showPeople(w, r, peopleData{sheet: sheet{Desk: d, Form: s.forms.Invite("", "", d.ManagesOwners()), Done: done(r, map[string]string{
		"invited": "The invitation waits for 30 days for whoever confirms that address.",
		"role":    "The role is changed.", "removed": "The person is removed.",
	})}})
}

func (s *Service) showPeople(w http.ResponseWriter, r *http.Request, data peopleData) error {
	var err error
	if data.Members, err = s.ask.Members(r, data.caller()); err != nil {
		return err
	}
	data.Key = rand.Text()
	return s.show(w, r, shown{desk: &data.Desk, title: "People", page: "people.html", data: data, status: data.status()})
}

func (s *Service) invite(w http.ResponseWriter, r *http.Request, d Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	i := backend.Invitation{Email: posted.Text("email"), Role: posted.Text("role"), Key: posted.Text("key")}
	data := peopleData{sheet: sheet{Desk: d, Form: s.forms.Invite(i.Email, i.Role, d.ManagesOwners())}}
	need(data.Form, "email", "Enter an e-mail address")
	if len(data.Form.Wrong()) == 0 {
		err := s.ask.Invite(r, d.caller(), i)
		if err == nil {
			return page.Redirect(w, d.Base()+"/people?done=invited")
		}
		if err := data.refused(err, map[string]string{"address": "email", "member already": "email", "role": "role"}); err != nil {
			return err
		}
	}
	return s.showPeople(w, r, data)
}

// memberData is the data of person.html.
type memberData struct {
	sheet
	Member backend.Member
	Self   bool // it is who looks
}

// theMember is the one in the path.
func (s *Service) theMember(r *http.Request, d Desk) (backend.Member, error) {
	all, err := s.ask.Members(r, d.caller())
	if err != nil {
		return backend.Member{}, err
	}
	at := slices.IndexFunc(all, func(m backend.Member) bool { return m.ID == r.PathValue("member") })
	if at < 0 {
		return backend.Member{}, problem.NoResource()
	}
	return all[at], nil
}

func (s *Service) member(w http.ResponseWriter, r *http.Request, d Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	return s.showMember(w, r, memberData{Member: m, sheet: sheet{Desk: d, Form: s.forms.Role(m.Role, d.ManagesOwners())}})
}

func (s *Service) showMember(w http.ResponseWriter, r *http.Request, data memberData) error {
	data.Self = data.Member.Username == data.who.Person
	return s.show(w, r, shown{desk: &data.Desk, title: data.Member.Email, page: "person.html", data: data, status: data.status()})
}

func (s *Service) changeRole(w http.ResponseWriter, r *http.Request, d Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	err = s.ask.ChangeRole(r, d.caller(), m.ID, posted.Text("role"))
	if err == nil {
		return page.Redirect(w, d.Base()+"/people?done=role")
	}
	data := memberData{Member: m, sheet: sheet{Desk: d, Form: s.forms.Role(posted.Text("role"), d.ManagesOwners())}}
	if err := data.refused(err, map[string]string{"role": "role"}); err != nil {
		return err
	}
	return s.showMember(w, r, data)
}

func (s *Service) removeMember(w http.ResponseWriter, r *http.Request, d Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	err = s.ask.RemoveMember(r, d.caller(), m.ID)
	switch {
	case err == nil && m.Username == d.who.Person:
		return page.Redirect(w, "/console")
	case err == nil:
		return page.Redirect(w, d.Base()+"/people?done=removed")
	}
	data := memberData{Member: m, sheet: sheet{Desk: d, Form: s.forms.Role(m.Role, d.ManagesOwners())}}
	if err := data.refused(err, nil); err != nil {
		return err
	}
	return s.showMember(w, r, data)
}

// MemberPath is the path of a member's page.
func (d Desk) MemberPath(id string) string { return d.Base() + "/people/" + url.PathEscape(id) }
