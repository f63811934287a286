package access

import (
	"net/http"

	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// maxRules bounds the form of the rules: two lists of 2,000 prefixes.
const maxRules = 128 << 10

// settingsData is the data of settings.html. Form is the one with errors.
type settingsData struct {
	frame.Sheet
	Name, Rules *page.Form
}

func (s *service) settings(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.showSettings(w, r, settingsData{Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{
		"name": "The firm has its new name.", "rules": "The " + d.Mode + " rules are saved; they hold within a second.",
	})}})
}

// showSettings fills in the forms that were not sent.
func (s *service) showSettings(w http.ResponseWriter, r *http.Request, data settingsData) error {
	if data.Name == nil {
		data.Name = data.NewForm(forms.Name(data.Firm.Name)...)
	}
	if data.Rules == nil {
		rules, err := s.ask.Rules(r, data.Caller())
		if err != nil {
			return err
		}
		data.Rules = data.NewForm(forms.Rules(rules, "")...)
	}
	status := data.Status()
	return data.Show(w, r, frame.Shown{Title: "Settings", Page: "settings.html", Data: data, Status: status})
}

func (s *service) rename(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	form := d.NewForm(forms.Name(posted.Text("name"))...)
	data := settingsData{Name: form, Sheet: frame.Sheet{Desk: d, Form: form}}
	data.Need("name", "Enter the name of the firm")
	if len(form.Wrong()) == 0 {
		err := s.ask.Rename(r, d.Caller(), posted.Text("name"))
		if err == nil {
			return page.Redirect(w, d.Base()+"/settings?done=name")
		}
		if err := data.Refused(err, map[string]string{"name": "name"}); err != nil {
			return err
		}
	}
	return s.showSettings(w, r, data)
}

func (s *service) changeRules(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	if !d.Manages() {
		return problem.Denied("Owners and admins change the rules.")
	}
	posted, err := page.ReadPostedUpTo(w, r, maxRules)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	held, err := s.ask.Rules(r, d.Caller())
	if err != nil {
		return err
	}
	rules := forms.ReadRules(posted, held)
	form := d.NewForm(forms.Rules(rules, posted.Text("secret.new"))...)
	data := settingsData{Rules: form, Sheet: frame.Sheet{Desk: d, Form: form}}
	if e := rules.Endpoint; e != nil && e.CodeKey != nil && !e.CodeKey.IsValid() {
		form.Field("key").Error = "Enter one public JWK, as JSON"
		return s.showSettings(w, r, data)
	}
	made, err := s.ask.ChangeRules(r, d.Caller(), rules)
	defer made.Wipe()
	switch {
	case err == nil && made.Len() == 0:
		return page.Redirect(w, d.Base()+"/settings?done=rules")
	case err == nil:
		return d.ShowOnce(w, r, frame.Once{
			Title: "The rules are saved", Label: "Signing secret", Secret: made, Back: d.Base() + "/settings",
			Text: "Calls to your endpoint are signed with this secret (Standard Webhooks). Copy it to where the endpoint keeps its secrets. It is shown this once.",
		})
	}
	words := map[string]string{"bin_allow": "allow", "bin_deny": "deny", "velocity": "velocity", "code_key": "key", "endpoint": "url", "brands": "brands"}
	if err := data.Refused(err, words); err != nil {
		return err
	}
	return s.showSettings(w, r, data)
}
