package portal

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/session"
	"ccms/internal/portal/backend"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// tile is a card in the list.
type tile struct {
	backend.Card
	Last4 string
	On    bool
}

// cardList is the data of cards.html.
type cardList struct {
	Cards []tile
	Done  string // what was just done, in a sentence
	Undo  string // token of the card whose deletion can be undone
}

func tileOf(c backend.Card) tile {
	return tile{Card: c, Last4: c.Number[max(0, len(c.Number)-4):], On: c.Status == "enabled"}
}

func (s *Service) cards(w http.ResponseWriter, r *http.Request, who session.Session) error {
	cards, err := s.services.Cards(r, who.Token)
	if err != nil {
		return err
	}
	v := s.pages.View(r, "cards.title")
	list := cardList{}
	for _, c := range cards {
		list.Cards = append(list.Cards, tileOf(c))
	}
	done := "cards.done." + r.URL.Query().Get("done")
	if text := v.T(done); text != done {
		list.Done = text
		list.Undo = r.URL.Query().Get("undo")
	}
	v.Person, v.Data = who.Person, list
	return s.pages.Render(w, http.StatusOK, "cards.html", v)
}

// find returns the person's card with the token in the path.
func (s *Service) find(r *http.Request, who session.Session) (tile, error) {
	cards, err := s.services.Cards(r, who.Token)
	if err != nil {
		return tile{}, err
	}
	for _, c := range cards {
		if c.Token == r.PathValue("card") {
			return tileOf(c), nil
		}
	}
	return tile{}, problem.NoResource()
}

// turn brings a card into the state the person chose: a button pressed twice,
// or on an old page, does not turn it back.
func (s *Service) turn(on bool) session.Handler {
	done := map[bool]string{true: "on", false: "off"}[on]
	return func(w http.ResponseWriter, r *http.Request, who session.Session) error {
		c, err := s.find(r, who)
		if err != nil {
			return err
		}
		if c.On != on {
			if _, err := s.services.Toggle(r, who.Token, c.Token); err != nil {
				return err
			}
		}
		return page.Redirect(w, "/cards?done="+done)
	}
}

func (s *Service) deleteForm(w http.ResponseWriter, r *http.Request, who session.Session) error {
	c, err := s.find(r, who)
	if err != nil {
		return err
	}
	v := s.pages.View(r, "delete.title", c.Vendor, c.Last4)
	v.Person, v.Data = who.Person, c
	return s.pages.Render(w, http.StatusOK, "delete-card.html", v)
}

func (s *Service) delete(w http.ResponseWriter, r *http.Request, who session.Session) error {
	token := r.PathValue("card")
	err := s.services.DeleteCard(r, who.Token, token)
	if e, ok := errors.AsType[*problem.Error](err); ok && (e.Code == "ALREADY_DELETED" || e.Code == "CARD_NOT_FOUND") {
		return page.Redirect(w, "/cards?done=gone") // in another window
	}
	if err != nil {
		return err
	}
	return page.Redirect(w, "/cards?done=deleted&undo="+url.QueryEscape(token))
}

func (s *Service) restore(w http.ResponseWriter, r *http.Request, who session.Session) error {
	err := s.services.RestoreCard(r, who.Token, r.PathValue("card"))
	if e, ok := errors.AsType[*problem.Error](err); ok && (e.Kind == problem.Conflict || e.Kind == problem.NotFound) {
		return page.Redirect(w, "/cards?done=late")
	}
	if err != nil {
		return err
	}
	return page.Redirect(w, "/cards?done=restored")
}

// addCard is the data of add-card.html.
type addCard struct {
	Form   *page.Form
	Notice string
	Key    string // for a form that is sent twice
}

func addFields(l *page.Language, expiry string) *page.Form {
	return l.NewForm(
		&page.Field{ID: "number", Label: l.T("card.number"), Hint: l.T("card.number.hint"), InputMode: "numeric", Autocomplete: "cc-number", Code: true, Brand: true},
		&page.Field{ID: "expiry", Label: l.T("card.expiry"), Hint: l.T("card.expiry.hint", time.Now().UTC().AddDate(3, 0, 0).Format("06")), InputMode: "numeric", Autocomplete: "cc-exp", Value: expiry, Code: true},
		&page.Field{ID: "code", Label: l.T("card.code"), Hint: l.T("card.code.hint"), InputMode: "numeric", Autocomplete: "cc-csc", Code: true},
	)
}

