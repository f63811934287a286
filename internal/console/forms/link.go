package forms

import (
	"strconv"

	"ccms/internal/console/backend"
	"ccms/internal/page"
)

// Link is a link to be made, for one of clients.
func Link(clients []backend.Client, n backend.NewLink) []*page.Field {
	belongs := []page.Option{}
	for _, c := range clients {
		belongs = append(belongs, page.Option{Value: c.ID, Text: c.Name, On: c.ID == n.ClientID})
	}
	lives := []page.Option{{Value: "86400", Text: "24 hours"}, {Value: "14400", Text: "4 hours"}, {Value: "3600", Text: "1 hour"}, {Value: "900", Text: "15 minutes"}}
	for i := range lives {
		lives[i].On = lives[i].Value == strconv.Itoa(n.ExpiresIn)
	}
	return []*page.Field{
		{ID: "reference", Label: "Reference", Hint: "Yours, such as an order: the person sees it on the card page, and the registration carries it. No card number.", Value: n.Reference, Autocomplete: "off"},
		{ID: "client", Label: "It belongs to", Type: "select", Options: belongs},
		{ID: "expires", Label: "It works for", Hint: "Once, and no longer than this.", Type: "select", Options: lives},
	}
}
