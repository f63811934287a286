package endpoint

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/tenant"
	"ccms/internal/webhook"
)

// The names of the acts in the audit record.
const (
	actCreate  = "webhook.create"
	actChange  = "webhook.change"
	actDelete  = "webhook.delete"
	actRotate  = "webhook.rotate"
	actDisable = "webhook.disable"
)

// The old key's life after a rotation.
const (
	defaultOverlap = 24 * time.Hour
	maxOverlap     = 7 * 24 * time.Hour
)

// view is an endpoint as its firm sees it.
type view struct {
	ID        string    `json:"id"`
	Mode      string    `json:"mode"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	Status    string    `json:"status"`
	Reason    string    `json:"reason,omitzero"`
	Failing   time.Time `json:"failing_since,omitzero"`
	OldUntil  time.Time `json:"old_secret_until,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func (s *Service) view(mode string, e Endpoint) view {
	v := view{
		ID: e.ID, Mode: mode, URL: e.URL, Events: e.Events, Status: e.Status, Reason: e.Reason,
		CreatedAt: e.CreatedAt.UTC(), UpdatedAt: e.UpdatedAt.UTC(),
	}
	if e.Failing != nil {
		v.Failing = e.Failing.UTC()
	}
	if s.c.Now().Before(e.OldUntil) {
		v.OldUntil = e.OldUntil.UTC()
	}
	return v
}

// NotFound says that there is no such endpoint: another firm's and an unknown
// one look alike (decision D1).
func NotFound() *problem.Error { return problem.NoResource() }

// Find returns an endpoint of the caller's firm, in a mode he may see, as it is
// stored; else NotFound.
func (s *Service) Find(ctx context.Context, id string) (Owner, Endpoint, error) {
	p := identity.FromContext(ctx)
	for _, mode := range tenant.Modes(p.Mode) {
		o := Owner{p.FirmID, mode}
		r, err := s.docs.Get(ctx, o.id())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return o, Endpoint{}, err
		}
		if e := r.Value.find(id); e != nil {
			return o, *e, nil
		}
	}
	return Owner{}, Endpoint{}, NotFound()
}

// Entry is the record of an act of the caller of r.
func Entry(r *http.Request, act, id string) audit.Entry {
	p := identity.FromContext(r.Context())
	return audit.Entry{
		Act: act, Actor: tenant.Actor(p), Object: id, Owner: p.FirmID,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}
}

// createBody is the body of POST /v1/webhooks.
type createBody struct {
	URL    string    `json:"url"`
	Events *[]string `json:"events"`
}

// handleCreate answers {"id","url","events","secret"}; the secret is told here
// and by handleRotate alone.
func (s *Service) handleCreate(r *http.Request, in createBody) (secret.Bytes, error) {
	mode, err := tenant.OneMode(identity.FromContext(r.Context()))
	if err != nil {
		return secret.Bytes{}, err
	}
	events := webhook.EventTypes()
	if in.Events != nil {
		events = *in.Events
	}
	if err := errors.Join(s.checkURL(mode, in.URL), checkEvents(events)); err != nil {
		return secret.Bytes{}, firstOf(err)
	}
	now := s.c.Now().UTC().Truncate(time.Millisecond)
	e := Endpoint{ID: newID(), URL: in.URL, Events: events, Status: Enabled, CreatedAt: now, UpdatedAt: now}
	key, text, err := s.newKey(r.Context(), e.ID)
	defer text.Wipe()
	if err != nil {
		return secret.Bytes{}, err
	}
	e.Key = key
	o := Owner{identity.FromContext(r.Context()).FirmID, mode}
	err = s.c.Audit.Do(r.Context(), Entry(r, actCreate, e.ID), func(*audit.Act) error {
		return s.update(r.Context(), o, func(b *book) error {
			if len(b.Endpoints) >= maxEndpoints {
				return problem.Validation("A firm has at most 20 endpoints in each mode; delete one first.")
			}
			b.Endpoints = append(b.Endpoints, e)
			return nil
		})
	})
	if err != nil {
		return secret.Bytes{}, err
	}
	return answer(struct {
		ID     string   `json:"id"`
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}{e.ID, e.URL, e.Events}, text)
}

// firstOf is the first of joined errors: one sentence is what an answer has.
func firstOf(err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()[0]
	}
	return err
}

// answer is v, a JSON object, with the secret as a further member.
func answer(v any, text secret.Bytes) (secret.Bytes, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return secret.Bytes{}, err
	}
	const name = `"secret":"`
	all := make([]byte, 0, len(b)+len(name)+text.Len()+3)
	all = append(all, b[:len(b)-1]...) // before the brace
	if len(b) > 2 {
		all = append(all, ',')
	}
	all = append(append(append(all, name...), text.Reveal()...), '"', '}')
	return secret.New(all), nil
}

// checkURL refuses what may not be called, and what looks as if it held a card
// number: URLs are shown and kept.
func (s *Service) checkURL(mode, raw string) error {
	if _, err := s.c.ParseURL(mode, raw); err != nil {
		return err
	}
	if card.Default().Within(raw) {
		return problem.Validation("Leave card numbers out of the endpoint's URL.")
	}
	return nil
}

func checkEvents(events []string) error {
	known := webhook.EventTypes()
	for i, e := range events {
		if !slices.Contains(known, e) || slices.Contains(events[:i], e) {
			return wrongEvents()
		}
	}
	if len(events) == 0 {
		return wrongEvents()
	}
	return nil
}

