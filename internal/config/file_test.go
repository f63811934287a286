package config_test

import (
	"strings"
	"testing"
	"time"

	"ccms/internal/config"
)

func TestYAMLMayBeNestedOrDotted(t *testing.T) {
	for _, text := range []string{
		"login: {token-ttl: 2h}",
		"login.token-ttl: 2h",
		"---\nlogin:\n  token-ttl: 2h\n",
		"\"login\":\n    'token-ttl': \"2h\" # comment",
		`{"login": {"token-ttl": "2h"}}`,
		"life: &x 2h\n",
	} {
		s, err := config.Load(config.Sources{File: write(t, "ccms.yml", text)})
		if strings.HasPrefix(text, "life") {
			if err == nil {
				t.Error("an unknown key with an anchor is accepted")
			}
			continue
		}
		if err != nil || s.Login.TokenTTL != 2*time.Hour {
			t.Errorf("%q gives %v, %v", text, s.Login.TokenTTL, err)
		}
	}
	s := load(t, config.Sources{File: write(t, "ccms.yaml", "creditcard.breaker:\n  sliding-window-size: 7\neureka:\n  peers:\n  - http://a/eureka/\n  - http://b/eureka/\n")})
	if s.CreditCard.Breaker.SlidingWindowSize != 7 || len(s.Eureka.Peers) != 2 {
		t.Errorf("window %d, peers %v", s.CreditCard.Breaker.SlidingWindowSize, s.Eureka.Peers)
	}
	load(t, config.Sources{File: write(t, "ccms.yaml", "")})
	load(t, config.Sources{File: write(t, "ccms.yaml", "# nothing\n")})
	s = load(t, config.Sources{File: write(t, "ccms.yaml", "login: &l {lock-for: &d 2m}\nlogin.lock-window: *d")})
	if s.Login.LockWindow != 2*time.Minute {
		t.Errorf("an alias gives %v", s.Login.LockWindow)
	}
}

