package config

import (
	"fmt"
	"strings"
)

// Setting is one row of the table.
type Setting struct {
	Key     string   // "login.token-ttl"
	Kind    string   // of the value, in a word: duration, integer, boolean, …
	Default string   // as it would be written
	Doc     string   // what it does, one sentence
	Values  []string // all that are allowed; nil when they cannot be listed
	Secret  bool     // may hold a password: never shown whole, and FileKey is a variant
	Reread  bool     // SIGHUP applies a change; all others need a restart
	Spring  string   // the contract's Spring property that means the same; "" for most

	springFor []string // the services for which Spring does; nil: all

	want string // what a right value is, to follow "give"
	set  func(text string) error
	show func() any // bool, int, string or []string; without passwords
}

// Flag is the setting on the command line.
func (t Setting) Flag() string { return "--" + t.Key }

// Env is the setting in the environment.
func (t Setting) Env() string { return envName(t.Key) }

// FileKey is the key that names a file with the value of a secret setting, ""
// for all others.
func (t Setting) FileKey() string {
	if !t.Secret {
		return ""
	}
	return t.Key + "-file"
}

// IsBool reports whether the flag may stand without a value.
func (t Setting) IsBool() bool { return t.Kind == boolean.name }

// text is the value as it would be written, without passwords.
func (t Setting) text() string {
	if list, ok := t.show().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(t.show())
}

// secret marks a row whose value may hold a password.
func (t Setting) secret() Setting { t.Secret = true; return t }

// reread marks a row that SIGHUP applies.
func (t Setting) reread() Setting { t.Reread = true; return t }

// spring names the contract's Spring property that means the same for the
// given services, or for all.
func (t Setting) spring(name string, services ...string) Setting {
	t.Spring, t.springFor = name, services
	return t
}

// row completes the part of a row that is about the value.
func row(key, def string, value Setting, doc string) Setting {
	value.Key, value.Default, value.Doc = key, def, doc
	return value
}

// at is the part of a row about its value: of kind k, kept at p.
func (k kind[T]) at(p *T) Setting {
	return Setting{
		Kind: k.name, Values: k.values, want: k.want,
		set: func(text string) error {
			v, err := k.parse(strings.TrimSpace(text))
			if err == nil {
				*p = v
			}
			return err
		},
		show: func() any { return k.show(*p) },
	}
}

// Table lists every setting with its default, in the order people should read
// them.
func Table() []Setting { return table(new(Settings)) }

// table is Table over the values of s.
func table(s *Settings) []Setting {
	var rows []Setting
	for _, part := range [][]Setting{placeRows(s), edgeRows(s), loginRows(s), cardRows(s), logRows(s)} {
		rows = append(rows, part...)
	}
	return rows
}

// The Spring names (contract sections 7.2 and 8) that several rows share.
const (
	defaultZone = "eureka.client.service-url.defaultZone"
	breaker     = "resilience4j.circuitbreaker.instances.loginService."
)

// placeRows say where things are: data, addresses, registries.
func placeRows(s *Settings) []Setting {
	return []Setting{
		row("data", "./ccms-data", path.at(&s.Data),
			"Data folder; a service started alone has ./ccms-data/SERVICE unless this is given."),
		row("store.url", "sqlite:", storeURL.at(&s.Store.URL),
			"Where documents are kept: sqlite: in the data folder, mongodb://HOST/CCMS or mongodb+srv://HOST/CCMS.").secret(),
		row("store.allow-standalone", "false", boolean.at(&s.Store.AllowStandalone),
			"Take a MongoDB that is no replica set, which can lose writes it acknowledged."),
		row("eureka.addr", "127.0.0.1:8761", address.at(&s.Eureka.Addr),
			"Address the registry listens on; port 0 picks a free one.").spring("server.port", "eureka"),
		row("login.addr", "127.0.0.1:8081", address.at(&s.Login.Addr),
			"Address the login service listens on; port 0 picks a free one.").spring("server.port", "login"),
		row("creditcard.addr", "127.0.0.1:8083", address.at(&s.CreditCard.Addr),
			"Address the card service listens on; port 0 picks a free one.").spring("server.port", "creditcard"),
		row("portal.addr", "127.0.0.1:5000", address.at(&s.Portal.Addr),
			"Address the portal listens on; port 0 picks a free one.").spring("server.port", "portal"),
		row("eureka.urls", "http://localhost:8761/eureka/", registryURLs.at(&s.Eureka.URLs),
			"Registries the services use, separated by commas; ccms up uses its own unless this is given.").secret().spring(defaultZone, "login", "creditcard", "portal", ""),
		row("eureka.peers", "", optional(registryURLs).at(&s.Eureka.Peers),
			"Registries this one replicates with, separated by commas.").secret().spring(defaultZone, "eureka"),
		row("eureka.writers-file", "", file.at(&s.Eureka.WritersFile),
			"File of who may write which application in the registry; everybody unless given."),
		row("keyring.url", "", keyURL.at(&s.Keyring.URL),
			"Root key: file:PATH, or https://HOST/MOUNT/KEY in the transit engine of OpenBao or Vault; a key file in the data folder unless given.").secret(),
		row("keyring.token-file", "", file.at(&s.Keyring.TokenFile),
			"File with the token for that key service."),
	}
}

