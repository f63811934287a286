// Package delivery owns how events reach firms (decision D7): each event for
// each endpoint is one document, from before the event happened to the end of
// the log. It decides when an endpoint is called and called again, keeps what it
// answered, and lets a firm send an event once more. Endpoints and their keys
// are package endpoint's; the call itself, with its signature and its guard
// against private networks, is package webhook's.
//
// # At least once, and nothing that did not happen
//
// An event is announced: its documents are durable before the act it tells of.
// When the act succeeded the event is sent from memory. When the process died in
// between, or the act failed, the documents come due by themselves, and then who
// announced the event says whether to send or to drop them (see Ask). So neither is an event
// lost nor is one sent of something that did not happen, and a firm without
// endpoints pays no write.
//
// # Fairness
//
// Each endpoint has a lane of its own, in the store and in memory. A lane
// begins with one call at a time and makes a few at once while its endpoint is
// quick; one that fails or is slow gets one again. Endpoints that are slow share
// half of the places for calls among themselves, and of the other half a firm
// has a few: so a slow firm cannot take the places of others, whatever waits for
// it. The lanes of a suspended firm stand still, at the price of a look at the
// first of each.
package delivery

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/listing"
	"ccms/internal/store"
	"ccms/internal/webhook"
	"ccms/internal/webhook/endpoint"
)

const (
	// lease is how long a delivery belongs to who works on it; callTime is what
	// of it a call needs.
	lease    = 30 * time.Second
	callTime = 20 * time.Second
	// kept is how long the log of a delivery is, from the event.
	kept = 30 * 24 * time.Hour
	// keptAttempts bounds the log of one delivery that is sent again and again.
	keptAttempts = 20
)

// The states of a delivery.
const (
	Waiting   = "waiting"
	Delivered = "delivered"
	Failed    = "failed"
)

// document is one document of the collection WebhookDelivery: an event for an
// endpoint. Its id is both their ids.
type document struct {
	Endpoint string `bson:"endpoint"`
	Firm     string `bson:"firm"`
	Mode     string `bson:"mode"`
	Event    string `bson:"event"`
	Type     string `bson:"type"`
	Body     []byte `bson:"body"` // as it is sent
	// Lane is the endpoint and when the delivery is due, while it waits.
	Lane   string `bson:"lane,omitempty"`
	Listed string `bson:"listed"` // endpoint and time of the event, the order of the log
	State  string `bson:"state"`
	// Announced is set until it is known that the event happened.
	Announced bool      `bson:"announced,omitempty"`
	Tries     int       `bson:"tries"` // since the event, or since it was last replayed
	Attempts  []attempt `bson:"attempts,omitempty"`
	CreatedAt time.Time `bson:"createdAt"`
	Expires   time.Time `bson:"expires"`
}

func (d *document) owner() endpoint.Owner { return endpoint.Owner{FirmID: d.Firm, Mode: d.Mode} }

// id is the document's, of an endpoint and an event.
func id(endpointID, eventID string) string { return endpointID + "." + eventID }

// laneTime orders as text and has no run of digits that could pass for a number.
const laneTime = "20060102T150405.000"

func laneAt(endpointID string, due time.Time) string {
	return endpointID + "/" + due.UTC().Format(laneTime)
}

// due is when the delivery may be taken; the zero time when it waits no more.
func (d *document) due() time.Time {
	if len(d.Lane) <= len(laneTime) {
		return time.Time{}
	}
	at, _ := time.Parse(laneTime, d.Lane[len(d.Lane)-len(laneTime):])
	return at
}

// Endpoints are the endpoints of firms; *endpoint.Service is them.
type Endpoints = *endpoint.Service

// Client calls an endpoint once; *webhook.Client does.
type Client interface {
	Post(ctx context.Context, d webhook.Delivery) (webhook.Answer, error)
}

