package forms

import (
	"slices"
	"strconv"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/page"
)

// The kinds of links.
const (
	kindLink     = "link"
	kindRedirect = "redirect"
	kindEmbed    = "embed"
)

// place is where the form of a link stands, as the value of an option.
func place(n backend.NewLink) string { return n.Kind + " " + n.ClientID + " " + n.Origin + n.ReturnURL }

// ReadPlace is the link whose form stands at a place; one of no kind for what is
// no place.
func ReadPlace(text string) (n backend.NewLink) {
	kind, rest, _ := strings.Cut(text, " ")
	client, address, _ := strings.Cut(rest, " ")
	switch n = (backend.NewLink{Kind: kind, ClientID: client}); kind {
	case kindEmbed:
		n.Origin = address
	case kindRedirect:
		n.ReturnURL = address
	case kindLink:
	default:
		return backend.NewLink{}
	}
	return n
}

// places are those that clients may have forms at, the chosen one marked.
func places(clients []backend.Client, chosen backend.NewLink) []page.Option {
	var all []page.Option
	add := func(n backend.NewLink, text string) {
		all = append(all, page.Option{Value: place(n), Text: text, On: place(n) == place(chosen)})
	}
	for _, c := range clients {
		add(backend.NewLink{Kind: kindLink, ClientID: c.ID}, c.Name+": a link you send to a person")
	}
	for _, c := range clients {
		for _, u := range c.ReturnURLs {
			add(backend.NewLink{Kind: kindRedirect, ClientID: c.ID, ReturnURL: u}, c.Name+": our page, and back to "+u)
		}
		for _, o := range c.Origins {
			add(backend.NewLink{Kind: kindEmbed, ClientID: c.ID, Origin: o}, c.Name+": a frame on "+o)
		}
	}
	return all
}

const placeHint = "Addresses are those on the lists of your API clients."

// Link is a link to be made, for one of clients.
func Link(clients []backend.Client, n backend.NewLink) []*page.Field {
	lives := []page.Option{{Value: "900", Text: "15 minutes"}, {Value: "1800", Text: "30 minutes"}, {Value: "3600", Text: "1 hour"}, {Value: "14400", Text: "4 hours"}, {Value: "86400", Text: "24 hours"}}
	for i := range lives {
		lives[i].On = lives[i].Value == strconv.Itoa(n.ExpiresIn)
	}
	return []*page.Field{
		{ID: "reference", Label: "Reference", Hint: "Yours, such as an order: the person sees it on the card page, and the registration carries it. No card number.", Value: n.Reference, Autocomplete: "off"},
		{ID: "place", Label: "Where the form stands", Hint: placeHint, Type: "select", Options: places(clients, n)},
		{ID: "expires", Label: "It works for", Hint: "Once, and no longer than this. Only a link you send works for more than 30 minutes.", Type: "select", Options: lives},
	}
}

// Look is how a form looks.
type Look struct {
	Place    backend.NewLink
	Language string // en or ar, "" for the person's
	Scheme   string // light or dark, "" for the page's
}

// ReadLook reads the form of Builder from a query, whose get it is. What is none
// of its options counts as not chosen: it would stand in what people copy.
func ReadLook(get func(string) string) Look {
	l := Look{ReadPlace(get("place")), get("language"), get("scheme")}
	if !chooses(languages(l), l.Language) {
		l.Language = ""
	}
	if !chooses(schemes(l), l.Scheme) {
		l.Scheme = ""
	}
	return l
}

func chooses(options []page.Option, value string) bool {
	return slices.ContainsFunc(options, func(o page.Option) bool { return o.Value == value })
}

func languages(l Look) []page.Option {
	return []page.Option{{Value: "", Text: "the person's"}, {Value: "en", Text: "English", On: l.Language == "en"}, {Value: "ar", Text: "Arabic", On: l.Language == "ar"}}
}

func schemes(l Look) []page.Option {
	return []page.Option{{Value: "", Text: "as the page has them"}, {Value: "light", Text: "light", On: l.Scheme == "light"}, {Value: "dark", Text: "dark", On: l.Scheme == "dark"}}
}

// Builder is the form by which people choose how a card form looks, and where.
func Builder(clients []backend.Client, l Look) []*page.Field {
	return []*page.Field{
		{ID: "place", Label: "Where the form stands", Hint: placeHint, Type: "select", Options: places(clients, l.Place)},
		{ID: "language", Label: "Language", Type: "select", Options: languages(l)},
		{ID: "scheme", Label: "Colours", Hint: "Of a frame; on our own page they are the person's.", Type: "select", Options: schemes(l)},
	}
}
