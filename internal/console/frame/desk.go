package frame

import (
	"net/http"
	"net/url"

	"ccms/internal/console/backend"
	"ccms/internal/page"
	"ccms/internal/page/session"
)

// The modes of decision D8.
const (
	Test = "test"
	Live = "live"
)

// Desk is where a person works: on a firm in a mode, or on nothing in particular,
// and what he may do there. What he may not the services refuse; the desk spares
// him the button.
type Desk struct {
	Firm backend.Firm // zero on pages of none
	Mode string       // test or live; "" on pages of no firm
	// Operator reports whether he is one. On a firm's pages it is known of those
	// only who have no role in it.
	Operator bool

	frame *Frame
	who   session.Session
	from  origin // where he comes back to, after logging in
}

// Base is the path of the firm's pages in this mode.
func (d Desk) Base() string { return Base(d.Firm.ID, d.Mode) }

// Base is the path of a firm's pages in a mode.
func Base(firm, mode string) string { return FirmPath + "/" + url.PathEscape(firm) + "/" + mode }

// Person is the username of who is logged in.
func (d Desk) Person() string { return d.who.Person }

// Token is the Bearer token of who is logged in, for calls in his name.
func (d Desk) Token() string { return d.who.Token }

// Caller is for whom the services are asked: him, in the desk's firm and mode.
func (d Desk) Caller() backend.Caller {
	return backend.Caller{Token: d.who.Token, Firm: d.Firm.ID, Mode: d.Mode}
}

// Member reports whether he is one, and no operator without a role.
func (d Desk) Member() bool { return d.Firm.Role != "" }

// Manages reports whether he may change clients, cards, links, webhooks and rules.
func (d Desk) Manages() bool {
	return (d.Firm.Role == "admin" || d.Firm.Role == "owner") && !d.Firm.Suspended
}

// ManagesPeople reports whether he may invite and remove people.
func (d Desk) ManagesPeople() bool { return d.Manages() || !d.Member() }

// ManagesOwners reports whether he may make and remove owners.
func (d Desk) ManagesOwners() bool { return d.ManagesPeople() && d.Firm.Role != "admin" }

// ModeName is how the desk's mode is called on pages.
func (d Desk) ModeName() string { return modeName(d.Mode) }

func modeName(mode string) string { return map[string]string{Test: "Test", Live: "Live"}[mode] }

// NewForm is a form of fields.
func (d Desk) NewForm(fields ...*page.Field) *page.Form {
	return d.Language("en").NewForm(fields...)
}

// Language is the language with a tag, English for one there is not.
func (d Desk) Language(tag string) *page.Language {
	if l := d.frame.pages.Named(tag); l != nil {
		return l
	}
	return d.frame.pages.Named("en")
}

// PublicURL is where people reach the pages, without a trailing slash.
func (d Desk) PublicURL() string { return d.frame.c.PublicURL }

// Done returns the sentence for what the query says was done, "" for nothing.
func Done(r *http.Request, sentences map[string]string) string {
	return sentences[r.URL.Query().Get("done")]
}

// WithQuery appends a query to a path.
func WithQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// Onward adds a cursor to a query, "" for the first page.
func Onward(q url.Values, cursor string) url.Values {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}
