package cards

import (
	"net/http"
	"slices"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/page/cardfields"
)

// builderData is the data of builder.html.
type builderData struct {
	addLinkData
	forms.Look
	Chosen  bool // where the form stands: what to copy is shown
	Example example
}

// example is the card form as a person sees it, but for what it can do.
type example struct {
	*page.Language
	Name string // the firm's
	Form *page.Form
}

// builder shows how to have the card form on a firm's own site: what it will
// look like, and what to copy. It is asked for anew with each choice, so that it
// works without a script.
func (s *service) builder(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	clients, err := s.linkClients(r, d)
	if err != nil {
		return err
	}
	look := forms.ReadLook(r.URL.Query().Get)
	data := builderData{addLinkData: addLinkData{Clients: clients}, Look: look, Chosen: allowed(clients, look.Place)}
	data.Sheet = frame.Sheet{Desk: d, Form: d.NewForm(forms.Builder(clients, look)...)}
	rules, err := s.ask.Rules(r, d.Caller())
	if err != nil {
		return err
	}
	data.Example = exampleOf(d, d.Language(look.Language), rules)
	return d.Show(w, r, frame.Shown{Title: "Form builder", Page: "builder.html", Data: data, Scripts: []string{"console.js"}})
}

// allowed reports whether one of clients may have the form there: what is shown
// to be copied stands on its lists.
func allowed(clients []backend.Client, n backend.NewLink) bool {
	i := slices.IndexFunc(clients, func(c backend.Client) bool { return c.ID == n.ClientID })
	return i >= 0 && n.Kind != "" &&
		(n.Origin == "" || slices.Contains(clients[i].Origins, n.Origin)) &&
		(n.ReturnURL == "" || slices.Contains(clients[i].ReturnURLs, n.ReturnURL))
}

func exampleOf(d frame.Desk, l *page.Language, rules backend.Rules) example {
	fields := append(cardfields.Fields(l, ""), &page.Field{ID: "name", Label: l.T("hosted.name"), Hint: l.T("hosted.name.hint")})
	if names := rules.Brands; len(names) > 0 {
		fields[0].Hint += ". " + l.T("hosted.accepts", strings.Join(names, ", "))
	}
	return example{l, d.Firm.Name, l.NewForm(fields...)}
}
