package registration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/outbox"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

// Queue is the collection in which registrations wait for a firm's endpoint.
const Queue = "RegistrationOutbox"

const (
	// kindVerify is the kind of message that has a firm's endpoint asked.
	kindVerify = "registration.verify"
	// firstCalls is how many first calls may wait in this process, and workers
	// how many of them, and how many later ones, run at once. What finds no room
	// is left to the queue.
	firstCalls = 1024
	workers    = 32
	// turn is when the queue takes over, whatever became of the first call; a
	// call itself takes 15 s at most. again is how long a first call waits for
	// others to the same firm.
	turn  = 20 * time.Second
	again = 100 * time.Millisecond
)

// noAnswer is the reason of a registration that failed.
const noAnswer = "no_answer"

// errUndecided says that the firm's endpoint gave no verdict.
var errUndecided = errors.New("registration: the firm's endpoint did not decide")

// errSettled says that somebody else decided meanwhile.
var errSettled = errors.New("registration: decided meanwhile")

// openQueue opens the queue of registrations whose endpoint has to be asked.
// It never gives one up: a registration fails by its own deadline.
func (s *Service) openQueue(ctx context.Context, c Config) (*outbox.Queue, error) {
	delays := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 45 * time.Second, 2 * time.Minute, 5 * time.Minute}
	return outbox.Open(ctx, outbox.Config{
		DB: c.DB, Collection: Queue, Sealer: c.Sealer,
		Handlers: map[string]outbox.Handler{kindVerify: s.handleMessage},
		Retry:    outbox.Retry{Delays: delays, MaxAge: outbox.Forever},
		Workers:  workers,
		Origin:   httpserver.Origin, Resume: httpserver.Resume,
		Log: c.Log, Now: c.Now,
	})
}

// enqueue makes it durable that k is to be verified. The queue leaves the first
// call to this process for a while, for only it has the code (decision D4).
func (s *Service) enqueue(ctx context.Context, k ledger.Key) error {
	return s.queue.Put(ctx, outbox.Message{ID: k.String(), Kind: kindVerify, Owner: k.Firm, Delay: turn})
}

// firstCall is a registration whose firm is to be asked, and the request it came
// with.
type firstCall struct {
	key    ledger.Key
	origin string // see httpserver.Origin
}

// ask hands a first call to a worker of this process, if the line is not full.
func (s *Service) ask(c firstCall) {
	select {
	case s.first <- c:
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

// askAll makes first calls. One that fails is the queue's to repeat; one that
// only has to wait for others to the same firm goes to the end of the line.
func (s *Service) askAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-s.first:
			resumed := httpserver.Resume(ctx, c.origin)
			err := s.verify(resumed, c.key)
			u, unanswered := errors.AsType[*verification.Unanswered](err)
			if unanswered && u.Class == verification.Waiting && s.now().Before(c.key.ID.Time().Add(turn)) {
				pause(ctx, again)
				s.ask(c)
			} else if err != nil && ctx.Err() == nil {
				s.log.LogAttrs(resumed, slog.LevelInfo, "firm's endpoint did not decide at once; it is asked again",
					slog.String("error.message", err.Error()))
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (s *Service) handleMessage(ctx context.Context, m outbox.Message) error {
	k, ok := ledger.ParseKey(m.ID)
	if !ok {
		return outbox.Permanent(errors.New("registration: a queued id is none"))
	}
	return s.verify(ctx, k)
}

// verify has the firm's endpoint asked over a registration that is pending.
// Nothing is left to do for one that was decided or deleted meanwhile.
func (s *Service) verify(ctx context.Context, k ledger.Key) error {
	r, err := s.ledger.Get(ctx, k)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case r.Status != verification.Pending:
		return nil
	}
	rules, err := s.rules(ctx, k.Firm, k.Mode)
	if err != nil {
		return err
	}
	if !s.now().Before(k.ID.Time().Add(s.deadline)) {
		return s.giveUp(ctx, k, r, rules)
	}
	v, err := s.pipeline.Ask(ctx, caseOf(k, &r, rules))
	switch {
	case err != nil:
		return fmt.Errorf("ask the firm's endpoint: %w", err)
	case v.Status == verification.Pending:
		return errUndecided
	}
	return s.decide(ctx, k, r, v)
}

// giveUp ends a registration that was pending for too long.
func (s *Service) giveUp(ctx context.Context, k ledger.Key, r ledger.Registration, rules verification.Rules) error {
	v := verification.Verdict{Status: ledger.Failed, Reason: noAnswer}
	if rules.WantsCode() {
		v.CVVStatus = verification.CodeUnavailable
	}
	s.pipeline.DropCode(k.ID.String())
	return s.decide(ctx, k, r, v)
}

// decide writes down what became of a pending registration, once, and tells the
// firm.
func (s *Service) decide(ctx context.Context, k ledger.Key, r ledger.Registration, v verification.Verdict) error {
	r.Decide(v, s.now())
	e := audit.Entry{Act: actDecide, Actor: "registration", Object: k.ID.String(), Owner: k.Firm, Request: httpserver.RequestID(ctx)}
	return s.audited(ctx, e, func(a *audit.Act) error {
		err := s.announce.Around(ctx, s.event(k, &r), func() error {
			done, err := s.ledger.Settle(ctx, k, v, s.now())
			if err == nil && !done {
				return errSettled
			}
			return err
		})
		a.Explain(words(v))
		switch {
		case errors.Is(err, store.ErrNotFound):
			a.Explain("deleted meanwhile")
			return nil
		case errors.Is(err, errSettled):
			return nil
		case err == nil:
			s.metrics.decided(v.Status)
		}
		return err
	})
}
