package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/console/backend"
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
		data.Name = s.nameFields(data.Firm.Name)
	}
	if data.Rules == nil {
		rules, err := s.ask.Rules(r, data.caller())
		if err != nil {
			return err
		}
		data.Rules = s.ruleFields(rules, "")
	}
	status := data.status()
	return s.show(w, r, shown{desk: &data.Desk, title: "Settings", page: "settings.html", data: data, status: status})
}

func (s *Service) nameFields(name string) *page.Form {
	return s.english().NewForm(&page.Field{ID: "name", Label: "Name of the firm", Hint: "People see it on the card page.", Value: name, Autocomplete: "organization"})
}

// ruleFields is the form of the rules. again is whether a new signing secret is
// asked for.
func (s *Service) ruleFields(rules backend.Rules, again string) *page.Form {
	brands := []page.Option{}
	for _, b := range brandsByName() {
		brands = append(brands, page.Option{Value: b.ID, Text: b.Name, On: slices.ContainsFunc(rules.Brands, b.Named)})
	}
	endpoint := backend.Endpoint{}
	if rules.Endpoint != nil {
		endpoint = *rules.Endpoint
	}
	return s.english().NewForm(
		&page.Field{ID: "brands", Label: "Accepted brands", Hint: "None chosen means all.", Type: "choices", Options: brands},
		&page.Field{ID: "allow", Label: "Accept these prefixes only", Hint: "BINs of 6 to 8 digits, one a line. Empty accepts all.", Type: "area", Code: true, Value: strings.Join(rules.BINAllow, "\n")},
		&page.Field{ID: "deny", Label: "Refuse these prefixes", Hint: "BINs of 6 to 8 digits, one a line. They win over the list above.", Type: "area", Code: true, Value: strings.Join(rules.BINDeny, "\n")},
		reactionField("velocity", "A card registered 10 times a day, or 100 cards of a client within a minute", rules.Velocity),
		reactionField("walk", "A client that tries many numbers of one prefix", rules.BINWalk),
		&page.Field{ID: "url", Label: "Your own endpoint decides last", Hint: "An https URL that is asked with every registration; empty for none.", Type: "url", Code: true, Value: endpoint.URL},
		&page.Field{ID: "code", Label: "The endpoint is also sent", Type: "choices", Options: []page.Option{{Value: "send", Text: "the security code, encrypted to the key below", On: endpoint.SendCode}}},
		&page.Field{ID: "key", Label: "Public key for the code", Hint: "One public JWK, RSA or EC.", Type: "area", Code: true, Value: string(endpoint.CodeKey)},
		&page.Field{ID: "secret", Label: "Signing secret of the calls", Type: "choices", Options: []page.Option{{Value: "new", Text: "make a new one; the one before signs too for a day", On: again != ""}}},
	)
}

func reactionField(id, label, reaction string) *page.Field {
	return &page.Field{ID: id, Label: label, Type: "select", Options: []page.Option{
		{Value: "flag", Text: "is noticed", On: reaction != "refuse"}, {Value: "refuse", Text: "is refused", On: reaction == "refuse"},
	}}
}

// readRules reads the form over the rules that hold.
func readRules(p *page.Posted, held backend.Rules) backend.Rules {
	rules := backend.Rules{
		BINAllow: lines(p.Text("allow")), BINDeny: lines(p.Text("deny")),
		Velocity: p.Text("velocity"), BINWalk: p.Text("walk"),
	}
	for _, b := range brandsByName() {
		if p.Text("brands."+b.ID) != "" {
			rules.Brands = append(rules.Brands, b.Name)
		}
	}
	if p.Text("url") == "" {
		return rules
	}
	rules.Endpoint = &backend.Endpoint{URL: p.Text("url"), SendCode: p.Text("code.send") != ""}
	if key := p.Text("key"); key != "" {
		rules.Endpoint.CodeKey = jsontext.Value(key)
	}
	if held.Endpoint != nil {
		rules.Endpoint.SecretVersion = held.Endpoint.SecretVersion
		if p.Text("secret.new") != "" {
			rules.Endpoint.SecretVersion++
		}
	}
	return rules
}

func (s *Service) rename(w http.ResponseWriter, r *http.Request, d Desk) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	form := s.nameFields(posted.Text("name"))
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
	rules := readRules(posted, held)
	form := s.ruleFields(rules, posted.Text("secret.new"))
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
