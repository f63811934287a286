package config_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"ccms/internal/config"
)

const password = "hunter2" // of nobody

// secretSettings give every setting that may hold a password one.
var secretSettings = map[string]string{
	"store.url":     "mongodb+srv://app:" + password + "@cluster.example/CCMS?retryWrites=true",
	"eureka.urls":   "http://app:" + password + "@a/eureka/,http://b/eureka/",
	"eureka.peers":  "https://app:" + password + "@c/eureka/",
	"mail.smtp-url": "smtp://app:" + password + "@mail.example:587",
	"trace.url":     "https://app:" + password + "@collector.example",
	"upload.url":    "azblob://copies?account_key=" + password,
	"keyring.url":   "https://app:" + password + "@keys.example/transit",
}

func TestSecretsAreReadAndNeverShown(t *testing.T) {
	var env []string
	for key, text := range secretSettings {
		env = append(env, envOf(t, key)+"="+text)
	}
	s := load(t, config.Sources{Env: env})
	if got := s.Store.URL.Reveal(); got != secretSettings["store.url"] {
		t.Errorf("store is %q", got)
	}
	var out bytes.Buffer
	for _, format := range []string{"text", "json"} {
		if err := config.Print(&out, s, format); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, s)
		fmt.Fprintf(&out, verb, &s)
		fmt.Fprintf(&out, verb, s.Eureka.URLs)
	}
	b, err := json.Marshal(s.Store)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	text := out.String()
	if strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
		t.Errorf("the password shows: %s", text)
	}
	if !strings.Contains(text, "mongodb+srv://app:*****@cluster.example/CCMS?retryWrites=true") {
		t.Errorf("the rest of the URL does not show: %s", text)
	}
}

func TestEverySecretSettingHasAFileVariant(t *testing.T) {
	for key, text := range secretSettings {
		file := write(t, "secret", text+"\r\n")
		s := load(t, config.Sources{Env: []string{envOf(t, key) + "_FILE=" + file}})
		if !s.Given(key) || s.Source(key) != "env "+envOf(t, key)+"_FILE" {
			t.Errorf("%s from a file comes from %q", key, s.Source(key))
		}
		s = load(t, config.Sources{Flags: flags(key + "-file=" + file)})
		if !s.Given(key) {
			t.Errorf("--%s-file is not taken", key)
		}
	}
	for _, s := range config.Table() {
		if _, known := secretSettings[s.Key]; s.Secret != known {
			t.Errorf("%s: secret is %v", s.Key, s.Secret)
		}
	}
}

func TestASecretFileMustBeReadableSmallAndAlone(t *testing.T) {
	file, big := write(t, "url", "mongodb://h/CCMS"), write(t, "big", strings.Repeat("x", 1<<17))
	tests := []struct{ name, setting, want string }{
		{"missing", "store.url-file=/no/such", "cannot be read"},
		{"too large", "store.url-file=" + big, "is larger than 64 KiB"},
		{"a folder", "store.url-file=" + t.TempDir(), "cannot be read"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{Flags: flags(tc.setting)})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	_, err := config.Load(config.Sources{Flags: flags("store.url=mongodb://h/CCMS", "store.url-file="+file)})
	if err == nil || !strings.Contains(err.Error(), "is set twice") {
		t.Errorf("value and file together: %v", err)
	}
	load(t, config.Sources{Env: []string{"CCMS_STORE_URL=mongodb://h/CCMS"}, Flags: flags("store.url-file=" + file)})
}

func TestAPasswordOnTheCommandLineIsRefused(t *testing.T) {
	for key, text := range secretSettings {
		_, err := config.Load(config.Sources{Flags: flags(key + "=" + text)})
		if err == nil || strings.Contains(err.Error(), password) || !strings.Contains(err.Error(), "command line") && !strings.Contains(err.Error(), "other users") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestErrorsDoNotQuoteSecrets(t *testing.T) {
	for key := range secretSettings {
		for _, bad := range []string{"x://app:" + password + "@h/CCMS", "http://app:" + password + "@h:port/", password} {
			_, err := config.Load(config.Sources{Env: []string{envOf(t, key) + "=" + bad}})
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	_, err := config.Load(config.Sources{Env: []string{"CCMS_PUBLIC_URL=https://app:" + password + "@h:port"}})
	if err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("public-url: %v", err)
	}
}

func TestURLsHideWhateverLooksSecret(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"no password", "mongodb://app@h/CCMS", "mongodb://app@h/CCMS"},
		{"several hosts", "mongodb://app:p@a:1,b:2/CCMS", "mongodb://app:*****@a:1,b:2/CCMS"},
		{"an at sign in the password", "mongodb://app:p@q@h/CCMS", "mongodb://app:*****@h/CCMS"},
		{"a slash in the password", "mongodb://app:p/q@h/CCMS", "mongodb://app:*****@h/CCMS"},
		{"a question mark in the password", "mongodb://app:p?q@h/CCMS?w=1", "mongodb://app:*****@h/CCMS?w=1"},
		{"a password without user", "smtp://:p@h", "smtp://:*****@h"},
		{"a key's password in the query", "mongodb://h/CCMS?tlsCertificateKeyFilePassword=p&w=1", "mongodb://h/CCMS?tlsCertificateKeyFilePassword=*****&w=1"},
		{"a token in the query", "https://h/x?a=b&accessToken=p", "https://h/x?a=b&accessToken=*****"},
		{"no scheme", "file:/keys/root", "file:/keys/root"},
		{"nothing", "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			u := config.NewURL(tc.url)
			if u.String() != tc.want || u.Reveal() != tc.url || u.IsZero() != (tc.url == "") {
				t.Errorf("%q shows as %q, want %q", tc.url, u, tc.want)
			}
		})
	}
}
