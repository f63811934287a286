package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestWhatACommandLineGives(t *testing.T) {
	t.Setenv("CCMS_LOGIN_TOKN_TTL", "30m")
	t.Chdir(t.TempDir())
	const odd = "ccms: warning: CCMS_LOGIN_TOKN_TTL in the environment is no setting; did you mean CCMS_LOGIN_TOKEN_TTL?\n"
	tests := []struct {
		name, args     string
		exit           int
		stdout, stderr string // patterns of the whole text
	}{
		{"the version", "version", 0, `ccms \S+\n`, ``},
		{"the version, as a flag", "--version", 0, `ccms \S+\n`, ``},
		{"the version, for a program", "version -o json", 0, `\{"version":"[^"\s]+"\}\n`, ``},
		{"the settings, with what is odd about them", "config print", 0, `(?s)data: .*`, regexp.QuoteMeta(odd)},
		{"wrong settings, with what is odd too", "config print --login.token-ttl=-5s", 2, ``, regexp.QuoteMeta(odd) + `ccms: login\.token-ttl .* is not above 0; .*\n`},
		{"a setting without its value", "up --login.addr", 2, ``, `ccms: --login\.addr: give it a value, after an equals sign if it begins with a hyphen .*\n`},
		{"a value that looks like a flag", "up --login.token-ttl -5s", 2, ``, `ccms: --login\.token-ttl: give it a value, after an equals sign if it begins with a hyphen .*\n`},
		{"no command", "", 2, ``, `ccms: expected one of "up", .*\n`},
		{"an unknown command", "run", 2, ``, `ccms: unexpected argument run.*\n`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			exit := run(strings.Fields(tt.args), &stdout, &stderr)
			if exit != tt.exit {
				t.Errorf("exit status %d, want %d", exit, tt.exit)
			}
			for got, want := range map[*strings.Builder]string{&stdout: tt.stdout, &stderr: tt.stderr} {
				if !regexp.MustCompile(`^(?:` + want + `)$`).MatchString(got.String()) {
					t.Errorf("%q does not match %s", got, want)
				}
			}
		})
	}
}

func TestAServerStoppedBeforeItWasReadyDidNotFail(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	cut := fmt.Errorf("open store: %w", context.Canceled)
	if err := ended(ctx, cut); err == nil {
		t.Error("nobody stopped it, and it did not fail")
	}
	stop()
	if err := ended(ctx, cut); err != nil {
		t.Error(err)
	}
	if err := ended(ctx, errors.New("disk full")); err == nil {
		t.Error("another failure is passed over")
	}
}
