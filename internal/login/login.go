// Package login owns people's accounts (contract section 2, decisions A and
// B): sign-up, the two logins, verification, password reset, the account with
// its sessions, export and erasure, and the answer to the question whether a
// token is still good.
//
// It does not own how tokens are signed (package identity), how attempts are
// counted (limit) or how mail gets out (outbox, mail). Cards belong to another
// service; it is reached through Config.Cards alone.
//
// # Where things are
//
//   - http.go: the route table, the package's outer face; that of tokens and
//     sessions is session's own
//   - signup.go, signin.go, verify.go, reset.go, account.go, erase.go: one
//     file for each thing a person does; newpassword.go: what all new passwords
//     go through; sentences.go: what a person is told
//   - customer: the customer's document with its rules; session: what a login
//     leaves behind, and whether a token is good
//   - gate: what stands before every check of a password; hashpool, password
//     below it
//   - onetime: the tokens in mails; letters: the mails
//   - trail: who asks, and the record of what is done
//
// # How it holds together
//
// The customer is one document and every change of it one conditional write,
// so nothing here needs a transaction: a reset sets the password, uses up the
// token, ends the sessions and lifts the locks in a single Replace, because
// sessions stand in the customer, and tokens and counters name the Generation
// and LockEpoch they were made under. The work that follows (mail, erasing cards)
// is put into the outbox, which survives a crash.
package login

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/login/customer"
	"ccms/internal/login/gate"
	"ccms/internal/login/hashpool"
	"ccms/internal/login/letters"
	"ccms/internal/login/onetime"
	"ccms/internal/login/session"
	"ccms/internal/login/trail"
	"ccms/internal/mail"
	"ccms/internal/meter"
	"ccms/internal/outbox"
	"ccms/internal/store"
)

// KindMail is the kind of outbox message that Service.Deliver handles.
const KindMail = letters.Kind

// Cards is what the card service does for an account.
type Cards interface {
	// Erase removes every card of the customer. It is idempotent.
	Erase(ctx context.Context, customer string) error
	// Export returns the customer's cards, masked, as a value for JSON.
	Export(ctx context.Context, customer string) (any, error)
}

// Outbox takes work that must happen after the answer; *outbox.Queue is one.
// Its handlers for KindMail and KindErase are Service.Deliver and
// Service.Erase.
type Outbox interface {
	Put(ctx context.Context, m outbox.Message) error
	DropOwner(ctx context.Context, owner string) error
}

// Config is what Open needs.
type Config struct {
	DB       store.DB
	Keys     *identity.Keys
	Issuer   *identity.Issuer
	Verifier *identity.Verifier
	Counters *limit.Counters
	Audit    *audit.Log
	Outbox   Outbox
	Mail     mail.Sender
	Cards    Cards
	// Clients says whether the verified token of a firm's or operators' client
	// counts, and for what (oauth.Service.Check). Default nil: none does.
	Clients func(ctx context.Context, p identity.Principal) (identity.Principal, error)
	// Hashing bounds bcrypt. The zero value has the defaults of hashpool.
	Hashing hashpool.Config
	// PublicURL is the only base of links in mails.
	PublicURL *url.URL
	// Metrics takes the collectors. Default nil: none are registered.
	Metrics *meter.Registry

	TokenTTL    time.Duration // life of a token and its session; default 1 h
	SessionIdle time.Duration // a session ends this long after its last use; default 15 min
	LockAfter   int           // failures from one network that lock; default 5
	LockWindow  time.Duration // in which they count; default 15 min
	LockFor     time.Duration // how long a lock lasts; default 30 min
	VerifyTTL   time.Duration // default 24 h
	ResetTTL    time.Duration // default 30 min
	ResendAfter time.Duration // between two mails of a kind to an address; default 60 s
	// PasswordMaxAge is the age at which a password expires. Default 0: never
	// (the setting's own default is 90 days).
	PasswordMaxAge time.Duration
	BcryptCost     int  // default 10
	Hardened       bool // answers do not tell whether an address is known (decision B9)
	RatePerAddress int  // credential requests a minute of one client address; default 1200
	RatePerNetwork int  // the same of its network, /24 or /56; default 6000

	Log *slog.Logger     // default slog.Default
	Now func() time.Time // default time.Now
}