// Config is what Open needs.
type Config struct {
	DB        store.DB
	Endpoints Endpoints
	// Client makes the calls; one whose StatusOnly is set.
	Client Client
	Audit  *audit.Log
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope; tenant.Guard's.
	Require func(scope string) httpserver.Authenticate
	// Suspended tells whether a firm is suspended: what it is to be told waits
	// until it is no more, as long as the log is kept. Default: no firm is.
	Suspended func(ctx context.Context, firmID string) (bool, error)
	// Parallel is how many calls are made at once, half of them to endpoints that
	// are slow; PerFirm how many of the other half to endpoints of one firm, and
	// PerEndpoint how many to one endpoint. Default 512, 32 and 4.
	Parallel, PerFirm, PerEndpoint int
	// Slow is how long a call may take before its endpoint gets one at a time, and
	// counts as slow; default 1 s.
	Slow time.Duration
	// Poll is how often what other processes left behind is looked for; default
	// 1 s. What this process announces is sent at once.
	Poll time.Duration
	// Log is told what nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service delivers the events of all firms; safe for concurrent use.
type Service struct {
	c       Config
	docs    *store.Of[document]
	metrics metrics
	wake    chan struct{}       // there may be something to do
	low     chan struct{}       // a lane ran dry
	ask     map[string]Happened // by the first word of events

	mu     sync.Mutex
	lanes  map[string]*lane // by endpoint
	places places
}

// Open opens the collection WebhookDelivery in c.DB. Nothing is sent before Run.
func Open(ctx context.Context, c Config) (*Service, error) {
	docs, err := store.Open[document](ctx, c.DB, store.Spec{
		Name: collection, Ordered: []string{"lane", "listed"}, Expires: "expires",
	})
	if err != nil {
		return nil, err
	}
	if c.Suspended == nil {
		c.Suspended = func(context.Context, string) (bool, error) { return false, nil }
	}
	if c.Parallel <= 0 {
		c.Parallel = 512
	}
	if c.PerFirm <= 0 {
		c.PerFirm = 32
	}
	if c.PerEndpoint <= 0 {
		c.PerEndpoint = 4
	}
	if c.Slow <= 0 {
		c.Slow = time.Second
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{
		c: c, docs: docs, metrics: newMetrics(), wake: make(chan struct{}, 1), low: make(chan struct{}, 1),
		lanes: map[string]*lane{}, places: newPlaces(c), ask: map[string]Happened{},
	}, nil
}

// Happened tells whether an event that was announced happened.
type Happened func(ctx context.Context, e webhook.Event) (bool, error)

// Ask names who is asked about events, by the first word of their types, such as
// "card"; nobody is asked about others, which count as happened. Call it before
// Run: who announces events is made after the Service.
func (s *Service) Ask(word string, h Happened) { s.ask[word] = h }

// happened tells whether an event that was announced and not sent happened after
// all.
func (s *Service) happened(ctx context.Context, d *document) (bool, error) {
	word, _, _ := strings.Cut(d.Type, ".")
	ask := s.ask[word]
	if ask == nil {
		return true, nil
	}
	data, err := webhook.ReadData(d.Body)
	if err != nil {
		return false, err
	}
	return ask(ctx, webhook.Event{ID: d.Event, FirmID: d.Firm, Mode: d.Mode, Type: d.Type, Time: d.CreatedAt, Data: data})
}

func (s *Service) now() time.Time { return s.c.Now().UTC().Truncate(time.Millisecond) }

// Announce is a webhook.Announce: it makes an event durable for every endpoint
// of its firm that wants it, before it happens. An event that was announced
// before stays as it is.
func (s *Service) Announce(ctx context.Context, e webhook.Event) (send func(), err error) {
	all, err := s.c.Endpoints.Of(ctx, endpoint.Owner{FirmID: e.FirmID, Mode: e.Mode})
	if err != nil {
		return nil, err
	}
	var to []string
	for _, p := range all {
		if p.Wants(e.Type) {
			to = append(to, p.ID)
		}
	}
	if err := s.put(ctx, e, to); err != nil {
		return nil, err
	}
	return func() {
		for _, endpointID := range to {
			s.hand(target{e.FirmID, endpointID}, turn{id: id(endpointID, e.ID), happened: true})
		}
	}, nil
}

// put inserts the deliveries of an event, at once, so that their writes share an
// fsync. Who inserts has the first lease.
func (s *Service) put(ctx context.Context, e webhook.Event, to []string) error {
	if len(to) == 0 {
		return nil
	}
	body, err := e.Body()
	if err != nil {
		return err
	}
	now := s.now()
	errs := make([]error, len(to))
	var group sync.WaitGroup
	for i, endpointID := range to {
		d := document{
			Endpoint: endpointID, Firm: e.FirmID, Mode: e.Mode, Event: e.ID, Type: e.Type, Body: body,
			Lane: laneAt(endpointID, now.Add(lease)), Listed: listing.Key(endpointID, now, id(endpointID, e.ID)),
			State: Waiting, Announced: true, CreatedAt: now, Expires: now.Add(kept),
		}
		group.Go(func() { errs[i] = s.docs.Insert(ctx, id(endpointID, e.ID), d) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}
