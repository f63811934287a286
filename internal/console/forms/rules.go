package forms

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/console/backend"
	"ccms/internal/page"
)

// Name is what a firm is called.
func Name(name string) []*page.Field {
	return []*page.Field{{ID: "name", Label: "Name of the firm", Hint: "People see it on the card page.", Value: name, Autocomplete: "organization"}}
}

// Rules is the form of the rules. again is whether a new signing secret is
// asked for.
func Rules(rules backend.Rules, again string) []*page.Field {
	brands := []page.Option{}
	for _, b := range brandsByName() {
		brands = append(brands, page.Option{Value: b.ID, Text: b.Name, On: slices.ContainsFunc(rules.Brands, b.Named)})
	}
	endpoint := backend.Endpoint{}
	if rules.Endpoint != nil {
		endpoint = *rules.Endpoint
	}
	return []*page.Field{
		{ID: "brands", Label: "Accepted brands", Hint: "None chosen means all.", Type: "choices", Options: brands},
		{ID: "allow", Label: "Accept these prefixes only", Hint: "BINs of 6 to 8 digits, one a line. Empty accepts all.", Type: "area", Code: true, Value: strings.Join(rules.BINAllow, "\n")},
		{ID: "deny", Label: "Refuse these prefixes", Hint: "BINs of 6 to 8 digits, one a line. They win over the list above.", Type: "area", Code: true, Value: strings.Join(rules.BINDeny, "\n")},
		reactionField("velocity", "A card registered 10 times a day, or 100 cards of a client within a minute", rules.Velocity),
		reactionField("walk", "A client that tries many numbers of one prefix", rules.BINWalk),
		{ID: "url", Label: "Your own endpoint decides last", Hint: "An https URL that is asked with every registration; empty for none.", Type: "url", Code: true, Value: endpoint.URL},
		{ID: "code", Label: "The endpoint is also sent", Type: "choices", Options: []page.Option{{Value: "send", Text: "the security code, encrypted to the key below", On: endpoint.SendCode}}},
		{ID: "key", Label: "Public key for the code", Hint: "One public JWK, RSA or EC.", Type: "area", Code: true, Value: string(endpoint.CodeKey)},
		{ID: "secret", Label: "Signing secret of the calls", Type: "choices", Options: []page.Option{{Value: "new", Text: "make a new one; the one before signs too for a day", On: again != ""}}},
	}
}

func reactionField(id, label, reaction string) *page.Field {
	return &page.Field{ID: id, Label: label, Type: "select", Options: []page.Option{
		{Value: "flag", Text: "is noticed", On: reaction != "refuse"}, {Value: "refuse", Text: "is refused", On: reaction == "refuse"},
	}}
}

// ReadRules reads the form over the rules that hold.
func ReadRules(p *page.Posted, held backend.Rules) backend.Rules {
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
