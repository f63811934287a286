package forms

import (
	"net/url"
	"slices"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/page"
)

// events are those a webhook may be told of, in words. All are ticked at first, as
// they are for who names none to the service (decision D7): that a number was
// shown is what a firm wants to hear of least late.
func events() []page.Option {
	return []page.Option{
		{Value: "registration.pending", Text: "Your endpoint is asked (registration.pending)", On: true},
		{Value: "registration.verified", Text: "A card is accepted (registration.verified)", On: true},
		{Value: "registration.rejected", Text: "A card is refused (registration.rejected)", On: true},
		{Value: "registration.failed", Text: "Nobody decided in time (registration.failed)", On: true},
		{Value: "card.enabled", Text: "A card is switched on (card.enabled)", On: true},
		{Value: "card.disabled", Text: "A card is switched off (card.disabled)", On: true},
		{Value: "card.deleted", Text: "A card is erased (card.deleted)", On: true},
		{Value: "card.revealed", Text: "A client was shown a number (card.revealed)", On: true},
	}
}

// Webhook is what people say of a webhook. No events stand for the usual ones.
func Webhook(f backend.WebhookForm, mode string) []*page.Field {
	chosen := events()
	if f.Events != nil {
		for i := range chosen {
			chosen[i].On = slices.Contains(f.Events, chosen[i].Value)
		}
	}
	hint := "An https URL on port 443 or 8443 of a public address."
	if mode == "test" {
		hint = "An https URL of a public address; in test any port will do."
	}
	return []*page.Field{
		{ID: "url", Label: "URL", Hint: hint, Type: "url", Value: f.URL, Autocomplete: "off", Code: true},
		{ID: "events", Label: "It is told when", Hint: "No message has a card number, a name or a code.", Type: "choices", Options: chosen},
	}
}

// ReadWebhook reads the form of a webhook.
func ReadWebhook(p *page.Posted) backend.WebhookForm {
	f := backend.WebhookForm{URL: p.Text("url"), Events: []string{}}
	for _, e := range events() {
		if p.Text("events."+e.Value) != "" {
			f.Events = append(f.Events, e.Value)
		}
	}
	return f
}

// WebhookWords are what the card service says of which field.
func WebhookWords() map[string]string {
	return map[string]string{"endpoint": "url", "events": "events"}
}

// Overlap has people choose how long a secret works on beside its successor.
func Overlap() []*page.Field {
	return []*page.Field{{
		ID: "overlap", Label: "The secret in use now works for", Hint: "Long enough to bring the new one to every machine.", Type: "select",
		Options: []page.Option{{Value: "86400", Text: "another day"}, {Value: "604800", Text: "another week"}, {Value: "3600", Text: "another hour"}, {Value: "0", Text: "no moment longer"}},
	}}
}

// Deliveries is the filter of what was sent.
func Deliveries(q url.Values) []*page.Field {
	statuses := []page.Option{{Value: "", Text: "Any"}}
	for _, status := range []string{"waiting", "delivered", "failed"} {
		statuses = append(statuses, page.Option{Value: status, Text: status, On: q.Get("status") == status})
	}
	return []*page.Field{{ID: "status", Label: "State", Type: "select", Options: statuses}}
}

// sinceLayouts are how browsers send the time of Since: without seconds where
// there are none.
var sinceLayouts = [...]string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05.999"}

// Since is from when on events are sent again.
func Since(text string) []*page.Field {
	return []*page.Field{{ID: "since", Label: "All since (UTC)", Hint: "Such as 2026-11-30T08:00. A thousand at once; those that arrived come again too.", Type: "datetime-local", Value: text, Code: true}}
}

// ReadSince reads the form of Since, and notes at the field what is no time.
func ReadSince(form *page.Form) time.Time {
	f := form.Field("since")
	for _, layout := range sinceLayouts {
		if at, err := time.Parse(layout, f.Value); err == nil {
			return at
		}
	}
	f.Error = "Enter a day and a time such as 2026-11-30T08:00"
	return time.Time{}
}

// SinceText is a time as the field of Since has it.
func SinceText(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000") }
