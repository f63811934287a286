package firmcard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/listing"
	"ccms/internal/store"
)

// cardBody is a card as a firm sees it.
type cardBody struct {
	Token     string    `json:"token"`
	Mode      string    `json:"mode"`
	Status    string    `json:"status"`
	Brand     string    `json:"brand"`
	BIN       string    `json:"bin"`
	Last4     string    `json:"last4"`
	Expiry    string    `json:"expiry"` // MM/YYYY
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (c Card) body() cardBody {
	return cardBody{c.Token, c.Mode, c.Status, c.Brand, c.BIN, c.Last4, c.Expiry.String(), c.CreatedAt, c.UpdatedAt}
}

// Card returns a card of a firm, in either mode; one that is unknown, another
// firm's or deleted is 404 NOT_FOUND.
func (s *Service) Card(ctx context.Context, firmID, token string) (Card, error) {
	d, err := s.visible(ctx, caller{firm: firmID}, token)
	return d.view(token), err
}

// visible returns the card's document if the caller may know of it. A deleted
// card is nobody's.
func (s *Service) visible(ctx context.Context, who caller, token string) (document, error) {
	r, err := s.cards.Get(ctx, token)
	if errors.Is(err, store.ErrNotFound) || err == nil && (!who.sees(r.Value) || r.Value.Content == nil) {
		return document{}, notFound()
	}
	return r.Value, err
}

func (s *Service) handleGet(r *http.Request, _ httpserver.None) (cardBody, error) {
	token := r.PathValue("token")
	d, err := s.visible(r.Context(), callerOf(r), token)
	return d.view(token).body(), err
}

func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[cardBody], error) {
	who, query := callerOf(r), r.URL.Query()
	page, err := listing.Parse("cards", who.firm, query, "status", "brand", "last4", "expiring_before")
	if err != nil {
		return listing.Page[cardBody]{}, err
	}
	wanted, err := parseFilter(query)
	if err != nil {
		return listing.Page[cardBody]{}, err
	}
	return listing.Read(r.Context(), s.list(), page, func(rec store.Record[document]) (cardBody, bool) {
		v := rec.Value.view(rec.ID)
		return v.body(), who.sees(rec.Value) && rec.Value.Content != nil && wanted.takes(v)
	})
}

func (s *Service) list() listing.Source[document] {
	return listing.Source[document]{Documents: s.cards, Field: "card.listed", Key: func(d document) string { return d.Content.Listed }}
}

// filter selects cards; a zero field takes all.
type filter struct {
	status, brand, last4 string
	before               time.Time // the card's month has ended by then
}

func parseFilter(q url.Values) (filter, error) {
	f := filter{status: q.Get("status"), last4: q.Get("last4"), brand: q.Get("brand")}
	if f.status != "" && f.status != Enabled && f.status != Disabled || f.last4 != "" && !fourDigits(f.last4) {
		return f, wrongFilter()
	}
	if f.brand != "" {
		if f.brand = brandNamed(f.brand); f.brand == "" {
			return f, wrongFilter()
		}
	}
	if text := q.Get("expiring_before"); text != "" {
		month, err := time.Parse("2006-01", text)
		if err != nil {
			return f, wrongFilter()
		}
		f.before = month
	}
	return f, nil
}

// takes reports whether a card is selected. A card that ends with March is
// expiring before April.
func (f filter) takes(c Card) bool {
	switch {
	case f.status != "" && c.Status != f.status, f.last4 != "" && c.Last4 != f.last4, f.brand != "" && c.Brand != f.brand:
		return false
	case f.before.IsZero():
		return true
	}
	return time.Date(c.Expiry.Year, time.Month(c.Expiry.Month), 1, 0, 0, 0, 0, time.UTC).Before(f.before)
}

func fourDigits(s string) bool { return len(s) == 4 && strings.Trim(s, "0123456789") == "" }

// brandNamed is the display name of the brand a name means, "" for none.
func brandNamed(name string) string {
	for _, b := range card.Default().Brands() {
		if b.Named(name) {
			return b.Name
		}
	}
	return ""
}

// patchBody is the body of PATCH /v1/cards/{token}.
type patchBody struct {
	Status string `json:"status"`
}

func (s *Service) handlePatch(r *http.Request, in patchBody) (cardBody, error) {
	act := actEnable
	switch in.Status {
	case Enabled:
	case Disabled:
		act = actDisable
	default:
		return cardBody{}, wrongStatus()
	}
	c, err := s.change(r.Context(), callerOf(r), change{r.PathValue("token"), act, func(d *document) error {
		if d.Content == nil {
			return notFound()
		}
		if d.Status != in.Status {
			d.Status, d.UpdatedAt = in.Status, s.now().UTC().Truncate(time.Millisecond)
		}
		return nil
	}})
	return c.body(), err
}

// handleDelete erases a card at once and for good: a firm that wants it back
// registers it again.
func (s *Service) handleDelete(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	_, err := s.change(r.Context(), callerOf(r), change{r.PathValue("token"), actDelete, func(d *document) error {
		if d.Content == nil {
			return alreadyDeleted()
		}
		d.erase(s.now())
		return nil
	}})
	return httpserver.Message{Message: "The card is erased; its token means nothing any more."}, err
}

// change is one thing that may become of a card. What do refuses stays as it is.
type change struct {
	token string
	act   string
	do    func(*document) error
}

// change does ch to a card of the caller, on record.
func (s *Service) change(ctx context.Context, who caller, ch change) (Card, error) {
	r, err := s.cards.Get(ctx, ch.token)
	if errors.Is(err, store.ErrNotFound) || err == nil && !who.sees(r.Value) {
		return Card{}, notFound()
	}
	if err != nil {
		return Card{}, err
	}
	before := r.Value
	if err := ch.do(&r.Value); err != nil {
		return Card{}, err
	}
	err = s.audited(ctx, who.entry(ch.act, ch.token), func(*audit.Act) error {
		return s.announceTo(before.Status != r.Value.Status).Around(ctx, s.event(ch.act, ch.token, before), func() (err error) {
			r, err = s.cards.Update(ctx, ch.token, ch.do)
			if errors.Is(err, store.ErrNotFound) {
				return notFound() // the sweep took the tombstone meanwhile
			}
			return err
		})
	})
	if err != nil {
		return Card{}, err
	}
	s.metrics.count(ch.act)
	return r.Value.view(ch.token), nil
}