// Service is the login service without its listener.
type Service struct {
	cfg       Config
	customers *customer.Collection
	tokens    *onetime.Tokens
	trail     *trail.Trail
	letters   *letters.Writer
	gate      *gate.Gate
	sessions  *session.Sessions
	probes    *meter.Counters // answers that tell whether an address is known
}

// Open opens the collections and prepares the hash pool. Nothing runs before
// Run.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	cfg.setDefaults()
	s := &Service{cfg: cfg, trail: trail.New(cfg.Audit)}
	var err error
	if s.customers, err = customer.Open(ctx, cfg.DB); err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	s.tokens, err = onetime.Open(ctx, onetime.Config{DB: cfg.DB, VerifyTTL: cfg.VerifyTTL, ResetTTL: cfg.ResetTTL, Now: s.now})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	s.letters = letters.New(letters.Config{
		Customers: s.customers, Tokens: s.tokens, Queue: cfg.Outbox, Mail: cfg.Mail,
		PublicURL: cfg.PublicURL, LockFor: cfg.LockFor, Now: s.now,
	})
	s.sessions = session.New(session.Config{
		Customers: s.customers, Issuer: cfg.Issuer, Verifier: cfg.Verifier, Trail: s.trail,
		Clients: cfg.Clients, TTL: cfg.TokenTTL, Idle: cfg.SessionIdle, Now: s.now,
	})
	s.gate, err = gate.New(gate.Config{
		Counters: cfg.Counters, Trail: s.trail, Locked: s.tellLocked,
		Hashing: cfg.Hashing, Cost: cfg.BcryptCost,
		LockAfter: cfg.LockAfter, LockWindow: cfg.LockWindow, LockFor: cfg.LockFor,
		RatePerAddress: cfg.RatePerAddress, RatePerNetwork: cfg.RatePerNetwork,
		Metrics: cfg.Metrics, Now: cfg.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("login: %w", err)
	}
	s.probes = meter.NewCounters("ccms_login_enumeration_probes_total", "Answers that told whether an address is known, by route.", "route")
	if cfg.Metrics != nil {
		cfg.Metrics.Add(s.probes, meter.Func("ccms_signing_key_age_seconds", "How long the key that signs tokens has done so, 0 for a secret of the settings.",
			func() float64 { return cfg.Keys.Age().Seconds() }))
	}
	return s, nil
}

func (c *Config) setDefaults() {
	fill(&c.TokenTTL, time.Hour)
	fill(&c.SessionIdle, 15*time.Minute)
	fill(&c.LockAfter, 5)
	fill(&c.LockWindow, 15*time.Minute)
	fill(&c.LockFor, 30*time.Minute)
	fill(&c.VerifyTTL, 24*time.Hour)
	fill(&c.ResetTTL, 30*time.Minute)
	fill(&c.ResendAfter, time.Minute)
	fill(&c.BcryptCost, bcrypt.DefaultCost)
	fill(&c.RatePerAddress, 1200)
	fill(&c.RatePerNetwork, 6000)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func fill[T comparable](field *T, value T) {
	var none T
	if *field == none {
		*field = value
	}
}

// sweepEvery is how often Run looks for accounts to erase.
const sweepEvery = 10 * time.Minute

// Run erases accounts that were never verified and takes up erasures that
// stopped half-way, until ctx ends. It returns nil.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.WarnContext(ctx, "accounts to erase were not all taken up", "error.message", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Deliver writes and sends the letter of an outbox message of KindMail.
func (s *Service) Deliver(ctx context.Context, m outbox.Message) error {
	return s.letters.Deliver(ctx, m)
}

// Disabled is a webhook endpoint of a firm that was switched off.
type Disabled struct {
	ID     string // of this occasion: told twice, one letter is sent
	About  string // the endpoint, for people
	Reason string // "failing" or "gone"
	At     time.Time
}

// TellOfEndpoint writes to an account that an endpoint of its firm was switched
// off. It is durable when it returns nil.
func (s *Service) TellOfEndpoint(ctx context.Context, account string, d Disabled) error {
	return s.letters.Tell(ctx, letters.Notice{
		Kind: mail.WebhookDisabled, Account: account, ID: "webhook-" + d.ID + "-" + account, At: d.At, About: d.About, Reason: d.Reason,
	})
}

func (s *Service) tellLocked(ctx context.Context, account string) error {
	return s.letters.Tell(ctx, letters.Notice{Kind: mail.Locked, Account: account})
}

// now has the precision of the store, so that comparisons agree.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }
