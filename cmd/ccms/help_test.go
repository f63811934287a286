package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"ccms/internal/config"
)

// commands are all that can be typed, by path, those that only hold others too.
func commands(t *testing.T) map[string]*kong.Node {
	t.Helper()
	app, err := kong.New(new(cli), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*kong.Node{}
	var visit func(*kong.Node)
	visit = func(n *kong.Node) {
		all[n.Path()] = n
		for _, c := range n.Children {
			visit(c)
		}
	}
	visit(app.Model.Node)
	return all
}

func TestHelpOfEveryCommandHasExamplesAndTheExitStatus(t *testing.T) {
	all := commands(t)
	if len(all) < 40 {
		t.Fatalf("found %d commands", len(all))
	}
	for path, n := range all {
		var stdout, stderr strings.Builder
		if exit := run(append(strings.Fields(path), "--help"), &stdout, &stderr); exit != 0 || stderr.Len() > 0 {
			t.Errorf("ccms %s --help: exit status %d, %s", path, exit, &stderr)
		}
		help := stdout.String()
		for _, want := range []string{"Usage: ccms", "Exit status: 0 done, 1 failed, 2 wrong usage", "--data=./ccms-data"} {
			if !strings.Contains(help, want) {
				t.Errorf("ccms %s --help does not say %q", path, want)
			}
		}
		leaf := n.Type == kong.CommandNode && len(n.Children) == 0
		if leaf && (len(examples(path)) == 0 || !strings.Contains(help, "\n  "+examples(path)[0]+"\n")) {
			t.Errorf("ccms %s --help has no example", path)
		}
		server := path == "up" || path == "login"
		if settings := strings.Contains(help, "--login.token-ttl"); server && !settings || settings && !server && path != "eureka" && path != "creditcard" && path != "portal" {
			t.Errorf("ccms %s --help lists all settings: %v", path, settings)
		}
	}
}

// Examples are what somebody copies: each must be a line that ccms takes.
func TestExamplesAreRight(t *testing.T) {
	for path := range commands(t) {
		for _, line := range examples(path) {
			_, line, ok := strings.Cut(line, "ccms ")
			if !ok {
				t.Errorf("%q does not run ccms", line)
			}
			line, _, _ = strings.Cut(strings.TrimSuffix(line, ")"), " > ")
			line, _, _ = strings.Cut(line, " < ")
			line = strings.ReplaceAll(line, "'Example Shop'", "Example-Shop")
			if strings.HasSuffix(line, " --help") {
				continue
			}
			app, err := kong.New(new(cli), kong.Name("ccms"), kong.Vars{"version": ""}, kong.Writers(io.Discard, io.Discard))
			if err != nil {
				t.Fatal(err)
			}
			flags := addSettings(app, config.Table())
			if _, err := app.Parse(flags.takeUnknown(strings.Fields(line))); err != nil {
				t.Errorf("ccms %s: %v", line, err)
			}
		}
	}
}

func TestMisuseNamesTheHelpThatHelps(t *testing.T) {
	for line, want := range map[string]string{
		"":                           "(see ccms --help)",
		"firm crate":                 `did you mean "create"? (see ccms firm --help)`,
		"firm create --nam x":        `did you mean "--name"? (see ccms firm create --help)`,
		"keys rotate --jwt --lookup": "can't be used together (see ccms keys rotate --help)",
		"backup":                     "(see ccms backup --help)",
		"client create --firm a --operator --live": "(see ccms client create --help)",
	} {
		var stdout, stderr strings.Builder
		if exit := run(strings.Fields(line), &stdout, &stderr); exit != exitUsage || stdout.Len() > 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("ccms %s: exit status %d, %q", line, exit, stderr.String())
		}
	}
}
