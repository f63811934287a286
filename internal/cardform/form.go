package cardform

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/cardfields"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// formData is the data of form.html.
type formData struct {
	link
	Name   string // the firm's, to stand among words of any language
	Form   *page.Form
	Test   bool
	Back   string // host the person returns to, "" for none
	Cancel string // URL by which he returns without a card
	Frame  frame
}

// frame is what the script in a frame must know.
type frame struct {
	Embedder     string   `json:"embedder"` // the one origin it speaks to
	State        string   `json:"state"`
	Registration *outcome `json:"registration,omitempty"`
}

func (s *Service) show(w http.ResponseWriter, r *http.Request) error {
	l := s.language(r)
	k, err := s.open(r)
	if err != nil {
		return s.refused(w, r, err)
	}
	if k.State != "open" {
		return s.ended(w, r, k)
	}
	return s.render(w, http.StatusOK, s.view(r, l, k, newForm(l, k, "")))
}

func newForm(l *page.Language, k link, expiry string) formData {
	fields := append(cardfields.Fields(l, expiry),
		&page.Field{ID: "name", Label: l.T("hosted.name"), Hint: l.T("hosted.name.hint"), Autocomplete: "cc-name"})
	if names := k.accepted(); names != "" {
		fields[0].Hint += ". " + l.T("hosted.accepts", names)
	}
	d := formData{link: k, Name: isolate(k.Firm), Form: l.NewForm(fields...), Test: k.Environment == "test", Frame: frame{Embedder: k.Origin, State: k.State}}
	if !k.framed && k.ReturnURL != "" {
		d.Back, d.Cancel = hostOf(k.ReturnURL), withQuery(k.ReturnURL, pair{"status", "cancelled"})
	}
	return d
}

func (s *Service) view(r *http.Request, l *page.Language, k link, d formData) page.View {
	v := page.View{
		Language: l, Title: l.T("hosted.title", isolate(k.Firm)), Here: r.URL.Path, Hosted: true,
		Scripts: []string{"card.js"}, Data: d, Error: d.Form.Notice != nil || len(d.Form.Wrong()) > 0,
	}
	if k.ReturnURL != "" {
		v.Onward = []string{originOf(k.ReturnURL)}
	}
	return framed(r, v, k)
}

// framed lets the page be shown in a frame where the link is for one, on pages
// of one origin, and as light or dark as those are.
func framed(r *http.Request, v page.View, k link) page.View {
	if k.framed {
		if scheme := r.URL.Query().Get("scheme"); scheme == "light" || scheme == "dark" {
			v.Scheme = scheme
		}
		v.Embedders, v.Scripts = []string{k.Origin}, []string{"frame.js"}
	}
	return v
}

func (s *Service) render(w http.ResponseWriter, status int, v page.View) error {
	return s.pages.Render(w, status, "form.html", v)
}

// post checks the form as the script does and sends it on.
func (s *Service) post(w http.ResponseWriter, r *http.Request) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	l := s.language(r)
	k, err := s.open(r)
	switch {
	case err == nil && k.State != "open", withdrawn(err):
		return s.again(w, r)
	case err != nil:
		return err
	}
	d := newForm(l, k, posted.Text("expiry"))
	c := cardfields.Read(posted, l, d.Form)
	name := posted.Secret("name")
	checkName(l, d.Form, name)
	if len(c.Brands) > 0 && !k.accepts(c.Brands) {
		d.Form.Field("number").Error = l.T("hosted.script.number.brand", c.Brands[0].Name)
	}
	if len(d.Form.Wrong()) == 0 {
		made, err := s.submit(r, c, name)
		if err == nil {
			return s.done(w, r, k, made)
		}
		if withdrawn(err) {
			return s.again(w, r)
		}
		if !explain(l, d, err) {
			return err
		}
	}
	if cardfields.Scripted(r) {
		return httpserver.WriteJSON(w, http.StatusBadRequest, cardfields.Refused(d.Form))
	}
	return s.render(w, http.StatusBadRequest, s.view(r, l, k, d))
}

// checkName refuses what people put into the wrong field: a number, or a code.
// Elsewhere the name of the holder may be shown and printed.
func checkName(l *page.Language, form *page.Form, name secret.Bytes) {
	digits, others := 0, 0
	for text := name.Reveal(); len(text) > 0; {
		c, size := utf8.DecodeRune(text)
		text = text[size:]
		switch {
		case unicode.Is(unicode.Nd, c):
			digits++
		case !unicode.IsSpace(c):
			others++
		}
	}
	switch {
	case digits+others == 0:
		form.Field("name").Error = l.T("hosted.script.name.empty")
	case digits > 11, others == 0 && (digits == 3 || digits == 4):
		form.Field("name").Error = l.T("hosted.script.name.digits")
	}
}

// withdrawn reports whether the link came to its end meanwhile.
func withdrawn(err error) bool {
	e, ok := errors.AsType[*problem.Error](err)
	return ok && (e.Kind == problem.NotFound || strings.HasPrefix(e.Code, "LINK_") && e.Code != "LINK_IN_USE")
}

// explain puts a refusal of the card service into words for the person, at the
// field where it belongs; false when he can do nothing about it.
func explain(l *page.Language, d formData, err error) bool {
	e, ok := errors.AsType[*problem.Error](err)
	if !ok {
		return false
	}
	field := map[string]string{"INVALID_CARD": "number", "INVALID_EXPIRY": "expiry", "INVALID_CVV": "code", "VALIDATION_ERROR": "name"}[e.Code]
	key := "hosted." + e.Code
	if d.Test && e.Code == "INVALID_CARD" {
		key += ".test"
	}
	text := l.T(key)
	switch {
	case text == key:
		return false
	case field != "":
		d.Form.Field(field).Error = text
	default:
		d.Form.Notice = &page.Notice{Text: text}
	}
	return true
}

// registered is what the script is told of a card that is.
type registered struct {
	cardfields.Answer
	Registration *outcome `json:"registration,omitempty"`
}

// done leads on after a card was registered. The answer to the form is never a
// page itself, so that loading that again sends nothing.
func (s *Service) done(w http.ResponseWriter, r *http.Request, k link, made outcome) error {
	next := r.URL.RequestURI()
	if k.leadsBack() {
		next = k.returnWith(&made)
	}
	if !cardfields.Scripted(r) {
		return page.Redirect(w, next)
	}
	answer := registered{Answer: cardfields.Answer{Location: next}}
	if k.Mode == embedMode {
		answer.Registration = &made // the page around the frame is told
	}
	return httpserver.WriteJSON(w, http.StatusOK, answer)
}

// again has the page loaded anew, which says what became of the link.
func (s *Service) again(w http.ResponseWriter, r *http.Request) error {
	if cardfields.Scripted(r) {
		return httpserver.WriteJSON(w, http.StatusOK, cardfields.Answer{Location: r.URL.RequestURI()})
	}
	return page.Redirect(w, r.URL.RequestURI())
}