func (s *Service) addForm(w http.ResponseWriter, r *http.Request, who session.Session) error {
	v := s.pages.View(r, "add.title")
	v.Person, v.Scripts, v.Data = who.Person, []string{"card.js"}, addCard{Form: addFields(v.Language, ""), Key: rand.Text()}
	return s.pages.Render(w, http.StatusOK, "add-card.html", v)
}

// add checks the form as the script does, for who has none, and sends it on.
// The number and the code are never shown again.
func (s *Service) add(w http.ResponseWriter, r *http.Request, who session.Session) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	v := s.pages.View(r, "add.title")
	v.Person, v.Scripts = who.Person, []string{"card.js"}
	data := addCard{Form: addFields(v.Language, posted.Text("expiry")), Key: posted.Text("key")}
	c, ok := s.readCard(posted, v.Language, data.Form)
	if ok {
		err := s.services.AddCard(r, who.Token, c)
		if err == nil {
			return s.added(w, r)
		}
		if data.Notice = explain(v.Language, "add.", err); data.Notice == "" {
			return err
		}
		data.Key = rand.Text() // what is sent next is another try
	}
	if scripted(r) {
		return httpserver.WriteJSON(w, http.StatusBadRequest, data.answer())
	}
	v.Error, v.Data = true, data
	return s.pages.Render(w, http.StatusBadRequest, "add-card.html", v)
}

// scripted reports whether the form was sent by its script, which stays on the
// page and wants to know what to show.
func scripted(r *http.Request) bool { return r.Header.Get("Accept") == "application/json" }

// formAnswer is what the script of a form is told.
type formAnswer struct {
	Location string            `json:"location,omitzero"` // where to go on to
	Notice   string            `json:"notice,omitzero"`
	Errors   map[string]string `json:"errors,omitzero"` // by field
}

func (s *Service) added(w http.ResponseWriter, r *http.Request) error {
	const next = "/cards?done=added"
	if scripted(r) {
		return httpserver.WriteJSON(w, http.StatusOK, formAnswer{Location: next})
	}
	return page.Redirect(w, next)
}

func (a addCard) answer() formAnswer {
	answer := formAnswer{Notice: a.Notice, Errors: map[string]string{}}
	for _, f := range a.Form.Wrong() {
		answer.Errors[f.ID] = f.Error
	}
	return answer
}

// readCard reads the three fields and notes what is wrong with them.
func (s *Service) readCard(posted *page.Posted, l *page.Language, form *page.Form) (backend.NewCard, bool) {
	c := backend.NewCard{Number: posted.Digits("number"), Code: posted.Digits("code"), Key: posted.Text("key")}
	wrong := func(id, key string, args ...any) { form.Field(id).Error = l.T(key, args...) }
	number, err := card.Default().Parse(c.Number.Reveal())
	switch {
	case c.Number.Len() == 0:
		wrong("number", "card.number.empty")
	case err != nil:
		wrong("number", "card.number.wrong")
	}
	defer number.Wipe()
	switch expiry, err := card.ParseExpiryText(tidyExpiry(posted.Text("expiry")), time.Now()); {
	case posted.Text("expiry") == "":
		wrong("expiry", "card.expiry.empty")
	case err != nil:
		wrong("expiry", "card.expiry.wrong")
	default:
		c.Month, c.Year = expiry.Month, expiry.Year
	}
	switch length := max(3, number.Brand().CodeLength); {
	case c.Code.Len() == 0:
		wrong("code", "card.code.empty")
	case !allDigits(c.Code, length):
		wrong("code", map[bool]string{true: "card.code.wrong.front", false: "card.code.wrong.back"}[length == 4])
	}
	return c, len(form.Wrong()) == 0
}

// tidyExpiry brings what people write (10 / 30, 1030, 1/30, 10-2030, 102030) into
// a form package card reads, as the script's readExpiry does. What it does not
// know comes back as it is.
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
