package frame

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"ccms/internal/page"
	"ccms/internal/problem"
)

// Sheet is what the data of every page has.
type Sheet struct {
	Desk
	Form   *page.Form // nil where nothing is filled in
	Done   string     // what was just done
	Notice string     // what went wrong that no field can mend
}

// Refused puts what a service said of a form to the field it names, else to the
// top; fields says by which words of a sentence which field is meant. Where a word
// is the name of a member, as programs send it, the field's label stands in its
// place. Errors that are no refusal are returned.
func (h *Sheet) Refused(err error, fields map[string]string) error {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok || e.Kind != problem.Invalid && e.Kind != problem.Conflict {
		return err
	}
	for word, id := range fields {
		if f := h.Form.Field(id); f != nil && strings.Contains(e.Details, word) {
			f.Error = e.Details
			if strings.Contains(word, "_") {
				f.Error = strings.ReplaceAll(e.Details, word, "“"+f.Label+"”")
			}
			return nil
		}
	}
	h.Notice = cmp.Or(e.Details, e.Message)
	return nil
}

// Need notes at a field that something has to be entered.
func (h *Sheet) Need(id, sentence string) {
	if field := h.Form.Field(id); field.Value == "" {
		field.Error = sentence
	}
}

// Good reports whether nothing is wrong with the form.
func (h *Sheet) Good() bool { return h.Notice == "" && (h.Form == nil || len(h.Form.Wrong()) == 0) }

// Status is that of a page with a form on it.
func (h *Sheet) Status() int {
	if h.Good() {
		return http.StatusOK
	}
	return http.StatusBadRequest
}
