// Package settings owns what a firm sets for its registrations (decision D6):
// the rules by which they are judged, kept apart for test and live. What the
// rules mean, and whether they hold together, is package verification's; who
// may change them is told by the function handed in as Require.
package settings

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/registration/verification"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/tenant"
)

// actChange is the name of the act in the audit record.
const actChange = "settings.change"

const (
	// rulesFor is how long a process remembers a firm's rules, and knownFirms of
	// how many. A change on another instance holds here that much later.
	rulesFor   = time.Second
	knownFirms = 4096
)

// Config is what Open needs.
type Config struct {
	DB    store.DB
	Audit *audit.Log
	// Adopt checks a change of rules and returns those to keep, with the signing
	// secret if one was made; verification.Pipeline's.
	Adopt func(verification.Change) (verification.Rules, secret.Bytes, error)
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope; tenant.Guard's.
	Require func(scope string) httpserver.Authenticate
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service is the settings of all firms; safe for concurrent use.
type Service struct {
	c     Config
	docs  *store.Of[Settings]
	known *identity.Memory[Settings]
}

// Settings are a firm's in one mode: a test client must not change what holds
// for live cards (decision D8). One document of the collection FirmSettings,
// whose id is firm and mode.
type Settings struct {
	Rules verification.Rules `json:"verification" bson:"verification"`
}

// Open opens the collection FirmSettings in c.DB.
func Open(ctx context.Context, c Config) (*Service, error) {
	docs, err := store.Open[Settings](ctx, c.DB, store.Spec{Name: "FirmSettings"})
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c: c, docs: docs, known: identity.NewMemory[Settings](knownFirms)}, nil
}

// Routes registers the firms' routes for settings (decision D6).
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /v1/settings", httpserver.As(s.c.Require(identity.ScopeRead), httpserver.JSON(s.handleGet)))
	mux.Handle("PUT /v1/settings", httpserver.As(s.c.Require(identity.ScopeManage), httpserver.JSON(s.handlePut)))
}

// Rules are those by which a firm's registrations of one mode are judged. They
// are remembered for a second.
func (s *Service) Rules(ctx context.Context, firm, mode string) (verification.Rules, error) {
	id := docID(firm, mode)
	digest, now := identity.DigestOf(id), s.c.Now()
	if known, ok := s.known.Get(digest, now); ok {
		return known.Rules, nil
	}
	r, err := s.get(ctx, id)
	if err == nil {
		s.known.Put(digest, r.Value, now.Add(rulesFor))
	}
	return r.Value.Rules, err
}

func docID(firm, mode string) string { return firm + "/" + mode }

// get reads a firm's settings; those of a firm that never set any are zero.
func (s *Service) get(ctx context.Context, id string) (store.Record[Settings], error) {
	r, err := s.docs.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Record[Settings]{ID: id}, nil
	}
	return r, err
}

// handleGet gives the settings of one mode, in the words in which handlePut
// keeps them. Secrets are not among them.
func (s *Service) handleGet(r *http.Request, _ httpserver.None) (Settings, error) {
	p := identity.FromContext(r.Context())
	mode, err := tenant.OneMode(p)
	if err != nil {
		return Settings{}, err
	}
	found, err := s.get(r.Context(), docID(p.FirmID, mode))
	return Settings{found.Value.Rules.Stated()}, err
}

// body is what handlePut takes. Rules that are left out are no rules to be kept:
// they would take a firm's deny list away unawares.
type body struct {
	Rules *verification.Rules `json:"verification"`
}

// handlePut takes what handleGet gives. The answer also has signing_secret when
// one was made, this once.
func (s *Service) handlePut(r *http.Request, in body) (secret.Bytes, error) {
	if in.Rules == nil {
		return secret.Bytes{}, problem.Validation("Send verification, with all the rules that shall hold from now on.")
	}
	p := identity.FromContext(r.Context())
	mode, err := tenant.OneMode(p)
	if err != nil {
		return secret.Bytes{}, err
	}
	e := audit.Entry{
		Act: actChange, Actor: tenant.Actor(p), Object: mode, Owner: p.FirmID,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}
	var kept Settings
	var made secret.Bytes
	defer func() { made.Wipe() }()
	err = s.c.Audit.Do(r.Context(), e, func(*audit.Act) error {
		kept, made, err = s.change(r.Context(), p.FirmID, mode, Settings{*in.Rules})
		return err
	})
	if err != nil {
		return secret.Bytes{}, err
	}
	return answer(kept, made)
}

// answer is the settings as JSON, with the secret if one was made.
func answer(kept Settings, made secret.Bytes) (secret.Bytes, error) {
	b, err := json.Marshal(kept)
	if err != nil || made.Len() == 0 {
		return secret.New(b), err
	}
	const name = `,"signing_secret":"`
	all := make([]byte, 0, len(b)+len(name)+made.Len()+2)
	all = append(append(all, b[:len(b)-1]...), name...) // before the last brace
	all = append(append(all, made.Reveal()...), '"', '}')
	return secret.New(all), nil
}

// change checks in against what holds and keeps it, unless another change came
// between: then it begins anew.
func (s *Service) change(ctx context.Context, firm, mode string, in Settings) (Settings, secret.Bytes, error) {
	id := docID(firm, mode)
	for {
		before, err := s.get(ctx, id)
		if err != nil {
			return Settings{}, secret.Bytes{}, err
		}
		after := before
		var made secret.Bytes
		after.Value.Rules, made, err = s.c.Adopt(verification.Change{FirmID: firm, Mode: mode, Before: before.Value.Rules, After: in.Rules})
		if err != nil {
			return Settings{}, secret.Bytes{}, err
		}
		if before.Rev == 0 {
			err = s.docs.Insert(ctx, id, after.Value)
		} else {
			err = s.docs.Replace(ctx, after)
		}
		if err == nil {
			s.known.Put(identity.DigestOf(id), after.Value, s.c.Now().Add(rulesFor))
			return after.Value, made, nil
		}
		made.Wipe()
		if !errors.Is(err, store.ErrStale) && !errors.Is(err, store.ErrExists) {
			return Settings{}, secret.Bytes{}, err
		}
	}
}
