package firm

import (
	"context"
	"strings"

	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// Firm returns a firm, or store.ErrNotFound.
func (s *Service) Firm(ctx context.Context, id string) (Firm, error) {
	rec, err := s.firms.Get(ctx, id)
	return named(rec), err
}

// named puts the id of a firm's document into it.
func named(rec store.Record[Firm]) Firm {
	rec.Value.ID = rec.ID
	return rec.Value
}

// Create makes a firm without members.
func (s *Service) Create(ctx context.Context, by Caller, name string) (Firm, error) {
	return s.create(ctx, by, newFirmID(), name)
}

// create does nothing when the firm exists: then this very request made it.
func (s *Service) create(ctx context.Context, by Caller, id, name string) (Firm, error) {
	name, ok := tidyName(name)
	if !ok {
		return Firm{}, problem.Validation("Give the firm a name of 1 to 100 printable characters.")
	}
	f := Firm{ID: id, Name: name, Members: []Member{}, CreatedAt: s.now()}
	err := s.do(ctx, by, act{name: "firm.create", firm: id, object: id}, func() error {
		return s.firms.Insert(ctx, id, f)
	})
	return f, err
}

// Rename gives a firm another name.
func (s *Service) Rename(ctx context.Context, by Caller, id, name string) (Firm, error) {
	name, ok := tidyName(name)
	if !ok {
		return Firm{}, problem.Validation("Give the firm a name of 1 to 100 printable characters.")
	}
	return s.changeFirm(ctx, by, act{name: "firm.rename", firm: id, object: id}, func(f *Firm) error {
		f.Name = name
		return nil
	})
}

// Suspend stops everything the firm's clients and members do, or lets them go on;
// either may be repeated. Whoever asks Active sees it at once.
func (s *Service) Suspend(ctx context.Context, by Caller, id string, suspended bool) (Firm, error) {
	name := "firm.resume"
	if suspended {
		name = "firm.suspend"
	}
	return s.changeFirm(ctx, by, act{name: name, firm: id, object: id}, func(f *Firm) error {
		f.Suspended = suspended
		return nil
	})
}

// changeFirm is one audited change of a firm; its error for one that does not
// exist is NOT_FOUND.
func (s *Service) changeFirm(ctx context.Context, by Caller, a act, change func(*Firm) error) (Firm, error) {
	var rec store.Record[Firm]
	err := s.do(ctx, by, a, func() (err error) {
		rec, err = s.firms.Update(ctx, a.firm, change)
		return unknown(err)
	})
	return named(rec), err
}

// pageSize is how many entries a list shows at a time.
const pageSize = 100

// Firms returns firms in the order they were made, those behind after, and
// where the next page begins, nil at the end.
func (s *Service) Firms(ctx context.Context, after *store.Position) ([]Firm, *store.Position, error) {
	var page []Firm
	for rec, err := range s.firms.Find(ctx, store.Query{Order: "createdAt", After: after, Limit: pageSize + 1}) {
		if err != nil {
			return nil, nil, err
		}
		if len(page) == pageSize {
			last := page[pageSize-1]
			return page, &store.Position{Value: last.CreatedAt, ID: last.ID}, nil
		}
		page = append(page, named(rec))
	}
	return page, nil, nil
}

// Made is what a command that makes a firm or a client answers (interface.md).
type Made struct {
	FirmID       string `json:"firm_id,omitzero"`
	ClientID     string `json:"client_id"`
	ClientSecret Once   `json:"client_secret"`
}

// CreateWithClient makes a firm and its first client.
func (s *Service) CreateWithClient(ctx context.Context, by Caller, name string, in NewClient) (Made, error) {
	if err := in.check(); err != nil {
		return Made{}, err
	}
	f, err := s.Create(ctx, by, name)
	if err != nil {
		return Made{}, err
	}
	in.FirmID = f.ID
	c, text, err := s.CreateClient(ctx, by, in)
	return Made{FirmID: f.ID, ClientID: c.ID, ClientSecret: Once{text}}, err
}

// demoName is what the demo firm is called.
const demoName = "Demo"

// Demo makes a firm with a test client that may do everything to cards, unless
// there is a firm already; then made is false.
func (s *Service) Demo(ctx context.Context) (demo Made, made bool, err error) {
	for _, err := range s.firms.Find(ctx, store.Query{Limit: 1}) {
		return Made{}, false, err
	}
	demo, err = s.CreateWithClient(ctx, Caller{ID: "ccms"}, demoName, NewClient{Name: demoName, Mode: Test, Scopes: firmScopes()})
	return demo, err == nil, err
}

// tidyName returns a name without space around it and whether it may be kept.
func tidyName(name string) (string, bool) {
	name = strings.TrimSpace(name)
	return name, name != "" && printable(name, maxName)
}

// CreateWithOwner makes a firm and invites its first owner, if an address is
// given.
func (s *Service) CreateWithOwner(ctx context.Context, by Caller, name, owner string) (Firm, error) {
	if _, ok := s.cfg.Accounts.Key(owner); owner != "" && !ok {
		return Firm{}, badAddress()
	}
	f, err := s.Create(ctx, by, name)
	if err == nil && owner != "" {
		_, err = s.invite(ctx, by, standing{firm: f, operator: true}, newMember{owner, Owner})
	}
	return f, err
}

// MakeOperator makes the account with a confirmed address an operator's
// (decision B13). It fails with store.ErrNotFound when there is none, and with
// UNVERIFIED_ACCOUNT.
func (s *Service) MakeOperator(ctx context.Context, by Caller, address string) (identity.Principal, error) {
	key, ok := s.cfg.Accounts.Key(address)
	if !ok {
		return identity.Principal{}, badAddress()
	}
	account, err := s.cfg.Accounts.ByEmail(ctx, key)
	if err != nil {
		return account, err
	}
	if !account.Validated {
		return account, problem.Unverified()
	}
	err = s.do(ctx, by, act{name: "operator.create", object: account.Subject}, func() error {
		return s.cfg.Accounts.Mark(ctx, account.Subject, markOperator, true)
	})
	return account, err
}

func badAddress() error {
	return problem.Validation("Send an address such as name@example.com, of at most 254 characters.")
}
