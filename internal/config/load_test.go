package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/config"
)

// write puts text into a new file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads or fails the test.
func load(t *testing.T, src config.Sources) config.Settings {
	t.Helper()
	s, err := config.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func flags(pairs ...string) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return m
}

// interfaceDefaults is the table of the outer interface: every setting a user
// may rely on, with its default as the loader shows it.
var interfaceDefaults = map[string]string{
	"data": "./ccms-data", "store.url": "sqlite:", "store.allow-standalone": "false",
	"eureka.addr": "127.0.0.1:8761", "login.addr": "127.0.0.1:8081", "creditcard.addr": "127.0.0.1:8083", "portal.addr": "127.0.0.1:5000",
	"eureka.urls": "http://localhost:8761/eureka/", "eureka.peers": "", "public-url": "",
	"tls.cert-file": "", "tls.key-file": "", "tls.ca-file": "", "insecure-http": "false",
	"server.trusted-proxies": "", "internal.credential-file": "ccms-data/keys/internal",
	"mail.smtp-url": "", "mail.smtp-password-file": "", "mail.from": "CCMS <no-reply@localhost>",
	"login.token-ttl": "1h", "login.session-idle": "15m",
	"login.lock-after": "5", "login.lock-window": "15m", "login.lock-for": "30m",
	"login.verify-ttl": "24h", "login.reset-ttl": "30m", "login.resend-after": "1m",
	"login.password-max-age": "2160h", "login.bcrypt-cost": "10",
	"login.jwt-algorithm": "ES256", "login.enumeration": "contract",
	"login.rate-per-address": "1200", "login.rate-per-network": "6000",
	"creditcard.login-timeout": "2s", "creditcard.deleted-retention": "2160h",
	"creditcard.breaker.failure-rate-threshold": "50", "creditcard.breaker.sliding-window-size": "5",
	"creditcard.breaker.wait-duration-in-open-state": "10s",
	"reveal.per-hour": "100", "webhook.allow-private": "false", "keyring.url": "", "keyring.token-file": "",
	"log.format": "json", "log.file": "", "log.level": "info", "trace.url": "", "trace.percent": "100",
	"upload.url": "",
}

// printed gives every setting as `config print -o json` does, by key.
func printed(t *testing.T, s config.Settings) map[string]string {
	t.Helper()
	var out bytes.Buffer
	if err := config.Print(&out, s, "json"); err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Key   string
		Value any
	}
	if err := json.Unmarshal(out.Bytes(), &all, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, v := range all {
		if list, ok := v.Value.([]any); ok {
			m[v.Key] = strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
			continue
		}
		m[v.Key] = fmt.Sprint(v.Value)
	}
	return m
}

func TestDefaultsAreThoseOfTheInterface(t *testing.T) {
	got := printed(t, load(t, config.Sources{}))
	for key, want := range interfaceDefaults {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s is %q, want %q", key, v, want)
		}
	}
	for key := range got {
		if _, ok := interfaceDefaults[key]; !ok && key != "login.jwt-secret-file" && key != "eureka.writers-file" {
			t.Errorf("%s is not in the interface", key)
		}
	}
}

