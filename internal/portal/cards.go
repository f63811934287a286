package portal

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/page"
	"ccms/internal/page/cardfields"
	"ccms/internal/page/session"
	"ccms/internal/portal/backend"
	"ccms/internal/problem"
)

// tile is a card in the list.
type tile struct {
	backend.Card
	Last4         string
	On            bool
	Expired, Soon bool // its month is over, or the next to be
}

// cardList is the data of cards.html.
type cardList struct {
	Cards      []tile
	Done       string // what was just done, in a sentence
	Undo       string // token of the card whose deletion can be undone
	Unverified string // address that has to be confirmed first
}

// soon is how long before a card's last day it is said to expire soon.
const soon = 60 * 24 * time.Hour

func tileOf(c backend.Card) tile {
	expiry, now := card.Expiry{Month: c.ExpiryMonth, Year: c.ExpiryYear}, time.Now()
	t := tile{Card: c, Last4: c.Number[max(0, len(c.Number)-4):], On: c.Status == "enabled", Expired: expiry.Expired(now)}
	t.Soon = !t.Expired && expiry.Expired(now.Add(soon))
	return t
}

func (s *Service) cards(w http.ResponseWriter, r *http.Request, who session.Session) error {
	v := s.signedIn(s.pages.View(r, "cards.title"), who)
	cards, err := s.services.Cards(r, who.Token)
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Code == "UNVERIFIED_ACCOUNT" {
		return s.confirmFirst(w, r, who, v)
	}
	if err != nil {
		return err
	}
	list := cardList{}
	for _, c := range cards {
		list.Cards = append(list.Cards, tileOf(c))
	}
	done := "cards.done." + r.URL.Query().Get("done")
	if text := v.T(done); text != done {
		list.Done = text
		list.Undo = r.URL.Query().Get("undo")
	}
	v.Data = list
	return s.pages.Render(w, http.StatusOK, "cards.html", v)
}

// confirmFirst is the page of cards before the e-mail address is confirmed
// (decision B3).
func (s *Service) confirmFirst(w http.ResponseWriter, r *http.Request, who session.Session, v page.View) error {
	account, err := s.services.Account(r, who.Token)
	if err != nil {
		return err
	}
	v.Data = cardList{Unverified: account.Email}
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
		if errors.Is(err, problem.NoResource()) {
			return page.Redirect(w, "/cards?done=gone") // in another window
		}
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
	if errors.Is(err, problem.NoResource()) {
		return page.Redirect(w, "/cards?done=gone")
	}
	if err != nil {
		return err
	}
	v := s.signedIn(s.pages.View(r, "delete.title", c.Vendor, c.Last4), who)
	v.Data = c
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
	Form *page.Form
	Key  string // makes a form that is sent twice one card
}

func (s *Service) addForm(w http.ResponseWriter, r *http.Request, who session.Session) error {
	v := s.signedIn(s.pages.View(r, "add.title"), who)
	form := v.NewForm(cardfields.Fields(v.Language, "")...)
	v.Scripts, v.Data = []string{"card.js"}, addCard{form, rand.Text()}
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
	v := s.signedIn(s.pages.View(r, "add.title"), who)
	data := addCard{v.NewForm(cardfields.Fields(v.Language, posted.Text("expiry"))...), posted.Text("key")}
	c := cardfields.Read(posted, v.Language, data.Form)
	if len(data.Form.Wrong()) == 0 {
		err := s.services.AddCard(r, who.Token, backend.NewCard{Number: c.Number, Code: c.Code, Month: c.Expiry.Month, Year: c.Expiry.Year, Key: data.Key})
		if err == nil {
			return s.added(w, r)
		}
		if data.Form.Notice = explainCard(v.Language, err); data.Form.Notice == nil {
			return err
		}
		if e, _ := errors.AsType[*problem.Error](err); e.Kind != problem.Unavailable && e.Kind != problem.Timeout {
			data.Key = rand.Text() // what is sent next is another try
		}
	}
	if cardfields.Scripted(r) {
		answer := cardfields.Refused(data.Form)
		answer.Key = data.Key
		return httpserver.WriteJSON(w, http.StatusBadRequest, answer)
	}
	v.Scripts, v.Error, v.Data = []string{"card.js"}, true, data
	return s.pages.Render(w, http.StatusBadRequest, "add-card.html", v)
}

// explainCard is what is said of a card that was refused, with the way to the
// page that helps.
func explainCard(l *page.Language, err error) *page.Notice {
	notice := explain(l, "add.", err)
	if notice == nil {
		return nil
	}
	switch e, _ := errors.AsType[*problem.Error](err); e.Code {
	case "CARD_EXISTS", "CARD_LIMIT":
		notice.Link, notice.LinkText = "/cards", l.T("nav.cards")
	case "UNVERIFIED_ACCOUNT":
		notice.Link, notice.LinkText = "/account", l.T("nav.account")
	}
	return notice
}

func (s *Service) added(w http.ResponseWriter, r *http.Request) error {
	const next = "/cards?done=added"
	if cardfields.Scripted(r) {
		return httpserver.WriteJSON(w, http.StatusOK, cardfields.Answer{Location: next})
	}
	return page.Redirect(w, next)
}
