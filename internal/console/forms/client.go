// Package forms owns what people fill in on the console's pages: fields, in words
// they know, and how what they filled in is read into what the services are asked.
// Whether it is right the services say.
package forms

import (
	"slices"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/page"
)

// scopes are those a client may have (decision D1), in words.
func scopes() []page.Option {
	return []page.Option{
		{Value: "cards:register", Text: "Register cards and make links (cards:register)", On: true},
		{Value: "cards:read", Text: "Read registrations and cards (cards:read)", On: true},
		{Value: "cards:reveal", Text: "Reveal whole card numbers (cards:reveal)"},
		{Value: "cards:manage", Text: "Switch and erase cards, change rules (cards:manage)"},
		{Value: "reports:read", Text: "Read reports and the record (reports:read)", On: true},
		{Value: "webhooks:manage", Text: "Look after webhooks (webhooks:manage)", On: true},
	}
}

// Client is what people say of a client. No scopes stand for the usual ones.
func Client(f backend.ClientForm, mode string) []*page.Field {
	chosen := scopes()
	if f.Scopes != nil {
		for i := range chosen {
			chosen[i].On = slices.Contains(f.Scopes, chosen[i].Value)
		}
	}
	local := ""
	if mode == "test" {
		local = " A test client may name http://localhost too."
	}
	return []*page.Field{
		{ID: "name", Label: "Name", Hint: "What uses it, such as Web shop.", Value: f.Name, Autocomplete: "off"},
		{ID: "scopes", Label: "It may", Hint: "No more than it needs.", Type: "choices", Options: chosen},
		{ID: "returns", Label: "Return URLs, one a line", Hint: "Where the card page may lead back to: whole https addresses, 20 at most." + local, Type: "area", Code: true, Value: strings.Join(f.ReturnURLs, "\n")},
		{ID: "origins", Label: "Origins, one a line", Hint: "Which sites may show the card form in a frame, such as https://shop.example; 20 at most." + local, Type: "area", Code: true, Value: strings.Join(f.Origins, "\n")},
	}
}

// ReadClient reads the form of a client.
func ReadClient(p *page.Posted) backend.ClientForm {
	f := backend.ClientForm{Name: p.Text("name"), Scopes: []string{}, ReturnURLs: lines(p.Text("returns")), Origins: lines(p.Text("origins"))}
	for _, scope := range scopes() {
		if p.Text("scopes."+scope.Value) != "" {
			f.Scopes = append(f.Scopes, scope.Value)
		}
	}
	return f
}

// lines are those of a text that have something on them, without space around.
func lines(text string) []string { return strings.Fields(text) }

// ClientWords are what the login service says of which field.
func ClientWords() map[string]string {
	return map[string]string{"a name": "name", "scope": "scopes", "return_urls": "returns", "origins": "origins"}
}

// Revoke has the name of a client typed.
func Revoke(c backend.Client, typed string) []*page.Field {
	return []*page.Field{{ID: "name", Label: "Type the client's name, " + c.Name, Value: typed, Autocomplete: "off"}}
}
