package delivery

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/webhook"
	"ccms/internal/webhook/endpoint"
)

// collection is where deliveries are.
const collection = "WebhookDelivery"

// maxReplay is how many events one request sends again.
const maxReplay = 1000

// The names of the acts in the audit record.
const (
	actReplay = "webhook.replay"
	actTest   = "webhook.test"
)

// Routes registers the firms' routes for deliveries (decision D6).
func (s *Service) Routes(mux *httpserver.Mux) {
	route := func(pattern string, h httpserver.Handler) {
		mux.Handle(pattern, httpserver.As(s.c.Require(identity.ScopeWebhooks), h))
	}
	accepted := httpserver.JSONOptions{Status: http.StatusAccepted}
	route("GET /v1/webhooks/{id}/deliveries", httpserver.JSON(s.handleList))
	route("POST /v1/webhooks/{id}/replay", httpserver.JSON(s.handleReplay, accepted))
	route("POST /v1/webhooks/{id}/test", httpserver.JSON(s.handleTest, accepted))
}

// view is a delivery as its firm sees it.
type view struct {
	Event    string        `json:"event_id"`
	Type     string        `json:"type"`
	Status   string        `json:"status"`
	Created  time.Time     `json:"created_at"`
	Next     time.Time     `json:"next_attempt_at,omitzero"`
	Attempts []attemptView `json:"attempts"`
}

type attemptView struct {
	At       time.Time `json:"at"`
	Duration int64     `json:"duration_ms"`
	Status   int       `json:"status,omitzero"`
	Class    string    `json:"failure,omitzero"`
	Answer   string    `json:"answer,omitzero"`
}

func (d *document) view() view {
	v := view{
		Event: d.Event, Type: d.Type, Status: d.State, Created: d.CreatedAt.UTC(), Next: d.due(),
		Attempts: make([]attemptView, len(d.Attempts)),
	}
	for i, a := range d.Attempts {
		v.Attempts[i] = attemptView{a.At.UTC(), a.Duration.Milliseconds(), a.Status, a.Class, a.Answer}
	}
	return v
}

// handleList gives the log of an endpoint, the newest events first.
func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[view], error) {
	_, e, err := s.c.Endpoints.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return listing.Page[view]{}, err
	}
	ask, err := listing.Parse("deliveries", e.ID, r.URL.Query(), "status")
	if err != nil {
		return listing.Page[view]{}, err
	}
	status := ask.Filter("status")
	if status != "" && status != Waiting && status != Delivered && status != Failed {
		return listing.Page[view]{}, problem.Validation("Ask for the status waiting, delivered or failed.")
	}
	from := listing.Source[document]{Documents: s.docs, Field: "listed", Key: func(d document) string { return d.Listed }}
	return listing.Read(r.Context(), from, ask, func(rec store.Record[document]) (view, bool) {
		return rec.Value.view(), status == "" || status == rec.Value.State
	})
}

// replayBody is the body of POST /v1/webhooks/{id}/replay: one event, or all
// since a time.
type replayBody struct {
	EventID string     `json:"event_id"`
	Since   *time.Time `json:"since"`
}

// replayed is the answer: how many events are sent again, and from where to go
// on when there are more.
type replayed struct {
	Count int       `json:"replayed"`
	Next  time.Time `json:"next_since,omitzero"`
}

func (s *Service) handleReplay(r *http.Request, in replayBody) (out replayed, err error) {
	if (in.EventID == "") == (in.Since == nil) {
		return out, problem.Validation("Send either event_id or since, a time as in RFC 3339.")
	}
	o, e, err := s.c.Endpoints.Find(r.Context(), r.PathValue("id"))
	if err == nil && e.Status != endpoint.Enabled {
		err = problem.Validation("Enable the endpoint first.")
	}
	if err != nil {
		return out, err
	}
	to := target{o.FirmID, e.ID}
	err = s.c.Audit.Do(r.Context(), endpoint.Entry(r, actReplay, e.ID), func(*audit.Act) error {
		if in.Since != nil {
			out, err = s.replaySince(r.Context(), to, *in.Since)
			return err
		}
		out.Count = 1
		err := s.replay(r.Context(), to, id(e.ID, in.EventID))
		if errors.Is(err, store.ErrNotFound) {
			err = problem.NoResource()
		}
		return err
	})
	return out, err
}

// replay makes a delivery due now, with all its tries before it. One that waits
// is only moved to now; one that is not known to have happened stays.
func (s *Service) replay(ctx context.Context, to target, deliveryID string) error {
	_, err := s.docs.Update(ctx, deliveryID, func(d *document) error {
		if d.Endpoint != to.endpoint {
			return store.ErrNotFound
		}
		if !d.Announced {
			d.State, d.Tries, d.Lane = Waiting, 0, laneAt(to.endpoint, s.now())
		}
		return nil
	})
	if err == nil {
		s.hand(to, turn{id: deliveryID})
	}
	return err
}

// replaySince sends again what happened since a time, the oldest first, some at
// once so that their writes share an fsync.
func (s *Service) replaySince(ctx context.Context, to target, since time.Time) (out replayed, err error) {
	ids, next, err := s.since(ctx, to.endpoint, since)
	if err != nil {
		return out, err
	}
	var group sync.WaitGroup
	places := make(chan struct{}, 32)
	errs := make([]error, len(ids))
	for i, deliveryID := range ids {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if err := s.replay(ctx, to, deliveryID); !errors.Is(err, store.ErrNotFound) {
				errs[i] = err
			}
		})
	}
	group.Wait()
	return replayed{len(ids), next}, errors.Join(errs...)
}

// since lists deliveries from a time on. next is when the first one happened
// that is too many; what happened in the same millisecond comes once more then.
func (s *Service) since(ctx context.Context, endpointID string, at time.Time) (ids []string, next time.Time, err error) {
	for r, err := range s.docs.Find(ctx, store.Query{
		Where: []store.Cond{
			{Field: "listed", Op: store.Ge, Value: listing.Key(endpointID, at, "")},
			{Field: "listed", Op: store.Lt, Value: endpointID + "0"}, // follows the slash
		},
		Order: "listed", Limit: maxReplay + 1,
	}) {
		if err != nil {
			return nil, next, err
		}
		if len(ids) == maxReplay {
			return ids, r.Value.CreatedAt.UTC(), nil
		}
		ids = append(ids, r.ID)
	}
	return ids, next, nil
}

// tested is the answer to a test: under which id the event is in the log.
type tested struct {
	ID string `json:"event_id"`
}

// handleTest sends webhook.test to one endpoint, in the way of all events.
func (s *Service) handleTest(r *http.Request, _ httpserver.None) (tested, error) {
	o, e, err := s.c.Endpoints.Find(r.Context(), r.PathValue("id"))
	if err == nil && e.Status != endpoint.Enabled {
		err = problem.Validation("Enable the endpoint first.")
	}
	if err != nil {
		return tested{}, err
	}
	event := webhook.Event{
		ID: webhook.NewEventID(), FirmID: o.FirmID, Mode: o.Mode, Type: webhook.Test, Time: s.now(), Data: webhook.Data{Mode: o.Mode},
	}
	err = s.c.Audit.Do(r.Context(), endpoint.Entry(r, actTest, e.ID), func(*audit.Act) error {
		return s.put(r.Context(), event, []string{e.ID})
	})
	if err != nil {
		return tested{}, err
	}
	s.hand(target{o.FirmID, e.ID}, turn{id: id(e.ID, event.ID), happened: true})
	return tested{event.ID}, nil
}