func wrongEvents() error {
	return problem.Validation("Name events of the API description, each once and at least one; without the member an endpoint gets all.")
}

func (s *Service) handleGet(r *http.Request, _ httpserver.None) (view, error) {
	o, e, err := s.Find(r.Context(), r.PathValue("id"))
	return s.view(o.Mode, e), err
}

// handleList gives all endpoints at once, the newest first: there are few.
func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[view], error) {
	p := identity.FromContext(r.Context())
	if _, err := listing.Parse("webhooks", p.FirmID, r.URL.Query()); err != nil {
		return listing.Page[view]{}, err
	}
	page := listing.Page[view]{Data: []view{}}
	for _, mode := range tenant.Modes(p.Mode) {
		found, err := s.docs.Get(r.Context(), Owner{p.FirmID, mode}.id())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return page, err
		}
		for _, e := range found.Value.Endpoints {
			page.Data = append(page.Data, s.view(mode, e))
		}
	}
	slices.SortStableFunc(page.Data, func(a, b view) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return page, nil
}

// patchBody is the body of PATCH /v1/webhooks/{id}; what is left out stays.
type patchBody struct {
	URL    *string   `json:"url"`
	Events *[]string `json:"events"`
	Status *string   `json:"status"`
}

func (in patchBody) apply(e *Endpoint) {
	if in.URL != nil {
		e.URL = *in.URL
	}
	if in.Events != nil {
		e.Events = *in.Events
	}
	if in.Status != nil {
		e.Status, e.Reason, e.Failing, e.Untold = *in.Status, "", nil, nil
	}
}

func (s *Service) handlePatch(r *http.Request, in patchBody) (view, error) {
	o, e, err := s.Find(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		return view{}, err
	case in.URL == nil && in.Events == nil && in.Status == nil:
		err = problem.Validation("Send what shall change: url, events or status.")
	case in.Status != nil && *in.Status != Enabled && *in.Status != Disabled:
		err = problem.Validation("Send the status enabled or disabled.")
	case in.Events != nil:
		err = checkEvents(*in.Events)
	}
	if err == nil && in.URL != nil {
		err = s.checkURL(o.Mode, *in.URL)
	}
	if err != nil {
		return view{}, err
	}
	e, err = s.change(r, o, changed{actChange, e.ID, in.apply})
	return s.view(o.Mode, e), err
}

// changed is an act on an endpoint, and what it does to it.
type changed struct {
	act, id string
	do      func(*Endpoint)
}

// change does ch on record and returns the endpoint after it.
func (s *Service) change(r *http.Request, o Owner, ch changed) (after Endpoint, err error) {
	err = s.c.Audit.Do(r.Context(), Entry(r, ch.act, ch.id), func(*audit.Act) error {
		return s.update(r.Context(), o, func(b *book) error {
			e := b.find(ch.id)
			if e == nil {
				return NotFound() // deleted meanwhile
			}
			ch.do(e)
			e.UpdatedAt = s.c.Now().UTC().Truncate(time.Millisecond)
			after = *e
			return nil
		})
	})
	return after, err
}

// handleDelete erases an endpoint and its keys; what waits for it is dropped
// when its turn comes.
func (s *Service) handleDelete(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	o, e, err := s.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return httpserver.Message{}, err
	}
	err = s.c.Audit.Do(r.Context(), Entry(r, actDelete, e.ID), func(*audit.Act) error {
		return s.update(r.Context(), o, func(b *book) error {
			b.Endpoints = slices.DeleteFunc(b.Endpoints, func(other Endpoint) bool { return other.ID == e.ID })
			return nil
		})
	})
	return httpserver.Message{Message: "The endpoint is deleted; nothing is sent to it any more."}, err
}

// rotateBody is the body of POST /v1/webhooks/{id}/rotate, which may be left out.
type rotateBody struct {
	ExpiresIn *int64 `json:"expires_in"` // seconds the old key still signs for
}

// handleRotate answers {"secret"}. The old key signs beside the new one for a
// while, so that a receiver changes over without a message refused.
func (s *Service) handleRotate() httpserver.Handler {
	with := httpserver.JSON(s.rotate)
	without := httpserver.JSON(func(r *http.Request, _ httpserver.None) (secret.Bytes, error) { return s.rotate(r, rotateBody{}) })
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.ContentLength == 0 {
			return without(w, r)
		}
		return with(w, r)
	}
}

func (s *Service) rotate(r *http.Request, in rotateBody) (secret.Bytes, error) {
	overlap := defaultOverlap
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < 0 || *in.ExpiresIn > int64(maxOverlap/time.Second) {
			return secret.Bytes{}, problem.Validation("Send expires_in in seconds, from 0 to 604800.")
		}
		overlap = time.Duration(*in.ExpiresIn) * time.Second
	}
	o, e, err := s.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return secret.Bytes{}, err
	}
	key, text, err := s.newKey(r.Context(), e.ID)
	defer text.Wipe()
	if err != nil {
		return secret.Bytes{}, err
	}
	until := s.c.Now().UTC().Truncate(time.Millisecond).Add(overlap)
	_, err = s.change(r, o, changed{actRotate, e.ID, func(e *Endpoint) {
		e.Key, e.OldKey, e.OldUntil = key, e.Key, until
		if overlap == 0 {
			e.OldKey, e.OldUntil = nil, time.Time{}
		}
	}})
	if err != nil {
		return secret.Bytes{}, err
	}
	return answer(struct{}{}, text)
}
