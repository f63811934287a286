package delivery

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"ccms/internal/card"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/webhook"
	"ccms/internal/webhook/endpoint"
)

// delays are the waits after the first failure, the second and so on: with the
// first try the ten of the specification's schedule, three days in all. Up to a
// tenth is added by chance, so that what failed together does not come together.
var delays = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	// maxRetryAfter bounds how long an endpoint may ask us to wait.
	maxRetryAfter = 24 * time.Hour
	// maxShown is how much of an answer the log keeps.
	maxShown = 2 << 10
)

// badStatus is the class of an attempt whose answer was none of success; the
// others are those of webhook.Failure.
const badStatus = "status"

// attempt is one call as the log has it.
type attempt struct {
	At       time.Time     `bson:"at"`
	Duration time.Duration `bson:"duration"`
	Status   int           `bson:"status,omitempty"` // 0: no answer
	Class    string        `bson:"class,omitempty"`  // of the failure
	Answer   string        `bson:"answer,omitempty"` // its beginning, masked
}

func (a attempt) ok() bool { return a.Class == "" }

// deliver makes one turn: it takes the delivery, calls the endpoint, and writes
// down what came of it.
func (s *Service) deliver(ctx context.Context, t turn) outcome {
	r, ok, err := s.take(ctx, t)
	if err != nil || !ok {
		return s.trouble(ctx, err)
	}
	d := &r.Value
	e, there, err := s.c.Endpoints.Get(ctx, d.owner(), d.Endpoint)
	switch {
	case err != nil:
		return s.trouble(ctx, err)
	case !there:
		return s.trouble(ctx, s.docs.Delete(ctx, r.ID, r.Rev))
	case e.Status != endpoint.Enabled:
		d.State, d.Lane = Failed, ""
		return s.trouble(ctx, s.docs.Replace(ctx, r))
	}
	a, wait, err := s.call(ctx, e, d)
	if err != nil {
		// Run is told to stop, or the key could not be opened: nothing was sent
		// that counts, and it is due again.
		d.Lane = laneAt(d.Endpoint, s.now())
		if ctx.Err() == nil {
			d.Lane = laneAt(d.Endpoint, s.now().Add(lease))
		}
		return s.trouble(ctx, errors.Join(err, s.docs.Replace(context.WithoutCancel(ctx), r)))
	}
	s.settle(d, a, wait)
	s.hold(d.Endpoint, wait)
	if err := s.docs.Replace(context.WithoutCancel(ctx), r); err != nil {
		return s.trouble(ctx, err)
	}
	if err := s.tell(ctx, e, d, a); err != nil {
		return s.trouble(ctx, err)
	}
	if !a.ok() || a.Duration >= s.c.Slow {
		return careful
	}
	return fine
}

// trouble is the outcome of a turn that made no call. What somebody else took or
// erased meanwhile is none.
func (s *Service) trouble(ctx context.Context, err error) outcome {
	if err == nil || errors.Is(err, store.ErrStale) {
		return fine
	}
	if ctx.Err() == nil && !errors.Is(err, errSuspended) {
		s.c.Log.WarnContext(ctx, "webhook delivery is put off", slog.String("error.message", err.Error()))
	}
	return stuck
}

// errSuspended leaves a delivery as it is, until its firm is suspended no more.
var errSuspended = errors.New("webhook: the firm is suspended")

// active fails with errSuspended for a firm that is suspended.
func (s *Service) active(ctx context.Context, firmID string) error {
	suspended, err := s.c.Suspended(ctx, firmID)
	if err == nil && suspended {
		err = errSuspended
	}
	return err
}