func TestFilesAreStrict(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"the same key twice", "f.yaml", "login:\n  token-ttl: 1h\n  token-ttl: 2h", ":3): is set twice, also by "},
		{"the same key nested and dotted", "f.yaml", "login:\n  token-ttl: 1h\nlogin.token-ttl: 2h", ":3): is set twice"},
		{"the same section twice", "f.yaml", "login: {token-ttl: 1h}\nlogin: {lock-for: 1h, token-ttl: 2h}", ":2): is set twice"},
		{"the same property twice", "f.properties", "log.level=info\nlog.level=debug", ":2): is set twice"},
		{"an unknown key", "f.yaml", "login:\n  tokn-ttl: 1h", "login.tokn-ttl (FILE:2): is no setting; did you mean login.token-ttl?"},
		{"an unknown property", "f.properties", "\nlogin.token=1h", "login.token (FILE:2): is no setting"},
		{"a key in camel case", "f.yaml", "login: {tokenTtl: 1h}", "is no setting"},
		{"a section without settings", "f.yaml", "login: 5", "login (FILE:1): is no setting"},
		{"no value", "f.yaml", "login: {token-ttl: }", "has no value"},
		{"a list of maps", "f.yaml", "eureka.peers: [{a: b}]", "holds more than plain values"},
		{"a list for one value", "f.yaml", "login.token-ttl: [1h, 2h]", "is no time"},
		{"a list as a file", "f.yaml", "- a\n- b", "is no mapping"},
		{"two documents", "f.yaml", "log.level: info\n---\nlog.level: debug", "more than one document"},
		{"a merge key", "f.yaml", "a: &a {x: y}\nlogin:\n  <<: *a", "is no plain key"},
		{"an anchor in itself", "f.yaml", "login: &a\n  x: *a", "is nested too deeply"},
		{"deep nesting", "f.yaml", strings.Repeat("{a: ", 40) + "b" + strings.Repeat("}", 40), "is nested too deeply"},
		{"broken YAML", "f.yaml", "login:\n  token-ttl: [1h", "is no YAML"},
		{"a tab for indentation", "f.yaml", "login:\n\ttoken-ttl: 1h", "is no YAML"},
		{"another ending", "f.toml", "x = 1", "config (FILE:1): is no settings file by its name; name a .yaml, .yml or .properties file"},
		{"a large file", "f.yaml", strings.Repeat("#\n", 1<<20), "is larger than 1024 KiB"},
		{"a property without key", "f.properties", "log.level=info\n=x", "config (FILE:2): has no readable key"},
		{"a cut escape", "f.properties", `log.level=\u00`, "escape that is cut short"},
		{"half a pair", "f.properties", `log.level=\ud83d!`, "half of a surrogate pair"},
		{"properties in Latin-1", "f.properties", "mail.from=\xe9", "is not UTF-8"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file := write(t, tc.file, tc.text)
			_, err := config.Load(config.Sources{File: file})
			if err == nil {
				t.Fatal("accepted")
			}
			if got := strings.ReplaceAll(err.Error(), file, "FILE"); !strings.Contains(got, tc.want) {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
	if _, err := config.Load(config.Sources{File: "/no/such.yaml"}); err == nil || !strings.Contains(err.Error(), "config (flag --config): \"/no/such.yaml\" cannot be read") {
		t.Errorf("a missing file: %v", err)
	}
}

// The contract's own texts, sections 1.3.3, 7.2 and 8.
const (
	contractEureka = "spring.application.name=eureka-server\nserver.port=8761\neureka.client.register-with-eureka=false\neureka.client.fetch-registry=false\n"
	contractClient = "eureka.client.service-url.defaultZone=http://localhost:8761/eureka/\neureka.instance.prefer-ip-address=true\n"
	contractBreak  = "resilience4j.circuitbreaker:\n  instances:\n    loginService:\n      failureRateThreshold: 50\n      slidingWindowSize: 5\n      waitDurationInOpenState: 10000ms\n"
)

func TestTheContractsSpringPropertiesAreReadAsTheyStand(t *testing.T) {
	tests := []struct {
		name, service, file, text string
		want                      map[string]string // settings as printed
	}{
		{"the registry's", "eureka", "application.properties", contractEureka, map[string]string{"eureka.addr": "127.0.0.1:8761"}},
		{"the registry's, for all in one", "", "application.properties", strings.Replace(contractEureka, "8761", "9761", 1), map[string]string{"eureka.addr": "127.0.0.1:9761"}},
		{"a client's", "creditcard", "application.properties", contractClient, map[string]string{"eureka.urls": "http://localhost:8761/eureka/"}},
		{"two registries of a client", "login", "a.properties", "eureka.client.serviceUrl.defaultZone=http://a/eureka/,http://b/eureka/", map[string]string{"eureka.urls": "http://a/eureka/,http://b/eureka/"}},
		{"the registry's peers", "eureka", "a.yaml", "eureka: {client: {serviceUrl: {defaultZone: 'http://b/eureka/'}}}", map[string]string{"eureka.peers": "http://b/eureka/"}},
		{"the breaker's", "creditcard", "application.yml", contractBreak, map[string]string{
			"creditcard.breaker.failure-rate-threshold": "50", "creditcard.breaker.sliding-window-size": "5",
			"creditcard.breaker.wait-duration-in-open-state": "10s"}},
		{"the breaker's, otherwise", "", "application.yml", strings.NewReplacer("50", "40.0", "10000ms", "7000", "failureRateThreshold", "failure-rate-threshold", "loginService", "login-service").Replace(contractBreak),
			map[string]string{"creditcard.breaker.failure-rate-threshold": "40", "creditcard.breaker.wait-duration-in-open-state": "7s"}},
		{"a service's port", "login", "a.yaml", "server: {port: 9081}\nspring: {application: {name: login-service}}", map[string]string{"login.addr": "127.0.0.1:9081"}},
		{"a service by its name in the registry", "", "a.yaml", "server.port: 9083\nspring.application.name: CREDITCARD-SERVICE", map[string]string{"creditcard.addr": "127.0.0.1:9083"}},
		{"together with ours", "login", "a.yaml", "server.port: 9081\nlogin.token-ttl: 2h", map[string]string{"login.addr": "127.0.0.1:9081", "login.token-ttl": "2h"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := printed(t, load(t, config.Sources{Service: tc.service, File: write(t, tc.file, tc.text)}))
			for key, want := range tc.want {
				if got[key] != want {
					t.Errorf("%s is %q, want %q", key, got[key], want)
				}
			}
		})
	}
}

func TestSpringPropertiesThatDoNotFitAreErrors(t *testing.T) {
	tests := []struct{ name, service, text, want string }{
		{"a port of all services", "", "server.port=1", "server.port (FILE:1): belongs to one service, and all of them start; set eureka.addr, login.addr, creditcard.addr, portal.addr, or"},
		{"a port that is none", "login", "server.port=x", `login.addr (FILE:1 server.port): "127.0.0.1:x" has no port`},
		{"a port twice", "login", "server.port=1\nlogin.addr=127.0.0.1:2", "is set twice"},
		{"another service's file", "login", "spring.application.name=eureka-server", "is another service than the one being started, login"},
		{"a foreign application", "login", "spring.application.name=shop", "is none of the services"},
		{"a service that stays out of the registry", "login", "eureka.client.register-with-eureka=false", "only through the registry"},
		{"a boolean that is none", "login", "eureka.client.fetchRegistry=perhaps", "neither true nor false"},
		{"host names in the registry", "portal", "eureka.instance.preferIpAddress=false", "with their IP address"},
		{"a property that is not the contract's", "login", "spring.main.banner-mode=off", "is no setting"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file := write(t, "a.properties", tc.text)
			_, err := config.Load(config.Sources{Service: tc.service, File: file})
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), file, "FILE"), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
