package webhook

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// The events a firm is told of (decision D7).
const (
	RegistrationPending  = "registration.pending"
	RegistrationVerified = "registration.verified"
	RegistrationRejected = "registration.rejected"
	RegistrationFailed   = "registration.failed"
	CardEnabled          = "card.enabled"
	CardDisabled         = "card.disabled"
	CardDeleted          = "card.deleted"
	CardRevealed         = "card.revealed"
	Test                 = "webhook.test"
)

// EventTypes are all events, and those of an endpoint that names none (decision
// D7). A test goes to the endpoint it is asked for, named there or not.
func EventTypes() []string {
	return []string{
		RegistrationPending, RegistrationVerified, RegistrationRejected, RegistrationFailed,
		CardEnabled, CardDisabled, CardDeleted, CardRevealed, Test,
	}
}

// Event is what happened to something of a firm.
type Event struct {
	ID     string // NewEventID, or EventID of what happens only once
	FirmID string
	Mode   string // test or live
	Type   string
	Time   time.Time
	Data   Data
}

// Data is what a firm is told of a registration or card: nothing that its lists
// do not show, so never a number, a name or a code.
type Data struct {
	Mode           string `json:"mode"`
	RegistrationID string `json:"registration_id,omitzero"`
	Token          string `json:"token,omitzero"`
	Brand          string `json:"brand,omitzero"`
	Last4          string `json:"last4,omitzero"`
	Status         string `json:"status,omitzero"`
	Reason         string `json:"reason,omitzero"` // why rejected or failed, or why a number was asked for
	Reference      string `json:"reference,omitzero"`
}

// body is an event as it is sent (Standard Webhooks: type, timestamp, data).
type body struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      Data   `json:"data"`
}

// Body is the event as it is sent.
func (e Event) Body() ([]byte, error) {
	return json.Marshal(body{e.Type, e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), e.Data})
}

// ReadData reads the data of a body that Body wrote.
func ReadData(text []byte) (Data, error) {
	var b body
	err := json.Unmarshal(text, &b)
	return b.Data, err
}

const eventPrefix = "evt_"

// NewEventID makes the id of an event that may happen to the same thing again.
func NewEventID() string { return eventPrefix + strings.ToLower(rand.Text()) }

// EventID is the id of what happens once to a thing: whoever tries again means
// the same event.
func EventID(eventType string, thing ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Concat([]string{eventType}, thing), "\x00")))
	return eventPrefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}

// Announce makes an event durable before what it tells of happens, so that a
// crash between the two loses neither. What it returns sends the event. One that
// is announced and not sent goes out later if it turns out to have happened.
type Announce func(ctx context.Context, e Event) (send func(), err error)

// Around announces e, does what it tells of, and sends it when do succeeded. A
// nil Announce only does. Its errors are those of the store, before anything was
// done, and do's.
func (a Announce) Around(ctx context.Context, e Event, do func() error) error {
	if a == nil {
		return do()
	}
	send, err := a(ctx, e)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	send()
	return nil
}
