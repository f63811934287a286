package cardform

import (
	"net/url"
	"strings"
)

// pair is a parameter of a URL.
type pair struct{ name, value string }

// returnWith is the return URL with what became of the card, or without when
// nobody entered one.
func (k link) returnWith(o *outcome) string {
	if o == nil {
		return withQuery(k.ReturnURL, pair{"status", k.State})
	}
	return withQuery(k.ReturnURL, pair{"registration_id", o.ID}, pair{"status", o.Status})
}

// withQuery adds parameters to a URL and leaves the rest of it byte for byte:
// a firm may have signed it. Parameters of the same names that stood there are
// taken out, so that nobody but us says what became of a card. "" stays "".
func withQuery(to string, pairs ...pair) string {
	u, err := url.Parse(to)
	if err != nil || to == "" {
		return ""
	}
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err != nil || part == "" || named(pairs, plain) {
			continue
		}
		kept = append(kept, part)
	}
	for _, p := range pairs {
		kept = append(kept, p.name+"="+url.QueryEscape(p.value))
	}
	u.RawQuery = strings.Join(kept, "&")
	return u.String()
}

func named(pairs []pair, name string) bool {
	for _, p := range pairs {
		if p.name == name {
			return true
		}
	}
	return false
}

// originOf is the origin of a URL, as a policy names it.
func originOf(of string) string {
	u, err := url.Parse(of)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// hostOf is what a person knows a URL by.
func hostOf(of string) string {
	u, err := url.Parse(of)
	if err != nil {
		return ""
	}
	return u.Host
}

// isolate keeps a name in another script from turning the words around it
// (Unicode UAX 9, first strong isolate).
func isolate(name string) string { return "\u2068" + name + "\u2069" }
