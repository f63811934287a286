// Package cardfields owns the fields in which a person enters a card, on
// whichever page they stand: their labels, how what was typed is read, and what
// is said when it is wrong. The script of the form says the same sooner; this is
// for who has none, and for everybody once more. What becomes of a card is the
// page's affair.
package cardfields

import (
	"bytes"
	"net/http"
	"strconv"
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
		{ID: "number", Label: l.T("card.number"), Hint: l.T("card.number.hint"), InputMode: "numeric", EnterKey: "next", Autocomplete: "cc-number", Code: true, Brand: true},
		{ID: "expiry", Label: l.T("card.expiry"), Hint: l.T("card.expiry.hint", example), InputMode: "numeric", EnterKey: "next", Autocomplete: "cc-exp", Value: expiry, Code: true},
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

// Read reads the three fields and notes in form what is wrong with them, in the
// words of the script. The card is good for sending when nothing is.
func Read(posted *page.Posted, l *page.Language, form *page.Form) Card {
	c := Card{Number: posted.Digits("number"), Code: posted.Digits("code")}
	note := func(id string, f Fault) {
		if f.Key != "" {
			form.Field(id).Error = l.T("card."+f.Key, f.Args...)
		}
	}
	number, _ := card.Default().Parse(c.Number.Reveal())
	defer number.Wipe()
	c.Brands = number.Brands()
	note("number", NumberFault(c.Number.Reveal()))
	var f Fault
	c.Expiry, f = ParseExpiry(posted.Text("expiry"), time.Now())
	note("expiry", f)
	note("code", codeFault(c.Code.Reveal(), c.Number.Reveal()))
	return c
}

// Fault is what is wrong with a field: a text of the catalogue below card., "" for
// nothing.
type Fault struct {
	Key  string
	Args []any
}

// NumberFault is what is wrong with a number.
func NumberFault(number []byte) Fault {
	if len(number) == 0 {
		return Fault{Key: "number.empty"}
	}
	parsed, err := card.Default().Parse(number)
	defer parsed.Wipe()
	brand, misfit, _ := card.Default().Claim(number)
	switch {
	case err == nil:
		return Fault{}
	case misfit < 0:
		return Fault{"number.short", []any{brand.Name}}
	case misfit > 0:
		return Fault{"number.long", []any{brand.Name}}
	}
	return Fault{Key: "number.wrong"}
}

// codeFault is what is wrong with the code of a number. How many digits it has
// the number's brand tells, though something else is wrong with the number; while
// none does, three and four will do.
func codeFault(code, number []byte) Fault {
	brand, _, known := card.Default().Claim(number)
	digits := len(bytes.Trim(code, "0123456789")) == 0
	switch {
	case len(code) == 0:
		return Fault{Key: "code.empty"}
	case digits && known && len(code) == brand.CodeLength, digits && !known && (len(code) == 3 || len(code) == 4):
		return Fault{}
	case brand.CodeLength == 4:
		return Fault{Key: "code.wrong.front"}
	}
	return Fault{Key: "code.wrong.back"}
}

// ParseExpiry reads the month of a card in every form people write it, as the
// script's readExpiry does, and says what is wrong with it.
func ParseExpiry(text string, now time.Time) (card.Expiry, Fault) {
	if text == "" {
		return card.Expiry{}, Fault{Key: "expiry.empty"}
	}
	month, year, ok := expiryOf(page.ASCIIDigits(text))
	e := card.Expiry{Month: month, Year: year}
	switch {
	case !ok:
		return e, Fault{Key: "expiry.wrong"}
	case month < 1 || month > 12:
		return e, Fault{Key: "expiry.month"}
	case e.Expired(now):
		return e, Fault{Key: "expiry.past"}
	}
	if _, err := card.ParseExpiry(month, year, now); err != nil {
		return e, Fault{Key: "expiry.wrong"}
	}
	return e, Fault{}
}

// expiryOf reads what people write: 10 / 30, 1030, 1/30, 10-2030, 102030, 2030-10.
func expiryOf(text string) (month, year int, ok bool) {
	parts := strings.FieldsFunc(text, func(c rune) bool { return c < '0' || '9' < c })
	if len(parts) == 1 && len(parts[0]) > 2 {
		parts = []string{parts[0][:2], parts[0][2:]}
	}
	if len(parts) != 2 {
		return 0, 0, false
	}
	if len(parts[0]) == 4 {
		parts[0], parts[1] = parts[1], parts[0]
	}
	if len(parts[0]) > 2 || len(parts[1]) != 2 && len(parts[1]) != 4 {
		return 0, 0, false
	}
	month, _ = strconv.Atoi(parts[0])
	year, _ = strconv.Atoi(parts[1])
	if len(parts[1]) == 2 {
		year += 2000
	}
	return month, year, true
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
