// Package endpoint owns where a firm wants to be told of events (decision D7):
// its endpoints, which events each is for, the keys that sign what it gets, and
// whether it is still called. Sending is package delivery's, the signature and
// the guard against private networks package webhook's; who may change
// endpoints is told by the function handed in as Require.
package endpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/meter"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/webhook"
)

const (
	// maxEndpoints is how many a firm has in a mode; each is one more write for
	// every event.
	maxEndpoints = 20
	// knownFor is how long a process remembers a firm's endpoints, and knownFirms
	// of how many. A change on another instance holds here that much later.
	knownFor   = time.Second
	knownFirms = 4096
	// failingFor is how long nothing but failures may come from an endpoint until
	// it is called no more: longer than the retries of one event take.
	failingFor = 5 * 24 * time.Hour
)

// The statuses of an endpoint.
const (
	Enabled  = "enabled"
	Disabled = "disabled"
)

// The reasons why we disabled an endpoint.
const (
	Failing = "failing" // nothing but failures for five days
	Gone    = "gone"    // it answered 410
)

// Endpoint is where a firm wants to be told of events.
type Endpoint struct {
	ID       string     `bson:"id"`
	URL      string     `bson:"url"`
	Events   []string   `bson:"events"`
	Status   string     `bson:"status"`
	Reason   string     `bson:"reason,omitempty"`  // why we disabled it
	Failing  *time.Time `bson:"failing,omitempty"` // since when it does nothing else
	Key      []byte     `bson:"key"`               // sealed
	OldKey   []byte     `bson:"oldKey,omitempty"`  // sealed; signs too until OldUntil
	OldUntil time.Time  `bson:"oldUntil,omitempty"`
	// Untold is when we disabled it, until the firm's people have been told.
	Untold    *time.Time `bson:"untold,omitempty"`
	CreatedAt time.Time  `bson:"createdAt"`
	UpdatedAt time.Time  `bson:"updatedAt"`
}

// Wants reports whether the endpoint is to be told of an event now.
func (e *Endpoint) Wants(eventType string) bool {
	return e.Status == Enabled && slices.Contains(e.Events, eventType)
}

// book is one document of the collection Webhook: all endpoints of a firm in one
// mode, so that a registration asks for them with one look. Its id is Owner's.
type book struct {
	Endpoints []Endpoint `bson:"endpoints"`
	// Untold is set while one of them is, by which the book is found.
	Untold string `bson:"untold,omitempty"`
}

// find returns the endpoint with an id, nil when there is none.
func (b *book) find(id string) *Endpoint {
	i := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.ID == id })
	if i < 0 {
		return nil
	}
	return &b.Endpoints[i]
}

// Owner is a firm in one mode.
type Owner struct{ FirmID, Mode string }

func (o Owner) id() string { return o.FirmID + "/" + o.Mode }

// Sealer seals signing keys; keyring.Ring is one.
type Sealer interface {
	Seal(ctx context.Context, purpose, id string, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, purpose, id string, sealed []byte) (secret.Bytes, error)
}

// Config is what Open needs.
type Config struct {
	DB     store.DB
	Audit  *audit.Log
	Sealer Sealer
	// ParseURL refuses URLs that may not be called; webhook.Client's.
	ParseURL func(mode, raw string) (*url.URL, error)
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope; tenant.Guard's.
	Require func(scope string) httpserver.Authenticate
	// Tell has a firm's people told of an endpoint that we disabled; what it does
	// may be done twice. Default: nobody is told.
	Tell func(context.Context, Notice) error
	// Log is told what nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the endpoints of all firms; safe for concurrent use.
type Service struct {
	c        Config
	docs     *store.Of[book]
	known    *identity.Memory[[]Endpoint]
	wake     chan struct{}
	disabled *meter.Counters
}

// Open opens the collection Webhook in c.DB.
func Open(ctx context.Context, c Config) (*Service, error) {
	docs, err := store.Open[book](ctx, c.DB, store.Spec{Name: "Webhook", Ordered: []string{fieldUntold}})
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{
		c: c, docs: docs, known: identity.NewMemory[[]Endpoint](knownFirms), wake: make(chan struct{}, 1),
		disabled: meter.NewCounters("ccms_webhook_endpoints_disabled_total", "Endpoints of firms that are called no more, by why.", "reason"),
	}
	for _, reason := range []string{Failing, Gone} {
		s.disabled.With(reason)
	}
	return s, nil
}

// Collectors are the service's metrics, for a registry.
func (s *Service) Collectors() []meter.Collector { return []meter.Collector{s.disabled} }

// Routes registers the firms' routes for endpoints (decision D6).
func (s *Service) Routes(mux *httpserver.Mux) {
	route := func(pattern string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(s.c.Require(identity.ScopeWebhooks), h))
	}
	route("POST /v1/webhooks", httpserver.JSON(s.handleCreate, httpserver.JSONOptions{Status: http.StatusCreated}))
	route("GET /v1/webhooks", httpserver.JSON(s.handleList))
	route("GET /v1/webhooks/{id}", httpserver.JSON(s.handleGet))
	route("PATCH /v1/webhooks/{id}", httpserver.JSON(s.handlePatch))
	route("DELETE /v1/webhooks/{id}", httpserver.JSON(s.handleDelete))
	route("POST /v1/webhooks/{id}/rotate", s.handleRotate())
}

