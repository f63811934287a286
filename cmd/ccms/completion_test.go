package main

import (
	"os"
	"os/exec"
	"path/filepath"
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

// completes are lines of which the last word is under the cursor, and what
// every shell offers there.
var completes = []struct {
	name, line string
	want       []string
}{
	{"commands", "ccms ", []string{"backup", "completion", "firm", "up"}},
	{"the rest of a command", "ccms fi", []string{"firm"}},
	{"commands below a command", "ccms firm ", []string{"create", "list"}},
	{"flags of a command with the settings", "ccms up --tls", []string{"--tls", "--tls.ca-file", "--tls.cert-file", "--tls.key-file"}},
	{"settings after any command", "ccms firm list --login.lock", []string{"--login.lock-after", "--login.lock-for", "--login.lock-window"}},
	{"values of a setting", "ccms up --log.level de", []string{"debug"}},
	{"values behind an equals sign", "ccms up --log.level=w", []string{"warn"}},
	{"all values behind an equals sign", "ccms up --log.format=", []string{"json", "text"}},
	{"nothing for a free value", "ccms up --login.token-ttl ", nil},
	{"values of an argument", "ccms completion z", []string{"zsh"}},
	{"a command behind a setting", "ccms --log.level debug fi", []string{"firm"}},
	{"values of a short flag", "ccms firm list -o ", []string{"json", "text"}},
	{"files behind a flag", "ccms up --config a", []string{"a file", "another"}},
	{"files where an argument is one", "ccms backup a", []string{"a file", "another"}},
	{"files behind an equals sign", "ccms up --data=ano", []string{"another"}},
}

// shells need not be there, unless this is in the environment: a machine without
// one has nothing to complete in.
const shellsEnv = "CCMS_TEST_SHELLS"

// TestShellsComplete runs the scripts in the shells they are for, as those do at
// a press of Tab.
func TestShellsComplete(t *testing.T) {
	for shell, ask := range map[string]string{
		// Bash cuts words at = too.
		"bash": `read -ra COMP_WORDS <<<"${1//=/ = }"; [[ $1 == *[\ =] ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_ccms
printf '%s\n' "${COMPREPLY[@]}"`,
		// What zsh's own functions would offer, without a terminal to offer it on.
		"zsh": `words=("${(@s: :)1}"); CURRENT=${#words}; prefix=${words[CURRENT]}
offer() { for w in "$@"; do w=${w%%:*}; [[ $w == $prefix* ]] && print -r -- $w; done }
compset() { prefix=${prefix#*=} }
compadd() { shift; offer "$@" }
_describe() { offer "${(@P)4}" }
_files() { offer *(N) }
_ccms
true`,
		"fish": `complete -C $argv[1]`,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				if os.Getenv(shellsEnv) != "" {
					t.Fatal(err)
				}
				return
			}
			app, _ := testApp(t)
			script, err := completionScript(shell, app.Model, config.Table())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, name := range []string{"a file", "another"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			quiet := map[string][]string{"bash": {"--noprofile", "--norc"}, "zsh": {"-f"}, "fish": {"--no-config"}}[shell]
			for _, tc := range completes {
				args := append(slices.Clone(quiet), "-c", map[string]string{"zsh": "compdef() { }\n"}[shell]+script+"\n"+ask)
				if shell != "fish" {
					args = append(args, shell) // $0
				}
				cmd := exec.CommandContext(t.Context(), path, append(args, tc.line)...)
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if got := offered(string(out), tc.line); !slices.Equal(got, tc.want) {
					t.Errorf("%s: %q is completed with %q, want %q", tc.name, tc.line, got, tc.want)
				}
			}
		})
	}
}

// offered are the lines that a shell printed, without what fish says about them
// and what it repeats of the word under the cursor.
func offered(out, line string) []string {
	flag, _, _ := strings.Cut(line[strings.LastIndexByte(line, ' ')+1:], "=")
	var all []string
	for l := range strings.Lines(out) {
		word, _, _ := strings.Cut(strings.TrimRight(l, "\n"), "\t")
		word = strings.TrimPrefix(strings.ReplaceAll(word, `\ `, " "), flag+"=")
		if word != "" {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
