package console

import (
	"net/http"

	"ccms/internal/console/forms"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// maxRules bounds the form of the rules: two lists of 2,000 prefixes.
const maxRules = 128 << 10

// settingsData is the data of settings.html. Form is the one with errors.
type settingsData struct {
	sheet
	Name, Rules *page.Form
}

func (s *Service) settings(w http.ResponseWriter, r *http.Request, d Desk) error {
	return s.showSettings(w, r, settingsData{sheet: sheet{Desk: d, Done: done(r, map[string]string{
		"name": "The firm has its new name.", "rules": "The " + d.Mode + " rules are saved; they hold within a second.",
	})}})
}

// showSettings fills in the forms that were not sent.
func (s *Service) showSettings(w http.ResponseWriter, r *http.Request, data settingsData) error {
	if data.Name == nil {
		data.Name = s.forms.Name(data.Firm.Name)
	}
	if data.Rules == nil {
		rules, err := s.ask.Rules(r, data.caller())
		if err != nil {
			return err
		}
		data.Rules = s.forms.Rules(rules, "")
	}
	status := data.status()
	return s.show(w, r, shown{desk: &data.Desk, title: "Settings", page: "settings.html", data: data, status: status})
}

func (s *Service) rename(w http.ResponseWriter, r *http.Request, d Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	form := s.forms.Name(posted.Text("name"))
	data := settingsData{Name: form, sheet: sheet{Desk: d, Form: form}}
	need(form, "name", "Enter the name of the firm")
	if len(form.Wrong()) == 0 {
		err := s.ask.Rename(r, d.caller(), posted.Text("name"))
		if err == nil {
			return page.Redirect(w, d.Base()+"/settings?done=name")
		}
		if err := data.refused(err, map[string]string{"name": "name"}); err != nil {
			return err
		}
	}
	return s.showSettings(w, r, data)
}

func (s *Service) changeRules(w http.ResponseWriter, r *http.Request, d Desk) error {
	if !d.Manages() {
		return problem.Denied("Owners and admins change the rules.")
	}
	posted, err := page.ReadPostedUpTo(w, r, maxRules)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	held, err := s.ask.Rules(r, d.caller())
	if err != nil {
		return err
	}
	rules := forms.ReadRules(posted, held)
	form := s.forms.Rules(rules, posted.Text("secret.new"))
	data := settingsData{Rules: form, sheet: sheet{Desk: d, Form: form}}
	if e := rules.Endpoint; e != nil && e.CodeKey != nil && !e.CodeKey.IsValid() {
		form.Field("key").Error = "Enter one public JWK, as JSON"
		return s.showSettings(w, r, data)
	}
	made, err := s.ask.ChangeRules(r, d.caller(), rules)
	defer made.Wipe()
	switch {
	case err == nil && made.Len() == 0:
		return page.Redirect(w, d.Base()+"/settings?done=rules")
	case err == nil:
		return s.show(w, r, shown{desk: &d, title: "The rules are saved", page: "once.html", once: made, data: onceData{
			sheet: sheet{Desk: d}, Label: "Signing secret", Back: d.Base() + "/settings", BackText: "I have copied it",
			Text: "Calls to your endpoint are signed with this secret (Standard Webhooks). Copy it to where the endpoint keeps its secrets. It is shown this once.",
		}})
	}
	words := map[string]string{"bin_allow": "allow", "bin_deny": "deny", "velocity": "velocity", "code_key": "key", "endpoint": "url", "brands": "brands"}
	if err := data.refused(err, words); err != nil {
		return err
	}
	return s.showSettings(w, r, data)
}
