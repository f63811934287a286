package firm

import (
	"context"
	"errors"
	"slices"
	"time"

	"ccms/internal/firm/credential"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// ErrInactive: there is no such client, it was revoked, or its firm is
// suspended. Which of them is nobody's business but the firm's.
var ErrInactive = errors.New("firm: client is not active")

// Client returns a client, revoked or not, or store.ErrNotFound.
func (s *Service) Client(ctx context.Context, id string) (Client, error) {
	rec, err := s.clients.Get(ctx, id)
	return identified(rec), err
}

// ClientOf returns a client of a firm; another's is as unknown as one that is not
// there, NOT_FOUND (decision D1).
func (s *Service) ClientOf(ctx context.Context, firm, id string) (Client, error) {
	c, err := s.Client(ctx, id)
	if err == nil && c.FirmID != firm {
		err = store.ErrNotFound
	}
	return c, unknown(err)
}

// identified puts the id of a client's document into it.
func identified(rec store.Record[Client]) Client {
	rec.Value.ID = rec.ID
	return rec.Value
}

// Active returns a client that may act now, else ErrInactive or the store's
// error. It reads the store each time: a revocation or suspension that was
// acknowledged holds for every later call, on every instance.
func (s *Service) Active(ctx context.Context, clientID string) (Client, error) {
	c, err := s.Client(ctx, clientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Client{}, ErrInactive
	case err != nil:
		return Client{}, err
	case c.Revoked:
		return Client{}, ErrInactive
	case c.Operator:
		return c, nil
	}
	f, err := s.Firm(ctx, c.FirmID)
	if errors.Is(err, store.ErrNotFound) || err == nil && f.Suspended {
		return Client{}, ErrInactive
	}
	return c, err
}

// usedEvery is how exactly the last use of a client is known.
const usedEvery = time.Hour

// Used notes that a client proved who it is.
func (s *Service) Used(ctx context.Context, c Client) error {
	now := s.now()
	if c.LastUsed != nil && now.Sub(*c.LastUsed) < usedEvery {
		return nil
	}
	_, err := s.clients.Update(ctx, c.ID, func(c *Client) error {
		c.LastUsed = &now
		return nil
	})
	return err
}

// NewClient says what client to make.
type NewClient struct {
	FirmID   string // "" for an operators' client
	Operator bool
	Name     string   // default the mode, or "operator"
	Mode     string   // Test (default) or Live; "" for an operators' client
	Scopes   []string // default D1's: register, read, reports, webhooks; an operators' has actuator:read
	// Keys is a JSON Web Key Set of public keys; a client made with keys gets no
	// secret.
	Keys           []byte
	AcceptTokenURL bool
	ReturnURLs     []string
	Origins        []string
}

// check fills in the defaults and says what is wrong with the rest.
func (n *NewClient) check() error {
	allowed, usual, mode := firmScopes(), usualScopes(), Test
	if n.Operator {
		allowed, usual, mode = operatorScopes(), operatorScopes(), ""
	}
	if n.Mode == "" {
		n.Mode = mode
	}
	if n.Name == "" {
		n.Name = n.Mode
		if n.Operator {
			n.Name = "operator"
		}
	}
	if n.Scopes == nil {
		n.Scopes = usual
	}
	var ok bool
	if n.Name, ok = tidyName(n.Name); !ok {
		return problem.Validation("Give the client a name of 1 to 100 printable characters.")
	}
	if n.Operator && (n.Mode != "" || n.FirmID != "" || len(n.ReturnURLs)+len(n.Origins) > 0) {
		return problem.Validation("An operators' client has no firm, mode, return_urls and origins.")
	}
	if !n.Operator && n.Mode != Test && n.Mode != Live {
		return problem.Validation("The mode is test or live.")
	}
	if n.Keys != nil {
		keys, err := credential.ParseKeys(n.Keys)
		if err != nil {
			return err
		}
		n.Keys = keys
	}
	return firstOf(checkScopes(n.Scopes, allowed), checkSites(n))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateClient makes a client. The secret, empty for a client with keys, exists
// nowhere else: who gets it shows it once and wipes it.
func (s *Service) CreateClient(ctx context.Context, by Caller, in NewClient) (Client, secret.Bytes, error) {
	if err := in.check(); err != nil {
		return Client{}, secret.Bytes{}, err
	}
	if !in.Operator {
		if err := s.roomForClient(ctx, in.FirmID); err != nil {
			return Client{}, secret.Bytes{}, err
		}
	}
	c := Client{
		ID: newClientID(), FirmID: in.FirmID, Name: in.Name, Mode: in.Mode, Scopes: in.Scopes, Keys: in.Keys,
		AcceptTokenURL: in.AcceptTokenURL, ReturnURLs: in.ReturnURLs, Origins: in.Origins, Operator: in.Operator, CreatedAt: s.now(),
	}
	var text secret.Bytes
	if c.Keys == nil {
		text = c.addSecret(c.CreatedAt, 0)
	}
	err := s.do(ctx, by, act{name: "client.create", firm: c.FirmID, object: c.ID}, func() error {
		return s.clients.Insert(ctx, c.ID, c)
	})
	if err != nil {
		text.Wipe()
		return Client{}, secret.Bytes{}, err
	}
	return c, text, nil
}

// roomForClient reports whether the firm is there and may have one more client.
func (s *Service) roomForClient(ctx context.Context, firm string) error {
	if _, err := s.Firm(ctx, firm); err != nil {
		return unknown(err)
	}
	all, err := s.Clients(ctx, firm)
	if err != nil {
		return err
	}
	revoked := slices.DeleteFunc(slices.Clone(all), func(c Client) bool { return !c.Revoked })
	if len(all)-len(revoked) >= maxClients {
		return problem.Validation("A firm has at most 100 clients; revoke one first.")
	}
	return s.forget(ctx, revoked)
}

// forget removes the oldest of the revoked clients when there are many, so that
// a firm that changes its clients often costs no more than one that does not. The
// audit log goes on to know them.
func (s *Service) forget(ctx context.Context, revoked []Client) error {
	for len(revoked) >= maxClients {
		rec, err := s.clients.Get(ctx, revoked[0].ID)
		if err == nil {
			err = s.clients.Delete(ctx, rec.ID, rec.Rev)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrStale) {
			return err
		}
		revoked = revoked[1:]
	}
	return nil
}

// addSecret gives the client a fresh secret. The one before lives on for the
// overlap, none for longer than it would have; those before it are dropped, so
// that two live at most.
func (c *Client) addSecret(now time.Time, overlap time.Duration) secret.Bytes {
	text, hash := credential.NewSecret()
	next := []Secret{{Hash: hash[:], CreatedAt: now}}
	if len(c.Secrets) > 0 && c.Secrets[0].Live(now) && overlap > 0 {
		old, end := c.Secrets[0], now.Add(overlap)
		if old.ExpiresAt == nil || end.Before(*old.ExpiresAt) {
			old.ExpiresAt = &end
		}
		next = append(next, old)
	}
	c.Secrets = next
	return text
}

// The time for which a secret lives on beside a newer one.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// Rotate gives a client a new secret; the one before lives on for the overlap,
// 0 for not at all. A revoked client gets none.
func (s *Service) Rotate(ctx context.Context, by Caller, id string, overlap time.Duration) (Client, secret.Bytes, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return Client{}, secret.Bytes{}, problem.Validation("The older secret lives on for 0 seconds to 30 days.")
	}
	var text secret.Bytes
	c, err := s.changeClient(ctx, by, act{name: "client.rotate", object: id}, unlessRevoked(func(c *Client) error {
		text.Wipe() // of a try that lost a race
		text = c.addSecret(s.now(), overlap)
		return nil
	}))
	if err != nil {
		text.Wipe()
		return Client{}, secret.Bytes{}, err
	}
	return c, text, nil
}

// Revoke ends a client for good: nothing it shows is accepted any more, its
// tokens included (see Active). It may be repeated.
func (s *Service) Revoke(ctx context.Context, by Caller, id string) (Client, error) {
	return s.changeClient(ctx, by, act{name: "client.revoke", object: id}, func(c *Client) error {
		c.Revoked, c.Secrets, c.Keys = true, nil, nil
		return nil
	})
}

// ClientChange says what of a client becomes what; nil stays as it is.
type ClientChange struct {
	Name           *string
	Scopes         []string
	ReturnURLs     []string
	Origins        []string
	Keys           []byte // as in NewClient; "null" takes them away
	AcceptTokenURL *bool
}

// Change changes a client of a firm.
func (s *Service) Change(ctx context.Context, by Caller, id string, to ClientChange) (Client, error) {
	return s.changeClient(ctx, by, act{name: "client.update", object: id}, unlessRevoked(func(c *Client) error {
		n := NewClient{
			FirmID: c.FirmID, Operator: c.Operator, Name: c.Name, Mode: c.Mode, Scopes: c.Scopes, Keys: c.Keys,
			ReturnURLs: c.ReturnURLs, Origins: c.Origins, AcceptTokenURL: c.AcceptTokenURL,
		}
		if err := to.Apply(&n); err != nil {
			return err
		}
		c.Name, c.Scopes, c.Keys, c.AcceptTokenURL, c.ReturnURLs, c.Origins = n.Name, n.Scopes, n.Keys, n.AcceptTokenURL, n.ReturnURLs, n.Origins
		return nil
	}))
}

// Apply makes n what it becomes, and checks it.
func (to ClientChange) Apply(n *NewClient) error {
	if to.Name != nil {
		if n.Name = *to.Name; n.Name == "" {
			return problem.Validation("Give the client a name of 1 to 100 printable characters.")
		}
	}
	if to.Scopes != nil {
		n.Scopes = to.Scopes
	}
	if to.ReturnURLs != nil {
		n.ReturnURLs = to.ReturnURLs
	}
	if to.Origins != nil {
		n.Origins = to.Origins
	}
	if to.AcceptTokenURL != nil {
		n.AcceptTokenURL = *to.AcceptTokenURL
	}
	switch {
	case string(to.Keys) == "null":
		n.Keys = nil
	case to.Keys != nil:
		n.Keys = to.Keys
	}
	return n.check()
}

// unlessRevoked keeps change away from a client that was revoked.
func unlessRevoked(change func(*Client) error) func(*Client) error {
	return func(c *Client) error {
		if c.Revoked {
			return problem.Validation("The client was revoked; make another one.")
		}
		return change(c)
	}
}

// changeClient is one audited change of the client a names; its error for one
// that does not exist is NOT_FOUND.
func (s *Service) changeClient(ctx context.Context, by Caller, a act, change func(*Client) error) (Client, error) {
	c, err := s.Client(ctx, a.object)
	if err != nil {
		return c, unknown(err)
	}
	a.firm = c.FirmID
	err = s.do(ctx, by, a, func() error {
		rec, err := s.clients.Update(ctx, a.object, change)
		c = identified(rec)
		return unknown(err)
	})
	return c, err
}

// Clients returns the clients of a firm, the oldest first, revoked ones too;
// those of the operators for "".
func (s *Service) Clients(ctx context.Context, firm string) ([]Client, error) {
	all := []Client{}
	q := store.Query{Where: []store.Cond{{Field: "firmId", Op: store.Eq, Value: firm}}}
	for rec, err := range s.clients.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		all = append(all, identified(rec))
	}
	slices.SortStableFunc(all, func(a, b Client) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}
