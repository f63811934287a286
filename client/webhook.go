package client

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The errors of a Verifier.
var (
	// ErrSignature says that a message is not from the service, or was altered.
	ErrSignature = errors.New("ccms: the webhook is not signed by one of the secrets")
	// ErrTimestamp says that a message is too old, or from the future: it may
	// have been recorded and sent again by somebody else.
	ErrTimestamp = errors.New("ccms: the webhook's time is too far from now")
	// ErrMessage says that something is missing, or the body is no event.
	ErrMessage = errors.New("ccms: the webhook is not a message of Standard Webhooks")
)

// VerifierConfig is what NewVerifier needs.
type VerifierConfig struct {
	// Secrets are those of the endpoint, "whsec_…" or its base64 alone: one, or
	// both while one takes the other's place.
	Secrets []Secret
	// Tolerance is how far a message's time may be from now; default 5 min.
	Tolerance time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Verifier checks that messages come from the service (Standard Webhooks 1.0.0);
// safe for concurrent use.
type Verifier struct {
	keys      []Secret
	tolerance time.Duration
	now       func() time.Time
}

// NewVerifier returns a Verifier. It keeps copies of the secrets.
func NewVerifier(cfg VerifierConfig) (*Verifier, error) {
	v := &Verifier{tolerance: cmp.Or(cfg.Tolerance, 5*time.Minute), now: cfg.Now}
	if v.now == nil {
		v.now = time.Now
	}
	for _, s := range cfg.Secrets {
		text := bytes.TrimPrefix(s.Reveal(), []byte("whsec_"))
		key := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(key, text)
		if err != nil || n == 0 {
			return nil, errors.New("ccms: a webhook secret is whsec_ and base64")
		}
		v.keys = append(v.keys, NewSecret(key[:n]))
	}
	if len(v.keys) == 0 {
		return nil, errors.New("ccms: give the endpoint's secret")
	}
	return v, nil
}

// Event is a message that was checked. ID is the same for every try: do nothing
// the second time. Events may come in another order than they happened; order
// them by Time.
type Event struct {
	ID   string    `json:"-"`
	Type string    `json:"type"` // such as "registration.verified"
	Time time.Time `json:"timestamp"`
	Data EventData `json:"data"`
}

// EventData is what an event is about; what does not apply is empty.
type EventData struct {
	Mode           string `json:"mode"` // test or live
	RegistrationID string `json:"registration_id"`
	Token          string `json:"token"`
	Brand          string `json:"brand"`
	Last4          string `json:"last4"`
	Status         string `json:"status"`
	Reason         string `json:"reason"`
	Reference      string `json:"reference"`
}

// Verify checks a message, from the header and raw body of its request, and
// returns the event. It fails with ErrMessage, ErrTimestamp or ErrSignature;
// answer 400 then, and any 2xx otherwise.
func (v *Verifier) Verify(h http.Header, body []byte) (Event, error) {
	id, stamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil {
		return Event{}, ErrMessage
	}
	if off := v.now().Sub(time.Unix(seconds, 0)).Abs(); off > v.tolerance {
		return Event{}, ErrTimestamp
	}
	if !v.signed(id+"."+stamp+".", body, h.Get("Webhook-Signature")) {
		return Event{}, ErrSignature
	}
	e := Event{ID: id}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		return Event{}, ErrMessage
	}
	return e, nil
}

// signed reports whether one of the signatures, "v1,BASE64" with spaces between
// them, is that of one of the keys. Other versions are passed over.
func (v *Verifier) signed(prefix string, body []byte, signatures string) bool {
	for _, key := range v.keys {
		mac := hmac.New(sha256.New, key.Reveal())
		mac.Write([]byte(prefix))
		mac.Write(body)
		want := mac.Sum(nil)
		for one := range strings.FieldsSeq(signatures) {
			version, text, _ := strings.Cut(one, ",")
			got, err := base64.StdEncoding.DecodeString(text)
			if version == "v1" && err == nil && hmac.Equal(got, want) {
				return true
			}
		}
	}
	return false
}
