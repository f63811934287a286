package registration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/outbox"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

const (
	// kindVerify is the kind of message that has a firm's endpoint asked.
	kindVerify = "registration.verify"
	// firstCalls is how many first calls may wait in this process, and workers
	// how many of them run at once. What finds no room is left to the queue.
	firstCalls = 1024
	workers    = 16
	// firstWithin bounds a first call, and turn is when the queue takes over,
	// whatever became of it.
	firstWithin = 12 * time.Second
	turn        = 15 * time.Second
)

// errUndecided says that the firm's endpoint gave no verdict.
var errUndecided = errors.New("registration: the firm's endpoint did not decide")

// openQueue opens the queue of registrations whose endpoint has to be asked.
// It never gives one up: a registration fails by its own deadline.
func (s *Service) openQueue(ctx context.Context, c Config) (*outbox.Queue, error) {
	delays := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 45 * time.Second, 2 * time.Minute, 5 * time.Minute}
	return outbox.Open(ctx, outbox.Config{
		DB: c.DB, Collection: "RegistrationOutbox", Sealer: c.Sealer,
		Handlers: map[string]outbox.Handler{kindVerify: s.handleMessage},
		Retry:    outbox.Retry{Delays: delays, MaxAge: outbox.Forever},
		Workers:  workers,
		Origin:   httpserver.Origin, Resume: httpserver.Resume,
		Log: c.Log, Now: c.Now,
	})
}

// enqueue makes it durable that k is to be verified. The queue leaves the first
// call to this process for a while, for only it has the code (decision D4).
func (s *Service) enqueue(ctx context.Context, k key) error {
	return s.queue.Put(ctx, outbox.Message{ID: k.String(), Kind: kindVerify, Owner: k.firm, Delay: turn})
}

// ask hands k to a worker of this process, if one has time.
func (s *Service) ask(k key) {
	select {
	case s.first <- k.String():
	default:
	}
}

// Run asks firms' endpoints, first and again, and forgets codes in time, until
// ctx ends; then it waits for the calls under way and returns nil.
func (s *Service) Run(ctx context.Context) error {
	defer s.guesses.Close()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { _ = s.queue.Run(ctx) }) // it returns nil
	for range workers {
		group.Go(func() { s.askAll(ctx) })
	}
	forget := time.NewTicker(time.Minute)
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-forget.C:
			s.guesses.Forget()
		}
	}
}

// askAll makes first calls. One that fails is the queue's to repeat.
func (s *Service) askAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-s.first:
			within, cancel := context.WithTimeout(ctx, firstWithin)
			err := s.verify(within, id)
			cancel()
			if err != nil && ctx.Err() == nil {
				s.log.DebugContext(ctx, "firm's endpoint did not decide at once", "error.message", err.Error())
			}
		}
	}
}

func (s *Service) handleMessage(ctx context.Context, m outbox.Message) error {
	return s.verify(ctx, m.ID)
}

// verify has the firm's endpoint asked over a registration that is pending.
// Nothing is left to do for one that was decided or deleted meanwhile.
func (s *Service) verify(ctx context.Context, id string) error {
	k, ok := parseKey(id)
	if !ok {
		return outbox.Permanent(errors.New("registration: a queued id is none"))
	}
	r, err := s.registrations.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case r.Value.Status != verification.Pending:
		return nil
	case !s.now().Before(k.id.time().Add(s.deadline)):
		return s.decide(ctx, k, verification.Verdict{Status: failed, Reason: noAnswer, CVVStatus: verification.CodeUnavailable})
	}
	rules, err := s.rules(ctx, k.firm, k.mode)
	if err != nil {
		return err
	}
	v, err := s.pipeline.Ask(ctx, caseOf(k, &r.Value, rules))
	switch {
	case err != nil:
		return fmt.Errorf("ask the firm's endpoint: %w", err)
	case v.Status == verification.Pending:
		return errUndecided
	}
	return s.decide(ctx, k, v)
}

// decide writes down what became of a pending registration, once.
func (s *Service) decide(ctx context.Context, k key, v verification.Verdict) error {
	e := audit.Entry{Act: actDecide, Actor: "registration", Object: k.id.String(), Owner: k.firm, Request: httpserver.RequestID(ctx)}
	return s.audited(ctx, e, func() (string, error) {
		decided := false
		_, err := s.registrations.Update(ctx, k.String(), func(r *registration) error {
			if decided = r.Status == verification.Pending; decided {
				r.decide(v, s.now())
			}
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return "deleted meanwhile", nil
		}
		if err == nil && decided {
			s.metrics.decided(v.Status)
		}
		return words(v), err
	})
}
