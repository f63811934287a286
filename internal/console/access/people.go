package access

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// peopleSheet is a sheet that knows where members' pages are.
type peopleSheet struct{ frame.Sheet }

func sheetOf(h frame.Sheet) peopleSheet { return peopleSheet{h} }

// MemberPath is the path of a member's page.
func (h peopleSheet) MemberPath(id string) string { return h.Base() + "/people/" + url.PathEscape(id) }

// peopleData is the data of people.html.
type peopleData struct {
	peopleSheet
	Members []backend.Member
	Key     string
}

func (s *service) people(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.showPeople(w, r, peopleData{peopleSheet: sheetOf(frame.Sheet{Desk: d, Form: d.NewForm(forms.Invite("", "", d.ManagesOwners())...), Done: frame.Done(r, map[string]string{
		"invited": "The invitation waits for 30 days for whoever confirms that address.",
		"role":    "The role is changed.", "removed": "The person is removed.",
	})})})
}

func (s *service) showPeople(w http.ResponseWriter, r *http.Request, data peopleData) error {
	var err error
	if data.Members, err = s.ask.Members(r, data.Caller()); err != nil {
		return err
	}
	data.Key = rand.Text()
	return data.Show(w, r, frame.Shown{Title: "People", Page: "people.html", Data: data, Status: data.Status()})
}

func (s *service) invite(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	i := backend.Invitation{Email: posted.Text("email"), Role: posted.Text("role"), Key: posted.Text("key")}
	data := peopleData{peopleSheet: sheetOf(frame.Sheet{Desk: d, Form: d.NewForm(forms.Invite(i.Email, i.Role, d.ManagesOwners())...)})}
	data.Need("email", "Enter an e-mail address")
	if data.Good() {
		err := s.ask.Invite(r, d.Caller(), i)
		if err == nil {
			return page.Redirect(w, d.Base()+"/people?done=invited")
		}
		if err := data.Refused(err, map[string]string{"address": "email", "member already": "email", "role": "role"}); err != nil {
			return err
		}
	}
	return s.showPeople(w, r, data)
}

// memberData is the data of person.html.
type memberData struct {
	peopleSheet
	Member backend.Member
	Self   bool // it is who looks
}

// theMember is the one in the path.
func (s *service) theMember(r *http.Request, d frame.Desk) (backend.Member, error) {
	all, err := s.ask.Members(r, d.Caller())
	if err != nil {
		return backend.Member{}, err
	}
	at := slices.IndexFunc(all, func(m backend.Member) bool { return m.ID == r.PathValue("member") })
	if at < 0 {
		return backend.Member{}, problem.NoResource()
	}
	return all[at], nil
}

func (s *service) member(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	return s.showMember(w, r, memberData{Member: m, peopleSheet: sheetOf(frame.Sheet{Desk: d, Form: d.NewForm(forms.Role(m.Role, d.ManagesOwners())...)})})
}

func (s *service) showMember(w http.ResponseWriter, r *http.Request, data memberData) error {
	data.Self = data.Member.Username == data.Person()
	return data.Show(w, r, frame.Shown{Title: data.Member.Email, Page: "person.html", Data: data, Status: data.Status()})
}

func (s *service) changeRole(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	err = s.ask.ChangeRole(r, d.Caller(), m.ID, posted.Text("role"))
	if err == nil {
		return page.Redirect(w, d.Base()+"/people?done=role")
	}
	data := memberData{Member: m, peopleSheet: sheetOf(frame.Sheet{Desk: d, Form: d.NewForm(forms.Role(posted.Text("role"), d.ManagesOwners())...)})}
	if err := data.Refused(err, map[string]string{"role": "role"}); err != nil {
		return err
	}
	return s.showMember(w, r, data)
}

func (s *service) removeMember(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	m, err := s.theMember(r, d)
	if err != nil {
		return err
	}
	err = s.ask.RemoveMember(r, d.Caller(), m.ID)
	switch {
	case err == nil && m.Username == d.Person():
		return page.Redirect(w, "/console")
	case err == nil:
		return page.Redirect(w, d.Base()+"/people?done=removed")
	}
	data := memberData{Member: m, peopleSheet: sheetOf(frame.Sheet{Desk: d, Form: d.NewForm(forms.Role(m.Role, d.ManagesOwners())...)})}
	if err := data.Refused(err, nil); err != nil {
		return err
	}
	return s.showMember(w, r, data)
}