// take makes the delivery ours for as long as a call takes; ok is false when
// there is nothing to do. What was announced and never sent is dropped if it did
// not happen.
func (s *Service) take(ctx context.Context, t turn) (r store.Record[document], ok bool, err error) {
	r, err = s.docs.Get(ctx, t.id)
	if errors.Is(err, store.ErrNotFound) || err == nil && r.Value.State != Waiting {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if err := s.active(ctx, r.Value.Firm); err != nil {
		return r, false, err
	}
	now, d := s.now(), &r.Value
	first := t.happened && r.Rev == 1
	if d.due().After(now) && !first {
		return r, false, nil // another process has it, or it is put off
	}
	if d.Announced && !t.happened {
		happened, err := s.happened(ctx, d)
		if err != nil {
			return r, false, err
		}
		if !happened {
			return r, false, s.docs.Delete(ctx, r.ID, r.Rev)
		}
	}
	d.Announced = false
	if first && d.due().Sub(now) >= callTime {
		return r, true, nil // the lease it was inserted with will do
	}
	d.Lane = laneAt(d.Endpoint, now.Add(lease))
	if err := s.docs.Replace(ctx, r); err != nil {
		return r, false, err
	}
	r.Rev++
	return r, true, nil
}

// call calls the endpoint once. wait is how long it asks us to wait. The error
// says that nothing was tried, or that ctx ended.
func (s *Service) call(ctx context.Context, e endpoint.Endpoint, d *document) (a attempt, wait time.Duration, err error) {
	keys, err := s.c.Endpoints.Keys(ctx, e)
	defer wipe(keys)
	if err != nil {
		return a, 0, err
	}
	a.At = s.now()
	answer, err := s.c.Client.Post(ctx, webhook.Delivery{Mode: d.Mode, URL: e.URL, ID: d.Event, Body: d.Body, Keys: keys})
	a.Duration = s.now().Sub(a.At)
	if f, ok := errors.AsType[*webhook.Failure](err); ok {
		a.Class = f.Class
		return a, 0, nil
	}
	if err != nil {
		return a, 0, err
	}
	a.Status, a.Answer = answer.Status, shown(answer.Body)
	if a.Status < 200 || a.Status > 299 {
		a.Class = badStatus
		wait = retryAfter(answer.Header, a.At)
	}
	return a, wait, nil
}

func wipe(keys []secret.Bytes) {
	for _, k := range keys {
		k.Wipe()
	}
}

// shown is the beginning of an answer as the log may have it: text, with digits
// masked.
func shown(body []byte) string {
	body = body[:min(len(body), maxShown)]
	text := make([]rune, 0, len(body))
	for len(body) > 0 {
		r, n := utf8.DecodeRune(body)
		if r == 0 {
			r = utf8.RuneError // stores take no NUL
		}
		text, body = append(text, r), body[n:]
	}
	return card.MaskRuns(string(text))
}

// retryAfter is what the header asks for, in seconds or as a date (RFC 9110
// section 10.2.3), within bounds.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// settle notes an attempt, and when the next one is.
func (s *Service) settle(d *document, a attempt, wait time.Duration) {
	d.Attempts = append(d.Attempts, a)
	d.Attempts = d.Attempts[max(0, len(d.Attempts)-keptAttempts):]
	d.Tries++
	switch {
	case a.ok():
		d.State, d.Lane = Delivered, ""
	case d.Tries > len(delays), a.Status == http.StatusGone:
		d.State, d.Lane = Failed, ""
	default:
		wait = max(wait, delays[d.Tries-1])
		d.Lane = laneAt(d.Endpoint, s.now().Add(wait+rand.N(wait/10+1)))
	}
}

// tell tells the endpoint, the metrics and the log of an attempt.
func (s *Service) tell(ctx context.Context, e endpoint.Endpoint, d *document, a attempt) error {
	s.metrics.attempt(a)
	if a.ok() {
		if len(d.Attempts) == 1 {
			s.metrics.lag.Observe(a.At.Add(a.Duration).Sub(d.CreatedAt).Seconds())
		}
		return s.c.Endpoints.Answered(ctx, d.owner(), e)
	}
	s.c.Log.LogAttrs(ctx, slog.LevelInfo, "endpoint of a firm did not take an event",
		slog.String("ccms.webhook.endpoint", e.ID), slog.String("ccms.webhook.event", d.Event),
		slog.String("ccms.webhook.reason", a.Class), slog.Int("ccms.webhook.try", d.Tries))
	if d.State == Failed {
		s.metrics.lost.Inc()
	}
	return s.c.Endpoints.Failed(ctx, d.owner(), e, a.Status == http.StatusGone)
}
