// Package config owns the settings: one table (table.go) says for each its
// name, type, default and meaning, and flags, environment names, file keys,
// print, help and completion all derive from it. Load reads the sources in
// order of precedence (flag, environment, file, default), checks everything,
// and reports all mistakes together. It opens nothing but the settings file
// and the files that hold a secret setting, and it does not act on a value:
// package boot hands each to whom it concerns.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"time"
)

// Settings are all settings, typed. A value made by Load is complete and
// consistent.
type Settings struct {
	Data         string   // the data folder
	PublicURL    *url.URL // base of links in mails and issuer of tokens; nil: the portal's address
	InsecureHTTP bool     // portal and registry may serve plain HTTP off loopback (decision F2)

	Store      Store
	Eureka     Eureka
	Login      Login
	CreditCard CreditCard
	Portal     Portal
	TLS        TLS
	Server     Server
	Internal   Internal
	Mail       Mail
	Keyring    Keyring
	Reveal     Reveal
	Webhook    Webhook
	Log        Log
	Trace      Trace

	// Warnings are what Load found odd but not wrong, one line each.
	Warnings []string

	sources map[string]string // of each setting that was given, by key
}

// Store says where documents are kept (decision F3).
type Store struct {
	URL             URL  // "sqlite:" is a file in the data folder; else mongodb:// or mongodb+srv://
	AllowStandalone bool // take a MongoDB that is no replica set
}

// Eureka is the registry's settings and, in URLs, its clients'.
type Eureka struct {
	Addr        string
	URLs        URLs   // of the registries the services use
	Peers       URLs   // of the registries this one replicates with
	WritersFile string // who may write which application; "": everybody, as in the reference
}

// Login is the login service's settings (decisions B).
type Login struct {
	Addr        string
	TokenTTL    time.Duration
	SessionIdle time.Duration

	LockAfter  int // failures
	LockWindow time.Duration
	LockFor    time.Duration

	VerifyTTL   time.Duration
	ResetTTL    time.Duration
	ResendAfter time.Duration

	PasswordMaxAge time.Duration // 0: passwords do not expire
	BcryptCost     int
	JWTAlgorithm   string // ES256, RS256 or HS256
	JWTSecretFile  string // for HS256
	Enumeration    string // contract or hardened (decision B9)
	RatePerAddress int    // attempts a minute of one client address
	RatePerNetwork int    // attempts a minute of one /24 or /56
}

// CreditCard is the card service's settings (decisions C).
type CreditCard struct {
	Addr             string
	LoginTimeout     time.Duration // of a question to the login service
	DeletedRetention time.Duration // until a deleted card is erased
	Breaker          Breaker
}

// Breaker is the circuit breaker of contract section 8.
type Breaker struct {
	FailureRateThreshold    int // percent
	SlidingWindowSize       int // calls
	WaitDurationInOpenState time.Duration
}

// Portal is the public edge.
type Portal struct{ Addr string }

// TLS names certificate files (PEM); they are read again on SIGHUP.
type TLS struct{ CertFile, KeyFile, CAFile string }

// Server is what all services share.
type Server struct{ TrustedProxies []netip.Prefix }

// Internal is how our services recognise each other (decision A8).
type Internal struct{ CredentialFile string }

// Mail says how mail leaves; without SMTPURL it becomes files in the data
// folder.
type Mail struct {
	SMTPURL          URL
	SMTPPasswordFile string
	From             string
}

// Keyring says where the root key is; zero: a key file in the data folder.
type Keyring struct {
	URL       URL
	TokenFile string // the token of a key service
}

// Reveal limits how often a firm's client may ask for full numbers.
type Reveal struct{ PerHour int }

// Webhook adjusts the guard against calls into private networks.
type Webhook struct{ AllowPrivate bool }

// Log says how and where log lines are written.
type Log struct {
	Format string // text or json
	File   string // none when empty
	Upload URL    // bucket that full files are copied to; none when zero
	Level  slog.Level
}

// Trace says where spans of requests go; without URL nowhere.
type Trace struct {
	URL     URL
	Percent int // of the traces that begin here
}

// Sources are where settings come from.
type Sources struct {
	Flags map[string]string // from the command line, by key without dashes
	Env   []string          // as os.Environ gives it
	File  string            // --config; empty: what CCMS_CONFIG names, else none

	// Service is the one service being started: eureka, login, creditcard or
	// portal. Empty for all in one process, and for every other command.
	Service string
	// OwnTLS says that certificates will be made (ccms up --tls), so that
	// none need be given.
	OwnTLS bool
	// Terminal says that log lines go to a person: log.format is then text
	// unless it is given.
	Terminal bool
}

// Error is one mistake in the settings.
type Error struct {
	Key    string // of the setting, or what was written in place of one
	Source string // "flag --login.token-ttl", "env CCMS_LOGIN_TOKEN_TTL", "ccms.yaml:12"
	Wrong  string // what is wrong; never a secret
	Right  string // what would be right
}

// Error gives the mistake on one line.
func (e *Error) Error() string {
	at := e.Key
	if e.Source != "" {
		at += " (" + e.Source + ")"
	}
	return fmt.Sprintf("%s: %s; %s", at, e.Wrong, e.Right)
}

// Load reads and checks all settings. Its error joins one *Error for each
// mistake, so that its text has one line for each; the settings then hold only
// the warnings.
func Load(src Sources) (Settings, error) {
	l := newLoader(src)
	l.source(l.fromFile())
	l.source(l.fromEnv())
	l.source(l.fromFlags())
	s := l.settings
	if !s.Given("internal.credential-file") {
		s.Internal.CredentialFile = filepath.Join(s.Data, "keys", "internal")
	}
	l.errs = append(l.errs, check(s, src)...)
	if len(l.errs) > 0 {
		return Settings{Warnings: s.Warnings}, errors.Join(l.errs...)
	}
	return *s, nil
}

// Given reports whether somebody set key, rather than its default holding.
func (s *Settings) Given(key string) bool { return s.sources[key] != "" }

// Source says where the value of key comes from: "flag …", "env …",
// "FILE:LINE" or "default".
func (s *Settings) Source(key string) string {
	if src := s.sources[key]; src != "" {
		return src
	}
	return "default"
}

// Changed compares settings with newer ones read on SIGHUP: live are the keys
// whose new value may be applied at once, restart those that need a restart.
func (s *Settings) Changed(newer *Settings) (live, restart []string) {
	now := table(newer)
	for i, t := range table(s) {
		switch {
		case t.text() == now[i].text():
		case t.Reread:
			live = append(live, t.Key)
		default:
			restart = append(restart, t.Key)
		}
	}
	return live, restart
}
