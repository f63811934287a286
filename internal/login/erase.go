package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/login/customer"
	"ccms/internal/login/letters"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/outbox"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// KindErase is the kind of outbox message that Service.Erase handles. It must
// be tried for ever: until it succeeds, somebody's cards are kept against his
// will.
const KindErase = "login.erase"

// farewell is the payload of a message of KindErase.
type farewell struct {
	Customer string `json:"customer"`
	// Address gets the last letter, "" when it was never verified.
	Address string `json:"address,omitempty"`
}

// deleteAccount erases p's account after the password was given again.
func (s *Service) deleteAccount(ctx context.Context, from trail.Caller, p identity.Principal, password secret.Bytes) error {
	rec, err := s.customers.Present(ctx, p.Subject)
	if err != nil {
		return err
	}
	if err := s.provePassword(ctx, from, rec, password); err != nil {
		return err
	}
	return s.startErasing(ctx, from, rec.ID, sameOwner(rec, func(*customer.Customer) {}))
}

// startErasing empties the account at once, so that its tokens die and nothing
// finds it, and queues what has to follow. may decides, on the current state.
func (s *Service) startErasing(ctx context.Context, from trail.Caller, id string, may func(*customer.Customer) error) error {
	return s.trail.Do(ctx, trail.Act{Name: "customer.erase", Account: id, From: from}, func() error {
		bye := farewell{Customer: id}
		_, err := s.customers.Change(ctx, id, func(c *customer.Customer) error {
			if err := may(c); err != nil {
				return err
			}
			bye.Address = ""
			if c.AccountValidated {
				bye.Address = c.Email
			}
			c.Erase(s.now())
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.cfg.Outbox.DropOwner(ctx, id); err != nil {
			return err // the sweep takes it up
		}
		return s.queueErase(ctx, bye)
	})
}

func (s *Service) queueErase(ctx context.Context, bye farewell) error {
	payload, err := json.Marshal(bye)
	if err != nil {
		return fmt.Errorf("encode farewell: %w", err)
	}
	return s.cfg.Outbox.Put(ctx, outbox.Message{ID: "erase-" + bye.Customer, Kind: KindErase, Payload: payload})
}

// Erase finishes the erasure of an account: its cards, its tokens, the
// account, in this order, so that whatever fails is found again.
// Each step may be repeated.
func (s *Service) Erase(ctx context.Context, m outbox.Message) error {
	var bye farewell
	if err := json.Unmarshal(m.Payload, &bye); err != nil {
		return outbox.Permanent(fmt.Errorf("decode farewell: %w", err))
	}
	rec, err := s.customers.Get(ctx, bye.Customer)
	known := !errors.Is(err, store.ErrNotFound)
	switch {
	case known && err != nil:
		return err
	case known && rec.Value.Erasing == nil:
		return outbox.Permanent(errors.New("the account is not marked for erasure"))
	}
	if err := s.cfg.Cards.Erase(ctx, bye.Customer); err != nil {
		return fmt.Errorf("erase cards: %w", err)
	}
	if err := s.tokens.Drop(ctx, bye.Customer); err != nil {
		return err
	}
	if known {
		if err := s.customers.Delete(ctx, rec.ID, rec.Rev); err != nil {
			return err
		}
	}
	if err := s.cfg.Audit.Note(ctx, audit.Entry{Act: "customer.erased", Object: bye.Customer, Owner: bye.Customer}, audit.Success); err != nil {
		return err
	}
	if bye.Address == "" {
		return nil
	}
	return s.letters.Tell(ctx, letters.Notice{Kind: mail.Deleted, Address: bye.Address})
}

// eraseRetry is the age at which an erasure is queued again, should its message
// have been lost between the mark and the queue.
const eraseRetry = 10 * time.Minute

// errVerified ends a sweep of an account that was verified meanwhile.
var errVerified = errors.New("login: verified meanwhile")

// sweep erases accounts that were never verified (decision B1) and queues
// erasures again that stopped half-way.
func (s *Service) sweep(ctx context.Context) error {
	now := s.now()
	var errs []error
	for rec, err := range s.customers.Find(ctx, customer.Unverified(now)) {
		if err == nil {
			err = s.startErasing(ctx, trail.Caller{}, rec.ID, func(c *customer.Customer) error {
				if c.UnverifiedUntil == nil || c.UnverifiedUntil.After(now) {
					return errVerified
				}
				return nil
			})
		}
		if !errors.Is(err, errVerified) {
			errs = append(errs, err)
		}
	}
	for rec, err := range s.customers.Find(ctx, customer.Erased(now.Add(-eraseRetry))) {
		if err == nil {
			err = s.queueErase(ctx, farewell{Customer: rec.ID})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
