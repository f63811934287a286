package firm

import (
	"context"
	"errors"
	"strings"

	"ccms/internal/firm/credential"
	"ccms/internal/problem"
	"ccms/internal/secret"
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

// Create makes a firm and invites its first owner, if it is to have one.
func (s *Service) Create(ctx context.Context, by Caller, n NewFirm) (Firm, error) {
	return s.CreateAs(ctx, by, NewID(), n)
}

// CreateAs makes the firm with an id that is used for this request alone: when it is
// there, an earlier try of the same request made it. The invitation comes before
// the firm and means nothing without it, so that no firm waits for an owner who
// was not invited.
func (s *Service) CreateAs(ctx context.Context, by Caller, id string, n NewFirm) (Firm, error) {
	name, ok := tidyName(n.Name)
	if !ok {
		return Firm{}, badName()
	}
	key := ""
	if n.Owner != "" {
		if key, ok = s.cfg.Accounts.Key(n.Owner); !ok {
			return Firm{}, badAddress()
		}
	}
	f := Firm{ID: id, Name: name, Members: []Member{}, CreatedAt: s.now()}
	err := s.do(ctx, by, act{name: "firm.create", firm: id, object: id}, func() error {
		made, err := s.Firm(ctx, id)
		if !errors.Is(err, store.ErrNotFound) {
			f = made
			return err
		}
		if key != "" {
			if err := s.putInvitation(ctx, f.invite(Invitee{n.Owner, Owner}, key, f.CreatedAt)); err != nil {
				return err
			}
		}
		return s.firms.Insert(ctx, id, f)
	})
	return f, err
}

// Rename gives a firm another name.
func (s *Service) Rename(ctx context.Context, by Caller, id, name string) (Firm, error) {
	name, ok := tidyName(name)
	if !ok {
		return Firm{}, badName()
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
	FirmID       string           `json:"firm_id,omitzero"` // absent for an operators' client
	ClientID     string           `json:"client_id"`
	ClientSecret *credential.Once `json:"client_secret,omitzero"` // absent for a client with keys
}

// NewMade is the answer for a client and its secret, which is empty for a client
// with keys.
func NewMade(c Client, text secret.Bytes) Made {
	made := Made{FirmID: c.FirmID, ClientID: c.ID}
	if text.Len() > 0 {
		made.ClientSecret = &credential.Once{Bytes: text}
	}
	return made
}

// NewFirm says what firm to make.
type NewFirm struct {
	Name  string
	Owner string // address of who is invited as the first owner, "" for nobody
}

// CreateWithClient makes a firm and its first client.
func (s *Service) CreateWithClient(ctx context.Context, by Caller, n NewFirm, in NewClient) (Made, error) {
	if err := in.check(); err != nil {
		return Made{}, err
	}
	f, err := s.Create(ctx, by, n)
	if err != nil {
		return Made{}, err
	}
	in.FirmID = f.ID
	c, text, err := s.CreateClient(ctx, by, in)
	return NewMade(c, text), err
}

// demoName is what the demo firm is called.
const demoName = "Demo"

// Demo makes a firm with a test client that may do everything to cards, unless
// there is a firm already; then made is false.
func (s *Service) Demo(ctx context.Context) (demo Made, made bool, err error) {
	if _, err := s.firms.First(ctx, store.Query{}); !errors.Is(err, store.ErrNotFound) {
		return Made{}, false, err
	}
	demo, err = s.CreateWithClient(ctx, Caller{ID: "ccms"}, NewFirm{Name: demoName}, NewClient{Name: demoName, Mode: Test, Scopes: firmScopes()})
	return demo, err == nil, err
}

// tidyName returns a name without space around it and whether it may be kept.
func tidyName(name string) (string, bool) {
	name = strings.TrimSpace(name)
	return name, name != "" && printable(name, maxName)
}

func badName() error {
	return problem.Validation("Give the firm a name of 1 to 100 printable characters.")
}

func badAddress() error {
	return problem.Validation("Send an address such as name@example.com, of at most 254 characters.")
}
