package main

import (
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ccms/internal/config"
)

// testGrammar is a small command tree of the same kinds as the real one.
type testGrammar struct {
	Config string `help:"Settings file." type:"path"`
	Up     struct {
		TLS bool `name:"tls" help:"Make certificates and don't ask."`
	} `cmd:"" help:"Start all services."`
	Firm struct {
		Create struct {
			Name string `help:"Of the firm." required:""`
		} `cmd:"" help:"Create a firm."`
		List struct {
			Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
		} `cmd:"" help:"List firms."`
	} `cmd:"" help:"Firms."`
	Backup struct {
		File string `arg:"" type:"path" help:"File."`
	} `cmd:"" help:"Backup."`
	Completion struct {
		Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell."`
	} `cmd:"" help:"Completion script."`
}

func testApp(t *testing.T) (*kong.Kong, *settingFlags) {
	t.Helper()
	app, err := kong.New(new(testGrammar), kong.Name("ccms"), kong.Writers(io.Discard, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	return app, addSettings(app, config.Table())
}

func TestSettingsAreFlagsOfEveryCommand(t *testing.T) {
	tests := []struct {
		name, args string
		want       map[string]string
	}{
		{"with an equals sign", "up --login.token-ttl=1h", map[string]string{"login.token-ttl": "1h"}},
		{"with a blank", "up --login.token-ttl 1h", map[string]string{"login.token-ttl": "1h"}},
		{"before the command", "--data x firm create --name n", map[string]string{"data": "x"}},
		{"a boolean alone", "up --insecure-http --tls", map[string]string{"insecure-http": "true"}},
		{"a boolean with a value", "up --insecure-http=no", map[string]string{"insecure-http": "no"}},
		{"an empty value", "up --eureka.peers=", map[string]string{"eureka.peers": ""}},
		{"a value that looks like a flag", "up --mail.from=--x", map[string]string{"mail.from": "--x"}},
		{"the file of a secret", "up --store.url-file=f", map[string]string{"store.url-file": "f"}},
		{"the last of two", "up --log.level=info --log.level=debug", map[string]string{"log.level": "debug"}},
		{"a value of a word is not judged here", "up --log.level=loud", map[string]string{"log.level": "loud"}},
		{"none", "up", map[string]string{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			app, flags := testApp(t)
			if _, err := app.Parse(strings.Fields(tc.args)); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(flags.given, tc.want) {
				t.Errorf("given %v, want %v", flags.given, tc.want)
			}
		})
	}
}

func TestUnknownSettingsAreLeftToTheOneReport(t *testing.T) {
	tests := []struct {
		name, args, rest string
		want             map[string]string
	}{
		{"with an equals sign", "up --login.tokn-ttl=1h --tls", "up --tls", map[string]string{"login.tokn-ttl": "1h"}},
		{"with a blank", "up --login.tokn-ttl 1h --tls", "up --tls", map[string]string{"login.tokn-ttl": "1h"}},
		{"before another flag", "up --a.b --tls", "up --tls", map[string]string{"a.b": ""}},
		{"two of them", "up --a.b=1 --c.d=2", "up", map[string]string{"a.b": "1", "c.d": "2"}},
		{"a known one stays", "up --login.token-ttl 1h", "up --login.token-ttl 1h", map[string]string{}},
		{"a flag without a dot stays", "up --nonsense", "up --nonsense", map[string]string{}},
		{"an argument with a dot stays", "up a.b", "up a.b", map[string]string{}},
		{"what comes after two hyphens stays", "up -- --a.b", "up -- --a.b", map[string]string{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, flags := testApp(t)
			rest := flags.takeUnknown(strings.Fields(tc.args))
			if strings.Join(rest, " ") != tc.rest || !maps.Equal(flags.given, tc.want) {
				t.Errorf("leaves %q and gives %v, want %q and %v", rest, flags.given, tc.rest, tc.want)
			}
		})
	}
}

func TestAFlagThatIsNoneIsAnError(t *testing.T) {
	app, flags := testApp(t)
	if _, err := app.Parse(flags.takeUnknown([]string{"up", "--nonsense"})); err == nil {
		t.Error("--nonsense is accepted")
	}
}

func TestHelpListsSettingsUnlessHidden(t *testing.T) {
	help := func(hide bool) string {
		var out strings.Builder
		app, flags := testApp(t)
		app.Stdout = &out
		app.Exit = func(int) {}
		if hide {
			flags.show("")
		}
		_, _ = app.Parse([]string{"up", "--help"})
		return out.String()
	}
	if text := help(false); !strings.Contains(text, "--login.token-ttl=1h") || strings.Contains(text, "store.url-file") {
		t.Errorf("help does not list settings as it should:\n%s", text)
	}
	if text := help(true); strings.Contains(text, "--login.token-ttl") || !strings.Contains(text, "--tls") {
		t.Errorf("help lists hidden settings, or no other flag:\n%s", text)
	}
}
