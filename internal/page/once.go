package page

import (
	"bytes"
	"errors"
	"html/template"

	"ccms/internal/secret"
)

// onceMark stands in a rendered page where the secret of View.Once goes, so that
// the secret does not pass through templates, which make strings. It holds what
// templates escape, so no text of a person can pass for it.
const onceMark = `<!--once-->`

// once is {{once}} of templates.
func once() template.HTML { return onceMark }

var errOnce = errors.New("page: a secret that is no plain text")

// insert returns the page with the secret in its place. The caller wipes it.
func insert(body []byte, text secret.Bytes) ([]byte, error) {
	if bytes.ContainsAny(text.Reveal(), "<>&\"'`") {
		return nil, errOnce
	}
	before, after, _ := bytes.Cut(body, []byte(onceMark))
	all := make([]byte, 0, len(body)+text.Len())
	return append(append(append(all, before...), text.Reveal()...), after...), nil
}
