package config_test

import (
	"strings"
	"testing"

	"ccms/internal/config"
)

func TestWrongValuesAreRefused(t *testing.T) {
	folder := t.TempDir()
	tests := []struct{ name, setting, want string }{
		{"a negative duration", "login.token-ttl=-1s", "not above 0"},
		{"a duration of nothing", "login.token-ttl=0", "not above 0"},
		{"a duration without unit", "login.token-ttl=15", "is no time"},
		{"no duration", "login.token-ttl=", "is no time"},
		{"a negative password age", "login.password-max-age=-1h", "below 0"},
		{"a cheap hash", "login.bcrypt-cost=9", "out of range"},
		{"a dear hash", "login.bcrypt-cost=16", "out of range"},
		{"no failures to lock after", "login.lock-after=0", "out of range"},
		{"a fraction", "login.lock-after=2.5", "no whole number"},
		{"more than all calls", "creditcard.breaker.failure-rate-threshold=101", "out of range"},
		{"a boolean in words", "insecure-http=yes", "neither true nor false"},
		{"an unknown algorithm", "login.jwt-algorithm=none", "not known"},
		{"an algorithm in lower case", "login.jwt-algorithm=es256", "not known"},
		{"an unknown enumeration", "login.enumeration=maybe", "not known"},
		{"an unknown format", "log.format=xml", "not known"},
		{"a numbered level", "log.level=info+2", "no level"},
		{"a port alone", "login.addr=8081", "no HOST:PORT"},
		{"a port too high", "login.addr=127.0.0.1:65536", "no port"},
		{"a port by name", "login.addr=127.0.0.1:http", "no port"},
		{"a host with a space", "login.addr=my host:80", "names no host"},
		{"a store of another kind", "store.url=postgres://h/CCMS", "another scheme"},
		{"a store in another file", "store.url=sqlite:/tmp/x.db", "another scheme"},
		{"a store without host", "store.url=mongodb:///CCMS", "names no host"},
		{"a store without database", "store.url=mongodb://h/", "names no database"},
		{"a mail server by HTTP", "mail.smtp-url=http://h", "another scheme"},
		{"a mail server without host", "mail.smtp-url=smtp://user@", "no host"},
		{"a sender without address", "mail.from=CCMS", "no e-mail address"},
		{"two senders", "mail.from=a@b.example, c@d.example", "no e-mail address"},
		{"a registry by another scheme", "eureka.urls=ftp://h/", "another scheme"},
		{"one bad registry of two", "eureka.urls=http://h/,nonsense", "no host"},
		{"a public URL with a path", "public-url=https://h/ccms", "more than scheme"},
		{"a public URL with a query", "public-url=https://h?x", "more than scheme"},
		{"a public URL without scheme", "public-url=cards.example", "no http or https URL"},
		{"a network that is none", "server.trusted-proxies=10.0.0.0/33", "neither an address nor a network"},
		{"a proxy by name", "server.trusted-proxies=proxy", "neither an address nor a network"},
		{"a key without scheme", "keyring.url=/keys/root", "no scheme"},
		{"a file that is not there", "tls.ca-file=/no/such/file", "cannot be read"},
		{"a folder for a file", "tls.ca-file=" + folder, "is a folder"},
		{"no registry", "eureka.urls=", "names no registry"},
		{"an empty data folder", "data=", "no path"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{Flags: flags(tc.setting)})
			if err == nil {
				t.Fatalf("%s is accepted", tc.setting)
			}
			key, _, _ := strings.Cut(tc.setting, "=")
			text := err.Error()
			if strings.Contains(text, "\n") || !strings.HasPrefix(text, key+" (flag --"+key+"): ") || !strings.Contains(text, tc.want) || !strings.Contains(text, "; give ") {
				t.Errorf("error %q, want one line on %q", text, tc.want)
			}
		})
	}
}

func TestSettingsMustFitTogether(t *testing.T) {
	pem, secret := write(t, "x.pem", "x"), write(t, "secret", "x")
	cert := []string{"tls.cert-file=" + pem, "tls.key-file=" + pem}
	tests := []struct {
		name     string
		src      config.Sources
		settings []string
		want     string // of the error; "" for none
	}{
		{"a certificate without key", config.Sources{}, cert[:1], "tls.cert-file: stands without its private key"},
		{"a key without certificate", config.Sources{}, cert[1:], "tls.key-file: stands without its certificate"},
		{"both", config.Sources{}, cert, ""},
		{"plain HTTP on loopback", config.Sources{}, []string{"login.addr=localhost:1", "portal.addr=[::1]:2"}, ""},
		{"plain HTTP of login off loopback", config.Sources{}, []string{"login.addr=0.0.0.0:8081", "insecure-http=true"}, "login.addr: "},
		{"plain HTTP of cards on all addresses", config.Sources{}, []string{"creditcard.addr=:8083"}, "creditcard.addr: "},
		{"plain HTTP of the portal off loopback", config.Sources{}, []string{"portal.addr=10.0.0.1:80"}, "or insecure-http"},
		{"the portal behind a proxy", config.Sources{}, []string{"portal.addr=10.0.0.1:80", "insecure-http=true"}, ""},
		{"the registry behind a proxy", config.Sources{}, []string{"eureka.addr=10.0.0.1:80", "insecure-http=true"}, ""},
		{"off loopback with a certificate", config.Sources{}, append([]string{"login.addr=10.0.0.1:8081"}, cert...), ""},
		{"off loopback with certificates to be made", config.Sources{OwnTLS: true}, []string{"login.addr=10.0.0.1:8081"}, ""},
		{"another service's address", config.Sources{Service: "portal"}, []string{"login.addr=10.0.0.1:8081"}, ""},
		{"two services on one port", config.Sources{}, []string{"login.addr=127.0.0.1:5000"}, `login.addr: "127.0.0.1:5000" is also portal.addr`},
		{"two services on any port", config.Sources{}, []string{"login.addr=127.0.0.1:0", "portal.addr=127.0.0.1:0"}, ""},
		{"one port, one service", config.Sources{Service: "login"}, []string{"login.addr=127.0.0.1:5000"}, ""},
		{"HS256 without secret", config.Sources{}, []string{"login.jwt-algorithm=HS256"}, "login.jwt-algorithm: HS256 needs a secret"},
		{"HS256 with secret", config.Sources{}, []string{"login.jwt-algorithm=HS256", "login.jwt-secret-file=" + secret}, ""},
		{"a mail password without server", config.Sources{}, []string{"mail.smtp-password-file=" + secret}, "a password of nobody"},
		{"a mail password without user", config.Sources{}, []string{"mail.smtp-password-file=" + secret, "mail.smtp-url=smtp://h:587"}, "a password of nobody"},
		{"a mail password with user", config.Sources{}, []string{"mail.smtp-password-file=" + secret, "mail.smtp-url=smtp://u@h:587"}, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.src.Env = nil
			for key, text := range flags(tc.settings...) {
				tc.src.Env = append(tc.src.Env, envOf(t, key)+"="+text)
			}
			_, err := config.Load(tc.src)
			if tc.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			plain := strings.NewReplacer(" (env "+envOf(t, strings.SplitN(tc.want, ":", 2)[0])+")", "")
			if err == nil || !strings.Contains(plain.Replace(err.Error()), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q alone", err, tc.want)
			}
		})
	}
}

// envOf is the environment name of a key; of anything else, nothing useful.
func envOf(t *testing.T, key string) string {
	t.Helper()
	for _, s := range config.Table() {
		if s.Key == key {
			return s.Env()
		}
	}
	return "no setting " + key
}
