package config

import (
	"slices"
	"testing"
)

func TestASlipOfThePenIsRecognised(t *testing.T) {
	words := []string{"login.token-ttl", "login.lock-for", "data", "log.file"}
	for key, want := range map[string]string{
		"login.tokenttl": "login.token-ttl", "login.tokne-ttl": "login.token-ttl", "dta": "data",
		"login.lock-far": "login.lock-for", "something.else": "", "": "", "x": "",
	} {
		if got := nearest(key, slices.Values(words)); got != want {
			t.Errorf("nearest to %q is %q, want %q", key, got, want)
		}
	}
}
