package forms

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/page"
	"ccms/internal/problem"
)

// auditDays is how far the record is shown back when nobody says.
const auditDays = 7

// Registrations is the form of the filters, which is sent with GET.
func Registrations(q url.Values) []*page.Field {
	statuses := []page.Option{{Value: "", Text: "Any"}}
	for _, status := range []string{"pending", "verified", "rejected", "failed", "expired"} {
		statuses = append(statuses, page.Option{Value: status, Text: status, On: q.Get("status") == status})
	}
	brands := []page.Option{{Value: "", Text: "Any"}}
	for _, b := range brandsByName() {
		brands = append(brands, page.Option{Value: b.Name, Text: b.Name, On: q.Get("brand") == b.Name})
	}
	return []*page.Field{
		{ID: "status", Label: "Status", Type: "select", Options: statuses},
		{ID: "brand", Label: "Brand", Type: "select", Options: brands},
		{ID: "reference", Label: "Reference", Value: q.Get("reference"), Autocomplete: "off"},
		{ID: "last4", Label: "Last four digits", InputMode: "numeric", Value: q.Get("last4"), Autocomplete: "off", Code: true},
		{ID: "from", Label: "From (UTC)", Type: "date", Value: q.Get("from")},
		{ID: "to", Label: "Up to and with", Type: "date", Value: q.Get("to")},
	}
}

// brandsByName are the brands there are, as people look for them.
func brandsByName() []card.Brand {
	return slices.SortedFunc(slices.Values(card.Default().Brands()), func(a, b card.Brand) int { return strings.Compare(a.Name, b.Name) })
}

// Chosen is what of a query selects, without what is empty.
func Chosen(q url.Values, form *page.Form) url.Values {
	chosen := url.Values{}
	for _, f := range form.Fields {
		if v := q.Get(f.ID); v != "" {
			chosen.Set(f.ID, v)
		}
	}
	return chosen
}

// Asked turns what a person filled in into what the card service is asked: its
// "to" does not count any more, a person's does. It notes at a field what is no
// day.
func Asked(chosen url.Values, form *page.Form) url.Values {
	q := maps.Clone(chosen)
	for _, name := range []string{"from", "to"} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			form.Field(name).Error = "Enter a day such as 2026-11-30"
		} else if name == "to" {
			q.Set(name, day.AddDate(0, 0, 1).Format(time.DateOnly))
		}
	}
	if f := form.Field("last4"); f != nil && f.Value != "" && !fourDigits(f.Value) {
		f.Error = "Enter four digits"
	}
	return q
}

func fourDigits(s string) bool { return len(s) == 4 && strings.Trim(s, "0123456789") == "" }

// Audit is the form of the record's filters, of the last days unless q says.
func Audit(q url.Values, now time.Time) []*page.Field {
	from := q.Get("from")
	if !q.Has("from") {
		from = now.UTC().AddDate(0, 0, -auditDays+1).Format(time.DateOnly)
	}
	return []*page.Field{
		{ID: "act", Label: "Act", Hint: "Such as card, or client.rotate", Value: q.Get("act"), Autocomplete: "off", Code: true},
		{ID: "from", Label: "From (UTC)", Type: "date", Value: from},
		{ID: "to", Label: "Up to and with", Type: "date", Value: q.Get("to")},
	}
}

// AuditQuery is what the services are asked: the days of the form.
func AuditQuery(form *page.Form) url.Values {
	chosen := url.Values{}
	for _, name := range []string{"from", "to"} {
		if v := form.Field(name).Value; v != "" {
			chosen.Set(name, v)
		}
	}
	return Asked(chosen, form)
}

// Refused is what is wrong with a filter, for what is no page; nil when nothing is.
func Refused(form *page.Form) error {
	if wrong := form.Wrong(); len(wrong) > 0 {
		return problem.Validation(wrong[0].Error + ".")
	}
	return nil
}
