package registration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/problem"
	"ccms/internal/registration/firmcard"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/vault"
)

// The names of the acts in the audit record. Looking at a status or a list is
// no access to card data (PCI DSS 10.2.1.1) and has none.
const (
	actCreate = "registration.create"
	actDecide = "registration.decide"
	actDelete = "registration.delete"
)

// accepted is the answer of decision D2, whatever was decided already: the
// outcome is asked for at /status.
type accepted struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`
}

// request is a registration that is asked for, under a key that may be "". id is
// what it must have, "" for a new one.
type request struct {
	who   caller
	d     details
	id    string
	route string
	key   string
}

// register registers a card and returns the answer as JSON. Trying out codes is
// refused before anything is looked up (decision G).
func (s *Service) register(ctx context.Context, q request) ([]byte, error) {
	if err := s.refuseGuess(ctx, q.who, q.d); err != nil {
		return nil, err
	}
	content := q.d.content()
	defer clear(content)
	once := idempotency.Request{
		Principal: q.who.principal(), Route: q.route, Key: q.key, Body: content,
		IDs: []string{cmp.Or(q.id, s.NewID()), vault.NewToken()},
	}
	return s.once.Do(ctx, once, func(ctx context.Context, ids []string) ([]byte, error) {
		id, ok := ledger.ParseID(ids[0])
		if !ok {
			return nil, errors.New("registration: a claimed id is none")
		}
		k := ledger.Key{Firm: q.who.firm, Mode: q.who.mode, ID: id}
		err := s.audited(ctx, q.who.entry(actCreate, ids[0]), func(a *audit.Act) error {
			decided, err := s.create(ctx, k, q, ids[1])
			a.Explain(decided)
			return err
		})
		if err != nil {
			return nil, err
		}
		return json.Marshal(accepted{ids[0], verification.Pending})
	})
}

// refuseGuess refuses the fourth different code for one card and puts that on
// record (decision C11a).
func (s *Service) refuseGuess(ctx context.Context, who caller, d details) error {
	wait, ok := s.guesses.Allow(who.firm, d.number.Digits(), d.code)
	if ok {
		return nil
	}
	s.metrics.guesses.Inc()
	e := who.entry(actCreate, "")
	e.Reason = "too many different codes for card " + d.number.Masked()
	if err := s.audit.Note(ctx, e, audit.Refused); err != nil {
		s.metrics.unaudited.Inc()
		return err
	}
	return problem.Throttled(wait).With("Too many different codes were tried for this card; wait for the time given in Retry-After.")
}

// create keeps the card, has it judged and keeps the registration under k. Each
// step may have been done by an earlier try with the same ids. It returns what
// was decided, in words for the record.
func (s *Service) create(ctx context.Context, k ledger.Key, q request, token string) (string, error) {
	rules, err := s.rules(ctx, k.Firm, k.Mode)
	if err != nil {
		return "", err
	}
	kept, err := s.cards.Put(ctx, firmcard.Deposit{
		FirmID: k.Firm, Mode: k.Mode, Token: token, Number: q.d.number, Expiry: q.d.expiry, Name: q.d.name,
	})
	if err != nil {
		return "", fmt.Errorf("keep the card: %w", err)
	}
	r := ledger.Registration{
		Actor: q.who.actor, Token: kept.Token,
		Brand: q.d.number.Brand().Name, BIN: q.d.number.BIN(), Last4: q.d.number.Last4(),
		ExpiryMonth: q.d.expiry.Month, ExpiryYear: q.d.expiry.Year,
		Reference: q.d.reference, Metadata: q.d.metadata,
	}
	c := caseOf(k, &r, rules)
	c.Number, c.RegisteredToday = q.d.number, kept.Registered(s.now())
	v := s.pipeline.Judge(c)
	r.Decide(v, s.now())
	switch {
	case v.Status != verification.Pending:
		return words(v), s.keep(ctx, k, r)
	case rules.WantsCode():
		return words(v), s.keepPending(ctx, k, r, q.d.code)
	}
	return words(v), s.keepPending(ctx, k, r, nil)
}

// keep inserts a registration and tells the firm; one that is there was kept by
// an earlier try.
func (s *Service) keep(ctx context.Context, k ledger.Key, r ledger.Registration) error {
	err := s.announce.Around(ctx, s.event(k, &r), func() error { return s.ledger.Insert(ctx, k, r) })
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	if err == nil {
		s.metrics.count(actCreate)
		s.metrics.decided(r.Status)
	}
	return err
}

// keepPending keeps a registration that the firm's endpoint decides over, and in
// memory the code if the firm asks for it (decision C11b). That the endpoint is
// to be asked is kept first: a message without a registration means nothing, a
// registration without a message would stay pending.
func (s *Service) keepPending(ctx context.Context, k ledger.Key, r ledger.Registration, code []byte) error {
	if code != nil {
		s.pipeline.HoldCode(k.ID.String(), secret.New(bytes.Clone(code)))
	}
	if err := s.enqueue(ctx, k); err != nil {
		return err
	}
	if err := s.keep(ctx, k, r); err != nil {
		return err
	}
	s.ask(firstCall{k, httpserver.Origin(ctx)})
	return nil
}

// caseOf is a registration as package verification sees it.
func caseOf(k ledger.Key, r *ledger.Registration, rules verification.Rules) verification.Case {
	return verification.Case{
		RegistrationID: k.ID.String(), FirmID: k.Firm, ClientID: r.Actor, Mode: k.Mode,
		Token: r.Token, BIN: r.BIN, Last4: r.Last4, Brand: r.Brand, Expiry: r.Expiry().String(),
		Reference: r.Reference, Rules: rules,
	}
}

// words is a verdict for the audit record.
func words(v verification.Verdict) string {
	all := append([]string{v.Status}, v.Flags...)
	if v.Reason != "" {
		all[0] += ": " + v.Reason
	}
	return strings.Join(all, ", ")
}

// delete erases a registration, and with it what the firm said of it. The card
// and its token stay: other registrations may have it, and it has a deletion of
// its own.
func (s *Service) delete(ctx context.Context, who caller, text string) error {
	k, _, err := s.ledger.Find(ctx, who.shelf(), text)
	if err != nil {
		return err
	}
	err = s.audited(ctx, who.entry(actDelete, k.ID.String()), func(*audit.Act) error {
		return s.ledger.Delete(ctx, k)
	})
	if err == nil {
		s.pipeline.DropCode(k.ID.String())
		s.metrics.count(actDelete)
	}
	return err
}