// Of returns the endpoints of a firm in a mode, as they were a second ago at
// most; the caller changes nothing in them.
func (s *Service) Of(ctx context.Context, o Owner) ([]Endpoint, error) {
	digest, now := identity.DigestOf(o.id()), s.c.Now()
	if all, ok := s.known.Get(digest, now); ok {
		return all, nil
	}
	r, err := s.docs.Get(ctx, o.id())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	s.known.Put(digest, r.Value.Endpoints, now.Add(knownFor))
	return r.Value.Endpoints, nil
}

// Get returns an endpoint of a firm in a mode, as Of does, and whether there is
// one. One that another instance made a moment ago is there.
func (s *Service) Get(ctx context.Context, o Owner, id string) (Endpoint, bool, error) {
	all, err := s.Of(ctx, o)
	if err != nil {
		return Endpoint{}, false, err
	}
	if found := (&book{Endpoints: all}).find(id); found != nil {
		return *found, true, nil
	}
	r, err := s.docs.Get(ctx, o.id())
	if errors.Is(err, store.ErrNotFound) {
		return Endpoint{}, false, nil
	}
	found := r.Value.find(id)
	if err != nil || found == nil {
		return Endpoint{}, false, err
	}
	return *found, true, nil
}

// Keys are what signs for the endpoint now: one key, or two while one replaces
// the other. The caller wipes them.
func (s *Service) Keys(ctx context.Context, e Endpoint) ([]secret.Bytes, error) {
	sealed := [][]byte{e.Key}
	if len(e.OldKey) > 0 && s.c.Now().Before(e.OldUntil) {
		sealed = append(sealed, e.OldKey)
	}
	var keys []secret.Bytes
	for _, text := range sealed {
		key, err := s.c.Sealer.Open(ctx, purpose, e.ID, text)
		if err != nil {
			return keys, fmt.Errorf("webhook: open a signing key: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// purpose keeps sealed signing keys apart from what else is sealed.
const purpose = "webhook"

// newKey makes a signing key: sealed, and as text, which the caller wipes.
func (s *Service) newKey(ctx context.Context, id string) (sealed []byte, text secret.Bytes, err error) {
	key := webhook.NewSecret()
	defer key.Wipe()
	sealed, err = s.c.Sealer.Seal(ctx, purpose, id, key.Reveal())
	if err != nil {
		return nil, secret.Bytes{}, fmt.Errorf("webhook: seal a signing key: %w", err)
	}
	return sealed, webhook.FormatSecret(key), nil
}

func newID() string { return "wh_" + strings.ToLower(rand.Text()) }

// update changes a firm's endpoints in one write, and remembers what they are.
func (s *Service) update(ctx context.Context, o Owner, do func(*book) error) error {
	change := func(b *book) error {
		err := do(b)
		b.mark()
		return err
	}
	for {
		r, err := s.docs.Update(ctx, o.id(), change)
		if errors.Is(err, store.ErrNotFound) {
			r.Value = book{}
			if err = change(&r.Value); err == nil {
				err = s.docs.Insert(ctx, o.id(), r.Value)
			}
			if errors.Is(err, store.ErrExists) {
				continue
			}
		}
		if err == nil {
			s.known.Put(identity.DigestOf(o.id()), r.Value.Endpoints, s.c.Now().Add(knownFor))
		}
		return err
	}
}

// errSame ends a change that changes nothing.
var errSame = errors.New("webhook: nothing to change")

// Answered notes that an endpoint took an event; that is written only after
// failures.
func (s *Service) Answered(ctx context.Context, o Owner, e Endpoint) error {
	if e.Failing == nil {
		return nil
	}
	return s.note(ctx, o, e.ID, func(e *Endpoint) error {
		if e.Failing == nil {
			return errSame
		}
		e.Failing = nil
		return nil
	})
}

// Failed notes that an endpoint did not take an event. One that answered that it
// is gone, or failed for five days on end, is called no more: that is on record.
func (s *Service) Failed(ctx context.Context, o Owner, e Endpoint, gone bool) error {
	now := s.c.Now().UTC().Truncate(time.Millisecond)
	if !gone && e.Failing != nil && now.Sub(*e.Failing) < failingFor || e.Status == Disabled {
		return nil
	}
	if !gone && e.Failing == nil {
		return s.note(ctx, o, e.ID, func(e *Endpoint) error {
			if e.Failing != nil {
				return errSame
			}
			e.Failing = &now
			return nil
		})
	}
	reason := Failing
	if gone {
		reason = Gone
	}
	return s.disable(ctx, o, e.ID, reason)
}

func (s *Service) disable(ctx context.Context, o Owner, id, reason string) error {
	err := s.c.Audit.Do(ctx, audit.Entry{Act: actDisable, Actor: "webhook", Object: id, Owner: o.FirmID, Reason: reason}, func(*audit.Act) error {
		return s.note(ctx, o, id, func(e *Endpoint) error {
			if e.Status == Disabled {
				return errSame
			}
			e.Status, e.Reason = Disabled, reason
			e.Untold = new(s.c.Now().UTC().Truncate(time.Millisecond))
			return nil
		})
	})
	if err == nil {
		s.rouse()
		s.disabled.With(reason).Inc()
		s.c.Log.WarnContext(ctx, "endpoint of a firm is disabled", "ccms.webhook.endpoint", id, "ccms.webhook.reason", reason)
	}
	return err
}

// note changes one endpoint, if it is there and there is something to change.
func (s *Service) note(ctx context.Context, o Owner, id string, change func(*Endpoint) error) error {
	err := s.update(ctx, o, func(b *book) error {
		e := b.find(id)
		if e == nil {
			return errSame
		}
		return change(e)
	})
	if errors.Is(err, errSame) {
		return nil
	}
	return err
}
