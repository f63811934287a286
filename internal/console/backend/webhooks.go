package backend

import (
	"net/http"
	"net/url"
	"time"

	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Webhook is where a firm is told of events.
type Webhook struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	Status    string    `json:"status"`           // enabled or disabled
	Reason    string    `json:"reason"`           // why the service disabled it: failing or gone
	Failing   time.Time `json:"failing_since"`    // since when it takes nothing; zero: it does
	OldUntil  time.Time `json:"old_secret_until"` // how long the secret before signs too; zero: there is none
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Enabled reports whether anything is sent to it.
func (h Webhook) Enabled() bool { return h.Status == "enabled" }

func hookPath(id string) string { return "/v1/webhooks/" + url.PathEscape(id) }

// Webhooks returns the firm's webhooks in the caller's mode, the newest first.
func (b *Backend) Webhooks(r *http.Request, c Caller) ([]Webhook, error) {
	var out Page[Webhook]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: "/v1/webhooks", Out: &out})
	return out.Data, err
}

// Webhook returns one of them.
func (b *Backend) Webhook(r *http.Request, c Caller, id string) (Webhook, error) {
	var out Webhook
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: hookPath(id), Out: &out})
	return out, err
}

// WebhookForm is what people say of a webhook.
type WebhookForm struct {
	URL    string
	Events []string
}

func (f WebhookForm) body() []byte {
	return upstream.Object(upstream.Field("url", f.URL), upstream.Field("events", listed(f.Events)))
}

// MadeWebhook is a new webhook and its secret, which the caller shows once and
// wipes.
type MadeWebhook struct {
	Webhook
	Secret secret.Bytes `json:"secret"`
}

// CreateWebhook makes a webhook in the caller's mode.
func (b *Backend) CreateWebhook(r *http.Request, c Caller, f WebhookForm) (MadeWebhook, error) {
	var out MadeWebhook
	err := b.cards(r, c, upstream.Call{Method: http.MethodPost, Path: "/v1/webhooks", Body: f.body(), Out: &out})
	return out, err
}

// ChangeWebhook changes where a webhook leads, and for which events.
func (b *Backend) ChangeWebhook(r *http.Request, c Caller, id string, f WebhookForm) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodPatch, Path: hookPath(id), Body: f.body()})
}

// TurnWebhook makes a webhook enabled or disabled.
func (b *Backend) TurnWebhook(r *http.Request, c Caller, id, status string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodPatch, Path: hookPath(id), Body: upstream.Object(upstream.Field("status", status))})
}

// DeleteWebhook erases a webhook and its secrets.
func (b *Backend) DeleteWebhook(r *http.Request, c Caller, id string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodDelete, Path: hookPath(id)})
}

// RotateWebhook gives a webhook a new secret, which the caller shows once and
// wipes; the one before signs beside it for overlap seconds.
func (b *Backend) RotateWebhook(r *http.Request, c Caller, id string, overlap int) (secret.Bytes, error) {
	var out struct {
		Secret secret.Bytes `json:"secret"`
	}
	err := b.cards(r, c, upstream.Call{
		Method: http.MethodPost, Path: hookPath(id) + "/rotate", Out: &out, Body: upstream.Object(upstream.Field("expires_in", overlap)),
	})
	return out.Secret, err
}

// TestWebhook sends a test event and returns its id.
func (b *Backend) TestWebhook(r *http.Request, c Caller, id string) (event string, err error) {
	var out struct {
		ID string `json:"event_id"`
	}
	err = b.cards(r, c, upstream.Call{Method: http.MethodPost, Path: hookPath(id) + "/test", Out: &out})
	return out.ID, err
}

// Delivery is an event for a webhook, and what became of it.
type Delivery struct {
	Event     string    `json:"event_id"`
	Type      string    `json:"type"`
	Status    string    `json:"status"` // waiting, delivered or failed
	CreatedAt time.Time `json:"created_at"`
	Next      time.Time `json:"next_attempt_at"` // zero: there will be none
	Attempts  []Attempt `json:"attempts"`        // the oldest first
}

// Attempt is one try to deliver.
type Attempt struct {
	At       time.Time `json:"at"`
	Duration int       `json:"duration_ms"`
	Status   int       `json:"status"`  // of the answer; 0: there was none
	Failure  string    `json:"failure"` // its class, "" for success
	Answer   string    `json:"answer"`  // its beginning
}

// Deliveries returns a page of what was sent to a webhook, the newest events
// first. With a filter it may be empty and not the last.
func (b *Backend) Deliveries(r *http.Request, c Caller, id string, q url.Values) (Page[Delivery], error) {
	var out Page[Delivery]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: query(hookPath(id)+"/deliveries", q), Out: &out})
	return out, err
}

// ReplayEvent sends one event again.
func (b *Backend) ReplayEvent(r *http.Request, c Caller, id, event string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodPost, Path: hookPath(id) + "/replay", Body: upstream.Object(upstream.Field("event_id", event))})
}

// Replayed is how many events are sent again, and from when to go on where there
// are more, else zero.
type Replayed struct {
	Count int       `json:"replayed"`
	Next  time.Time `json:"next_since"`
}

// ReplaySince sends again what happened since a time.
func (b *Backend) ReplaySince(r *http.Request, c Caller, id string, since time.Time) (Replayed, error) {
	var out Replayed
	err := b.cards(r, c, upstream.Call{
		Method: http.MethodPost, Path: hookPath(id) + "/replay", Out: &out,
		Body: upstream.Object(upstream.Field("since", since.UTC().Format(time.RFC3339Nano))),
	})
	return out, err
}
