package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ccms/internal/config"
)

func TestCompletionKnowsEveryCommandAndFlag(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			app, _ := testApp(t)
			script, err := completionScript(shell, app.Model, config.Table())
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"up", "firm", "create", "list", "completion", "tls"}
			for _, s := range config.Table() {
				want = append(want, s.Key)
			}
			for _, w := range want {
				if !strings.Contains(script, w) {
					t.Errorf("the script does not know %s", w)
				}
			}
			if strings.Contains(script, "store.url-file") {
				t.Error("the script offers a hidden flag")
			}
		})
	}
}

func TestCompletionOfAnUnknownShellIsAnError(t *testing.T) {
	app, _ := testApp(t)
	if _, err := completionScript("tcsh", app.Model, nil); err == nil {
		t.Error("no error for tcsh")
	}
}

// TestBashCompletes runs the script in bash as bash does at a press of Tab.
// A machine without bash has nothing to complete in.
func TestBashCompletes(t *testing.T) {
	const bash = "/bin/bash"
	if _, err := exec.LookPath(bash); err != nil {
		return
	}
	app, _ := testApp(t)
	script, err := completionScript("bash", app.Model, config.Table())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		words []string // as bash cuts them; the last is under the cursor
		want  []string
	}{
		{"commands", []string{""}, []string{"completion", "firm", "up"}},
		{"the rest of a command", []string{"fi"}, []string{"firm"}},
		{"commands below a command", []string{"firm", ""}, []string{"create", "list"}},
		{"flags of a command with the settings", []string{"up", "--tls"}, []string{"--tls", "--tls.ca-file", "--tls.cert-file", "--tls.key-file"}},
		{"settings after any command", []string{"up", "--login.lock"}, []string{"--login.lock-after", "--login.lock-for", "--login.lock-window"}},
		{"values of a setting", []string{"up", "--log.level", "de"}, []string{"debug"}},
		{"values behind an equals sign", []string{"up", "--log.level", "=", "w"}, []string{"warn"}},
		{"all values behind an equals sign", []string{"up", "--log.format", "="}, []string{"json", "text"}},
		{"nothing for a free value", []string{"up", "--login.token-ttl", ""}, nil},
		{"values of an argument", []string{"completion", "z"}, []string{"zsh"}},
		{"a command behind a setting", []string{"--log.level", "debug", "fi"}, []string{"firm"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"--noprofile", "--norc", "-c",
				script + "\nCOMP_WORDS=(ccms \"$@\"); COMP_CWORD=$#; _ccms; printf '%s\\n' \"${COMPREPLY[@]}\"", "bash"}, tc.words...)
			out, err := exec.CommandContext(t.Context(), bash, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := strings.Fields(string(out))
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("completes %q with %q, want %q", tc.words, got, tc.want)
			}
		})
	}
}