func TestEveryRowIsComplete(t *testing.T) {
	envs := map[string]string{}
	for _, s := range config.Table() {
		if s.Doc == "" || !strings.HasSuffix(s.Doc, ".") || s.Kind == "" {
			t.Errorf("%s has no sentence or no kind", s.Key)
		}
		if other := envs[s.Env()]; other != "" {
			t.Errorf("%s and %s share %s", s.Key, other, s.Env())
		}
		envs[s.Env()] = s.Key
	}
	if envs["CCMS_LOGIN_TOKEN_TTL"] != "login.token-ttl" {
		t.Error("CCMS_LOGIN_TOKEN_TTL is not login.token-ttl")
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	file := write(t, "ccms.yaml", "login: {token-ttl: 4h, lock-after: 4}\nlogin.lock-for: 4m\n")
	env := []string{"CCMS_LOGIN_TOKEN_TTL=3h", "CCMS_LOGIN_LOCK_AFTER=3"}
	s := load(t, config.Sources{Flags: flags("login.token-ttl=2h"), Env: env, File: file})
	if s.Login.TokenTTL != 2*time.Hour || s.Login.LockAfter != 3 || s.Login.LockFor != 4*time.Minute || s.Login.LockWindow != 15*time.Minute {
		t.Errorf("login %+v", s.Login)
	}
	for key, want := range map[string]string{
		"login.token-ttl": "flag --login.token-ttl", "login.lock-after": "env CCMS_LOGIN_LOCK_AFTER",
		"login.lock-for": file + ":2", "login.lock-window": "default",
	} {
		if got := s.Source(key); got != want {
			t.Errorf("%s comes from %q, want %q", key, got, want)
		}
		if s.Given(key) != (want != "default") {
			t.Errorf("Given(%s) is %v", key, s.Given(key))
		}
	}
}

func TestValuesAreTyped(t *testing.T) {
	credential := write(t, "internal", "x")
	s := load(t, config.Sources{Flags: flags(
		"server.trusted-proxies=10.0.0.0/8, ::1,192.168.7.9", "public-url=https://cards.example:8443/", "log.level=warn",
		"eureka.urls=http://a:8761/eureka/,http://b:8761/eureka/", "insecure-http=TRUE", "login.password-max-age=0",
		"internal.credential-file="+credential, "store.url=mongodb://a:27017,b:27017/CCMS?replicaSet=rs", "keyring.url=file:/keys/login.key",
		"creditcard.breaker.wait-duration-in-open-state=10000ms", "login.addr=[::1]:0")})
	if got := fmt.Sprint(s.Server.TrustedProxies); got != "[10.0.0.0/8 ::1/128 192.168.7.9/32]" {
		t.Errorf("proxies %s", got)
	}
	if s.PublicURL.String() != "https://cards.example:8443" {
		t.Errorf("public URL %v", s.PublicURL)
	}
	if s.Log.Level != slog.LevelWarn || !s.InsecureHTTP || s.Login.PasswordMaxAge != 0 || s.CreditCard.Breaker.WaitDurationInOpenState != 10*time.Second {
		t.Errorf("settings %+v", s)
	}
	if got := s.Eureka.URLs.Reveal(); !slices.Equal(got, []string{"http://a:8761/eureka/", "http://b:8761/eureka/"}) {
		t.Errorf("registries %q", got)
	}
	if s.Keyring.URL.Scheme() != "file" || s.Internal.CredentialFile != credential {
		t.Errorf("keyring %v, credential %s", s.Keyring.URL, s.Internal.CredentialFile)
	}
}

func TestDefaultsFollowTheCommand(t *testing.T) {
	s := load(t, config.Sources{Service: "login", Terminal: true})
	if s.Data != "./ccms-data/login" || s.Log.Format != "text" || s.Internal.CredentialFile != "ccms-data/login/keys/internal" {
		t.Errorf("data %s, log %s, credential %s", s.Data, s.Log.Format, s.Internal.CredentialFile)
	}
	s = load(t, config.Sources{Service: "login", Terminal: true, Flags: flags("data=/d", "log.format=json")})
	if s.Data != "/d" || s.Log.Format != "json" {
		t.Errorf("data %s, log %s", s.Data, s.Log.Format)
	}
}

func TestAllMistakesAreReportedTogether(t *testing.T) {
	file := write(t, "ccms.yaml", "login:\n  token-ttl: soon\n  nonsense: 1\nreveal: {per-hour: many}\n")
	_, err := config.Load(config.Sources{
		File:  file,
		Env:   []string{"CCMS_LOGIN_BCRYPT_COST=99", "CCMS_LOG_LEVEL=loud"},
		Flags: flags("portal.addr=nowhere", "login.adr=x"),
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`login.token-ttl (` + file + `:2): "soon" is no time; give a time above 0 such as 90s, 15m or 2160h`,
		`login.nonsense (` + file + `:3): is no setting; ` + "`ccms config print` shows them all",
		`reveal.per-hour (` + file + `:4): "many" is no whole number; give a whole number from 0 to 1000000`,
		`login.bcrypt-cost (env CCMS_LOGIN_BCRYPT_COST): "99" is out of range; give a whole number from 10 to 15`,
		`log.level (env CCMS_LOG_LEVEL): "loud" is no level; give debug, info, warn or error`,
		`login.adr (flag --login.adr): is no setting; did you mean login.addr?`,
		`portal.addr (flag --portal.addr): "nowhere" is no HOST:PORT; give HOST:PORT such as 127.0.0.1:8081, the port from 0 to 65535`,
	}
	got := strings.Split(err.Error(), "\n")
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if one, ok := errors.AsType[*config.Error](err); !ok || one.Key != "login.token-ttl" {
		t.Errorf("the first mistake is %+v", one)
	}
}

func TestAnUnknownNameInTheEnvironmentIsAWarning(t *testing.T) {
	env := []string{"CCMS_LOGIN_TOKN_TTL=1h", "CCMS_X=1", "HOME=/", "LOGIN_TOKEN_TTL=bad"}
	s := load(t, config.Sources{Env: env})
	want := []string{
		"CCMS_LOGIN_TOKN_TTL in the environment is no setting; did you mean CCMS_LOGIN_TOKEN_TTL?",
		"CCMS_X in the environment is no setting; `ccms config print` shows them all",
	}
	if !slices.Equal(s.Warnings, want) {
		t.Errorf("warnings %q", s.Warnings)
	}
	if s, err := config.Load(config.Sources{Env: append(env, "CCMS_LOG_LEVEL=x")}); err == nil || !slices.Equal(s.Warnings, want) {
		t.Errorf("warnings beside an error: %q, %v", s.Warnings, err)
	}
}

func TestAnEmptyVariableIsNone(t *testing.T) {
	s := load(t, config.Sources{Env: []string{"CCMS_LOGIN_TOKEN_TTL=", "CCMS_STORE_URL_FILE="}})
	if s.Login.TokenTTL != time.Hour || s.Given("login.token-ttl") {
		t.Errorf("token life %v", s.Login.TokenTTL)
	}
}

func TestTheEnvironmentMayNameTheFile(t *testing.T) {
	file := write(t, "a.yaml", "log.level: debug")
	other := write(t, "b.properties", "log.level=error")
	if s := load(t, config.Sources{Env: []string{"CCMS_CONFIG=" + file}}); s.Log.Level != slog.LevelDebug {
		t.Errorf("level %v", s.Log.Level)
	}
	if s := load(t, config.Sources{Env: []string{"CCMS_CONFIG=" + file}, File: other}); s.Log.Level != slog.LevelError {
		t.Errorf("level %v: --config does not win", s.Log.Level)
	}
}

func TestPrintIsAFileThatLoadTakesBack(t *testing.T) {
	first := load(t, config.Sources{Flags: flags("login.token-ttl=90s", "eureka.peers=http://a/eureka/,http://b/eureka/",
		"server.trusted-proxies=10.0.0.0/8,10.1.1.1", "insecure-http=true", "mail.from=\"A: b\" <x@y.example>")})
	var out bytes.Buffer
	if err := config.Print(&out, first, "text"); err != nil {
		t.Fatal(err)
	}
	// The default of this one is a file that only exists once a service ran.
	text := strings.ReplaceAll(out.String(), "internal.credential-file: ccms-data/keys/internal", "")
	second := load(t, config.Sources{File: write(t, "ccms.yaml", text)})
	if live, restart := first.Changed(&second); live != nil || restart != nil {
		t.Errorf("changed: %v %v\n%s", live, restart, text)
	}
	if !strings.Contains(out.String(), "# flag --login.token-ttl") {
		t.Errorf("no sources in\n%s", out.String())
	}
}

func TestChangedTellsWhatNeedsARestart(t *testing.T) {
	before := load(t, config.Sources{})
	after := load(t, config.Sources{Flags: flags("log.level=debug", "login.token-ttl=2h")})
	live, restart := before.Changed(&after)
	if !slices.Equal(live, []string{"log.level"}) || !slices.Equal(restart, []string{"login.token-ttl"}) {
		t.Errorf("live %v, restart %v", live, restart)
	}
}
