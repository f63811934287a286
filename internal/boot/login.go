package boot

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/boot/desk"
	"ccms/internal/figures"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/login"
	"ccms/internal/operator"
	"ccms/internal/outbox"
	"ccms/internal/rotation"
	"ccms/internal/trust"
	"ccms/internal/vault/keyring"
)

// audience is the aud of our tokens (decision B11).
const audience = "ccms"

// books are what accounts and firms, both of the login service, work with.
type books struct {
	ring     *keyring.Ring
	keys     *identity.Keys
	issuer   *identity.Issuer
	verifier *identity.Verifier
	audit    *audit.Log
	counters *limit.Counters
}

func (p *process) openBooks(ctx context.Context, s *chassis.Service) (b books, err error) {
	if b.ring, err = p.OpenRing(ctx, "LoginKey", "login.key"); err != nil {
		return b, err
	}
	if b.keys, err = p.SigningKeys(ctx, b.ring); err != nil {
		return b, err
	}
	if b.audit, err = p.OpenAudit(ctx, s, b.ring, chassis.LoginAudit); err != nil {
		return b, err
	}
	b.counters, err = p.OpenCounters(ctx, b.ring)
	issuer := p.Public.String()
	b.issuer = identity.NewIssuer(identity.IssuerConfig{Keys: b.keys, Issuer: issuer, Audience: audience})
	b.verifier = identity.NewVerifier(identity.VerifierConfig{
		Issuer: issuer, Audience: audience, Lookup: b.keys.Lookup, Algorithms: algorithms(p.Settings.Login.JWTAlgorithm),
	})
	return b, err
}

// wireLogin fills the login service: accounts and firms, on the same books.
// Every URL is known by then.
func (p *process) wireLogin(ctx context.Context, s *chassis.Service) error {
	if err := p.Connect(s, chassis.CardService); err != nil {
		return err
	}
	b, err := p.openBooks(ctx, s)
	if err != nil {
		return err
	}
	p.Audit = b.audit
	var accounts *login.Service
	tokens, err := p.wireFirms(ctx, s, firmsOf{b, func(r *http.Request) (identity.Principal, error) { return accounts.Authenticate(r) }})
	if err != nil {
		return err
	}
	if accounts, err = p.wireAccounts(ctx, s, accountsOf{b, tokens.Check}); err != nil {
		return err
	}
	s.Authenticate = func(r *http.Request) (identity.Principal, error) {
		who, err := b.verifier.Verify(r.Context(), httpserver.Bearer(r))
		if err == nil && who.ClientID != "" {
			return tokens.Check(r.Context(), who)
		}
		return accounts.Authenticate(r)
	}
	p.lookAfter(s, operatorDesk{
		prefix: "/api/operator", books: chassis.LoginAudit, operator: operator.Only(accounts.Authenticate, p.Firms.Operators().Is),
		keys: rotation.Config{Ring: b.ring, Audit: b.audit, Signing: b.keys}, people: peopleOf(p.Firms.Operators()),
	})
	p.WatchStore(s)
	p.watchBackups(s)
	p.addNotices(s, accounts)
	return nil
}

// accountsOf is what accounts need beside the settings.
type accountsOf struct {
	books
	clients func(context.Context, identity.Principal) (identity.Principal, error)
}

func (p *process) wireAccounts(ctx context.Context, s *chassis.Service, of accountsOf) (*login.Service, error) {
	sender, err := p.OpenMail()
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	s.Closers = append(s.Closers, func(context.Context) error { return sender.Close() })

	var accounts *login.Service
	queue, err := outbox.Open(ctx, outbox.Config{
		DB:         p.DB,
		Collection: desk.MailQueue,
		Sealer:     of.ring,
		Handlers: map[string]outbox.Handler{
			login.KindMail:  func(ctx context.Context, m outbox.Message) error { return accounts.Deliver(ctx, m) },
			login.KindErase: func(ctx context.Context, m outbox.Message) error { return accounts.Erase(ctx, m) },
		},
		Origin:  httpserver.Origin,
		Resume:  httpserver.Resume,
		Retries: map[string]outbox.Retry{login.KindErase: {MaxAge: outbox.Forever}},
		Log:     p.Log.Of(chassis.LoginService),
	})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	cfg := p.Settings.Login
	accounts, err = login.Open(ctx, login.Config{
		DB:             p.DB,
		Keys:           of.keys,
		Issuer:         of.issuer,
		Verifier:       of.verifier,
		Counters:       of.counters,
		Audit:          of.audit,
		Clients:        of.clients,
		Outbox:         queue,
		Mail:           sender,
		Cards:          remoteCards{trust.Peer{Name: chassis.CardService, Client: &http.Client{Transport: p.Reach(s)}}},
		PublicURL:      p.Public,
		Metrics:        s.Actuator.Registry(),
		TokenTTL:       cfg.TokenTTL,
		SessionIdle:    cfg.SessionIdle,
		LockAfter:      cfg.LockAfter,
		LockWindow:     cfg.LockWindow,
		LockFor:        cfg.LockFor,
		VerifyTTL:      cfg.VerifyTTL,
		ResetTTL:       cfg.ResetTTL,
		ResendAfter:    cfg.ResendAfter,
		PasswordMaxAge: cfg.PasswordMaxAge,
		BcryptCost:     cfg.BcryptCost,
		Hardened:       cfg.Enumeration == "hardened",
		RatePerAddress: cfg.RatePerAddress,
		RatePerNetwork: cfg.RatePerNetwork,
		Log:            p.Log.Of(chassis.LoginService),
	})
	if err != nil {
		return nil, err
	}
	accounts.Routes(s.Mux)
	s.Work = append(s.Work, queue.Run, accounts.Run)
	s.Actuator.Registry().Add(figures.Queue(queue, "login"))
	return accounts, nil
}

// algorithms are those a token of ours may have: while a new algorithm takes
// over, tokens of the old one go on; HS256 shares no verifier with others.
func algorithms(configured string) []string {
	if configured == identity.HS256 {
		return []string{identity.HS256}
	}
	return []string{identity.ES256, identity.RS256}
}

// remoteCards asks the card service on behalf of an account.
type remoteCards struct{ trust.Peer }

var _ login.Cards = remoteCards{}

// Erase implements login.Cards.
func (c remoteCards) Erase(ctx context.Context, customer string) error {
	return c.Call(ctx, http.MethodPost, "/internal/cardholders/"+url.PathEscape(customer)+"/erase", nil)
}

// Export implements login.Cards.
func (c remoteCards) Export(ctx context.Context, customer string) (any, error) {
	var cards any
	err := c.Call(ctx, http.MethodGet, "/internal/cardholders/"+url.PathEscape(customer)+"/cards", &cards)
	return cards, err
}
