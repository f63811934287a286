// Package cardfields owns the fields in which a person enters a card, on
// whichever page they stand: their labels, how what was typed is read, and what
// is said when it is wrong. The script of the form says the same sooner; this is
// for who has none, and for everybody once more. What becomes of a card is the
// page's affair.
package cardfields

import (
	"net/http"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/page"
	"ccms/internal/secret"
)

// Fields are number, expiry date and security code. Of these only expiry is ever
// shown again.
func Fields(l *page.Language, expiry string) []*page.Field {
	example := time.Now().UTC().AddDate(3, 0, 0).Format("06")
	return []*page.Field{
		{ID: "number", Label: l.T("card.number"), Hint: l.T("card.number.hint"), InputMode: "numeric", Autocomplete: "cc-number", Code: true, Brand: true},
		{ID: "expiry", Label: l.T("card.expiry"), Hint: l.T("card.expiry.hint", example), InputMode: "numeric", Autocomplete: "cc-exp", Value: expiry, Code: true},
		{ID: "code", Label: l.T("card.code"), Hint: l.T("card.code.hint"), InputMode: "numeric", Autocomplete: "cc-csc", Code: true},
	}
}

// Card is what was entered. Its secrets lie in what was posted, and are gone
// when that is wiped.
type Card struct {
	Number, Code secret.Bytes // digits
	Expiry       card.Expiry
	Brands       []card.Brand // of a good number; one of several schemes has more than one
}

// Read reads the three fields and notes in form what is wrong with them. The
// card is good for sending when nothing is.
func Read(posted *page.Posted, l *page.Language, form *page.Form) Card {
	c := Card{Number: posted.Digits("number"), Code: posted.Digits("code")}
	wrong := func(id, key string) { form.Field(id).Error = l.T(key) }
	number, err := card.Default().Parse(c.Number.Reveal())
	defer number.Wipe()
	c.Brands = number.Brands()
	switch {
	case c.Number.Len() == 0:
		wrong("number", "card.number.empty")
	case err != nil:
		wrong("number", "card.number.wrong")
	}
	switch c.Expiry, err = ParseExpiry(posted.Text("expiry"), time.Now()); {
	case posted.Text("expiry") == "":
		wrong("expiry", "card.expiry.empty")
	case err != nil:
		wrong("expiry", "card.expiry.wrong")
	}
	switch length := max(3, number.Brand().CodeLength); {
	case c.Code.Len() == 0:
		wrong("code", "card.code.empty")
	case !allDigits(c.Code, length):
		wrong("code", map[bool]string{true: "card.code.wrong.front", false: "card.code.wrong.back"}[length == 4])
	}
	return c
}

// ParseExpiry reads the month of a card in every form people write it, as the
// script's readExpiry does.
func ParseExpiry(text string, now time.Time) (card.Expiry, error) {
	return card.ParseExpiryText(tidyExpiry(text), now)
}

// tidyExpiry brings what people write (10 / 30, 1030, 1/30, 10-2030, 102030) into
// a form package card reads. What it does not know comes back as it is.
func tidyExpiry(text string) string {
	parts := strings.FieldsFunc(text, func(c rune) bool { return c < '0' || '9' < c })
	if len(parts) == 1 && len(parts[0]) > 2 {
		parts = []string{parts[0][:2], parts[0][2:]}
	}
	if len(parts) != 2 {
		return text
	}
	month, year := parts[0], parts[1]
	if len(month) == 4 {
		month, year = year, month
	}
	if len(month) == 1 {
		month = "0" + month
	}
	return month + "/" + year
}

func allDigits(code secret.Bytes, length int) bool {
	for _, b := range code.Reveal() {
		if b < '0' || b > '9' {
			return false
		}
	}
	return code.Len() == length
}

// Answer is what the script of a form is told, which stays on the page and
// wants to know what to show.
type Answer struct {
	Location string            `json:"location,omitzero"` // where to go on to
	Notice   string            `json:"notice,omitzero"`
	Link     string            `json:"link,omitzero"` // where the notice leads
	LinkText string            `json:"linkText,omitzero"`
	Key      string            `json:"key,omitzero"`    // of the next try
	Errors   map[string]string `json:"errors,omitzero"` // by field
}

// Scripted reports whether r was sent by the form's script.
func Scripted(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

// Refused says what is wrong with a form that was sent.
func Refused(form *page.Form) Answer {
	a := Answer{Errors: map[string]string{}}
	if n := form.Notice; n != nil {
		a.Notice, a.Link, a.LinkText = n.Text, n.Link, n.LinkText
	}
	for _, f := range form.Wrong() {
		a.Errors[f.ID] = f.Error
	}
	return a
}