// edgeRows concern who may reach the services, how, and what leaves them.
func edgeRows(s *Settings) []Setting {
	return []Setting{
		row("public-url", "", publicURL.at(&s.PublicURL),
			"Where people reach the portal: the base of links in mails and the issuer of tokens; the portal's address unless given."),
		row("tls.cert-file", "", file.at(&s.TLS.CertFile),
			"Certificate chain (PEM) the services show; read again on SIGHUP."),
		row("tls.key-file", "", file.at(&s.TLS.KeyFile),
			"Private key (PEM) of tls.cert-file; read again on SIGHUP."),
		row("tls.ca-file", "", file.at(&s.TLS.CAFile),
			"Authorities (PEM) that vouch for the other services; read again on SIGHUP."),
		row("insecure-http", "false", boolean.at(&s.InsecureHTTP),
			"Let portal and registry serve plain HTTP off loopback, behind a proxy that ends TLS."),
		row("server.trusted-proxies", "", prefixes.at(&s.Server.TrustedProxies),
			"Addresses or networks, separated by commas, whose X-Forwarded-For is believed."),
		row("internal.credential-file", "", file.at(&s.Internal.CredentialFile),
			"Credential by which the services know each other; keys/internal in the data folder unless given."),
		row("mail.smtp-url", "", smtpURL.at(&s.Mail.SMTPURL),
			"Mail server, smtp://USER@HOST:587 or smtps://USER@HOST; mails become files in the data folder unless given.").secret(),
		row("mail.smtp-password-file", "", file.at(&s.Mail.SMTPPasswordFile),
			"File with the password of the mail server's user."),
		row("mail.from", "CCMS <no-reply@localhost>", mailbox.at(&s.Mail.From),
			"Sender of mails."),
		row("webhook.allow-private", "false", boolean.at(&s.Webhook.AllowPrivate),
			"Let webhooks call private networks; for tests only."),
	}
}

// loginRows are the login service's.
func loginRows(s *Settings) []Setting {
	l := &s.Login
	return []Setting{
		row("login.token-ttl", "1h", duration.at(&l.TokenTTL), "Life of a token."),
		row("login.session-idle", "15m", duration.at(&l.SessionIdle), "A session ends after this time without a request."),
		row("login.lock-after", "5", between(1, 1000).at(&l.LockAfter), "Failures that lock an address out."),
		row("login.lock-window", "15m", duration.at(&l.LockWindow), "Time in which those failures count."),
		row("login.lock-for", "30m", duration.at(&l.LockFor), "Time a lock lasts."),
		row("login.verify-ttl", "24h", duration.at(&l.VerifyTTL), "Life of the link that verifies an e-mail address."),
		row("login.reset-ttl", "30m", duration.at(&l.ResetTTL), "Life of the link that resets a password."),
		row("login.resend-after", "60s", duration.at(&l.ResendAfter), "Time between two mails of one kind to one address."),
		row("login.password-max-age", "2160h", durationOrOff.at(&l.PasswordMaxAge), "A password older than this must be changed; 0 turns it off."),
		row("login.bcrypt-cost", "10", between(10, 15).at(&l.BcryptCost), "Work of a password hash: each step doubles it; `ccms doctor` says what this machine can afford."),
		row("login.jwt-algorithm", "ES256", oneOf("ES256", "RS256", "HS256").at(&l.JWTAlgorithm), "Signature of tokens; RS256 and HS256 for consumers that know no other."),
		row("login.jwt-secret-file", "", file.at(&l.JWTSecretFile), "File with the secret for HS256, at least 32 bytes."),
		row("login.enumeration", "contract", oneOf("contract", "hardened").at(&l.Enumeration), "Whether answers tell that an address is known, as the contract has it, or not."),
		row("login.rate-per-address", "1200", between(1, 1_000_000).at(&l.RatePerAddress), "Attempts a minute on credential routes from one client address."),
		row("login.rate-per-network", "6000", between(1, 1_000_000).at(&l.RatePerNetwork), "Attempts a minute on credential routes from one network (/24 or /56)."),
	}
}

// cardRows are the card service's.
func cardRows(s *Settings) []Setting {
	c := &s.CreditCard
	return []Setting{
		row("creditcard.login-timeout", "2s", duration.at(&c.LoginTimeout), "Time the login service has to say whether a session holds."),
		row("creditcard.deleted-retention", "2160h", duration.at(&c.DeletedRetention), "Time until a deleted card is erased."),
		row("creditcard.breaker.failure-rate-threshold", "50", between(1, 100).at(&c.Breaker.FailureRateThreshold), "Percent of failed calls to the login service that open the breaker.").spring(breaker + "failureRateThreshold"),
		row("creditcard.breaker.sliding-window-size", "5", between(1, 10_000).at(&c.Breaker.SlidingWindowSize), "Calls the breaker looks back on.").spring(breaker + "slidingWindowSize"),
		row("creditcard.breaker.wait-duration-in-open-state", "10s", duration.at(&c.Breaker.WaitDurationInOpenState), "Time the breaker stays open.").spring(breaker + "waitDurationInOpenState"),
		row("reveal.per-hour", "100", between(0, 1_000_000).at(&s.Reveal.PerHour), "Full numbers one client of a firm may ask for in an hour."),
	}
}

// logRows say what becomes of log lines and of traces.
func logRows(s *Settings) []Setting {
	return []Setting{
		row("log.format", "json", oneOf("text", "json").at(&s.Log.Format), "Shape of log lines, json being ECS; text on a terminal unless given."),
		row("log.file", "", optional(path).at(&s.Log.File), "File that log lines go to beside the console, rotated."),
		row("upload.url", "", bucketURL.at(&s.Log.Upload),
			"Object storage that full files of log.file are copied to, and what ccms upload is given; only in builds with -tags cloud.").secret(),
		row("log.level", "info", level.at(&s.Log.Level), "Least level that is logged.").reread(),
		row("trace.url", "", collectorURL.at(&s.Trace.URL), "OpenTelemetry collector that spans of requests go to, by OTLP over HTTP, e.g. http://localhost:4318; none unless given.").secret(),
		row("trace.percent", "100", between(0, 100).at(&s.Trace.Percent), "Percent of the traces that begin here of which spans are sent."),
	}
}
