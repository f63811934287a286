// Package completion writes scripts by which bash, zsh and fish complete a
// program's command line: its commands, flags, and the values they take. It
// knows no command and no setting of ours; who calls it says what a flag takes.
package completion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// A place is a command as completion sees it: what may stand after it.
type place struct {
	path     string // "/firm/create"; "" is the program itself
	commands []suggestion
	flags    []suggestion
	values   []string // of its argument, where they can be listed
	files    bool     // its argument is a file
}

// A suggestion is a word with what it does. Values and path say what may
// stand after a flag; neither is anything, or nothing after a boolean.
type suggestion struct {
	word, help string
	short      string // "-o", "" for none
	alone      bool   // a boolean flag: nothing stands after it
	values     []string
	path       bool
}

// Value is what may stand after a flag, where the command line does not say so
// itself. The zero Value is anything.
type Value struct {
	Listed []string
	Path   bool
}

// Script writes the completion script of a shell: bash, zsh or fish. It is
// static: the shell does not start the program at each press of a key. What a
// flag takes is in values, by its name.
func Script(shell string, app *kong.Application, values map[string]Value) (string, error) {
	places := placesOf(app, values)
	switch shell {
	case "bash":
		return bashCompletion(places), nil
	case "zsh":
		return zshCompletion(places), nil
	case "fish":
		return fishCompletion(places), nil
	}
	return "", fmt.Errorf("no completion for %q: name bash, zsh or fish", shell)
}

// placesOf lists the program and every command that is not hidden.
func placesOf(app *kong.Application, values map[string]Value) []place {
	var all []place
	var visit func(n *kong.Node, path string)
	visit = func(n *kong.Node, path string) {
		p := place{path: path}
		for _, f := range n.Flags {
			if !f.Hidden {
				p.flags = append(p.flags, suggest(f, values[f.Name]))
			}
		}
		for _, a := range n.Positional {
			if a.Enum != "" {
				p.values = append(p.values, a.EnumSlice()...)
			}
			p.files = p.files || takesFile(a.Tag.Type) || a.Name == "file" || a.Name == "path"
		}
		all = append(all, p)
		at := len(all) - 1
		for _, c := range n.Children {
			if !c.Hidden && c.Type == kong.CommandNode {
				all[at].commands = append(all[at].commands, suggestion{word: c.Name, help: c.Help})
				visit(c, path+"/"+c.Name)
			}
		}
	}
	visit(app.Node, "")
	return all
}

func suggest(f *kong.Flag, v Value) suggestion {
	s := suggestion{word: "--" + f.Name, help: f.Help, alone: f.IsBool(), values: v.Listed}
	if f.Enum != "" {
		s.values = f.EnumSlice()
	}
	if f.Short != 0 {
		s.short = "-" + string(f.Short)
	}
	s.path = v.Path || takesFile(f.Tag.Type)
	return s
}

// takesFile reports whether kong's type of a value is a file's path.
func takesFile(kind string) bool {
	return strings.Contains(kind, "path") || strings.Contains(kind, "file")
}

// afterFlags gives the arms of a shell's case on the command and the flag before
// the cursor: list for those with listed values, files for those that take a
// path, and nothing for the others. A boolean has no arm. The flags of the
// program may stand after every command; those of a command take what it says,
// for -o is not the same everywhere.
func afterFlags(places []place, list func(values []string) string, files, nothing string) string {
	arms := map[string][]string{}
	for i, p := range places {
		for _, f := range p.flags {
			action := nothing
			switch {
			case f.alone:
				continue
			case f.values != nil:
				action = list(f.values)
			case f.path:
				action = files
			}
			at := quote(p.path + " ")
			if i == 0 {
				at = "*' '"
			}
			arms[action] = append(arms[action], at+f.word)
			if f.short != "" {
				arms[action] = append(arms[action], at+f.short)
			}
		}
	}
	var b strings.Builder
	for action, flags := range sortedArms(arms) {
		fmt.Fprintf(&b, "    (%s) %s ;;\n", strings.Join(flags, "|"), action)
	}
	return b.String()
}

func sortedArms(arms map[string][]string) func(yield func(string, []string) bool) {
	return func(yield func(string, []string) bool) {
		actions := make([]string, 0, len(arms))
		for a := range arms {
			actions = append(actions, a)
		}
		slices.Sort(actions)
		for _, a := range actions {
			if !yield(a, arms[a]) {
				return
			}
		}
	}
}

// pathsBelow joins the paths of all commands for a case pattern.
func pathsBelow(places []place) string {
	var paths []string
	for _, p := range places[1:] {
		paths = append(paths, p.path)
	}
	return strings.Join(paths, "|")
}

func words(all []suggestion) []string {
	out := make([]string, 0, len(all))
	for _, s := range all {
		out = append(out, s.word)
	}
	return out
}

// bashCompletion finds the command that the words before the cursor name.
// Bash cuts words at = and :, so --flag=value comes as three.
func bashCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for ccms; load it with: source <(ccms completion bash)
_ccms_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
_ccms() {
  local cur=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD-1]} at= word files= flags= i
  COMPREPLY=()
  if [[ $cur == = ]]; then cur=; elif [[ $flag == = ]]; then flag=${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $at/$word in
    %s) at=$at/$word ;;
    esac
  done
  case "$at $flag" in
%s  esac
  case $at in
`, pathsBelow(places), afterFlags(places,
		func(values []string) string {
			return fmt.Sprintf(`COMPREPLY=($(compgen -W %s -- "$cur")); return`, quote(strings.Join(values, " ")))
		}, `_ccms_files; return`, "return"))
	for _, p := range places {
		own := append(words(p.commands), p.values...)
		fmt.Fprintf(&b, "  %s) word=%s", quote(p.path), quote(strings.Join(own, " ")))
		if p.path != "" {
			fmt.Fprintf(&b, " flags=%s", quote(strings.Join(words(p.flags), " ")))
		}
		if p.files {
			b.WriteString(" files=yes")
		}
		b.WriteString(" ;;\n")
	}
	fmt.Fprintf(&b, `  esac
  if [[ $cur == -* ]]; then
    word+=" $flags "%s
  elif [[ $files ]]; then
    _ccms_files
    return
  elif [[ ! $word ]]; then
    word=$flags
  fi
  COMPREPLY=($(compgen -W "$word" -- "$cur"))
}
complete -F _ccms ccms
`, quote(strings.Join(words(places[0].flags), " ")))
	return b.String()
}

// zshCompletion avoids the variable path, which zsh ties to PATH.
func zshCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#compdef ccms
# zsh completion for ccms; load it with: source <(ccms completion zsh)
_ccms() {
  local at= word flag=${words[CURRENT-1]} files=
  local -a commands flags all
  for word in ${words[2,CURRENT-1]}; do
    case $at/$word in
    (%s) at=$at/$word ;;
    esac
  done
  if [[ ${words[CURRENT]} == --*=* ]]; then
    flag=${words[CURRENT]%%%%=*}
    compset -P '*='
  fi
  case "$at $flag" in
%s  esac
`, pathsBelow(places), afterFlags(places,
		func(values []string) string { return "compadd -- " + strings.Join(values, " ") + "; return" },
		"_files; return", "return"))
	fmt.Fprintf(&b, "  all=(%s)\n  case $at in\n", described(places[0].flags))
	for _, p := range places {
		flags := p.flags
		if p.path == "" {
			flags = nil
		}
		values := make([]suggestion, 0, len(p.values))
		for _, v := range p.values {
			values = append(values, suggestion{word: v})
		}
		files := ""
		if p.files {
			files = "\n    files=yes"
		}
		fmt.Fprintf(&b, "  (%s)\n    commands=(%s)\n    flags=(%s)%s ;;\n", quote(p.path), described(append(p.commands, values...)), described(flags), files)
	}
	b.WriteString(`  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    _describe -t options option flags
    _describe -t settings setting all
    return
  fi
  [[ -n $files ]] && _files
  _describe -t commands command commands
  [[ -z $files && ${#commands} -eq 0 ]] && _describe -t options option flags
}
if [[ $funcstack[1] == _ccms ]]; then _ccms "$@"; else compdef _ccms ccms; fi
`)
	return b.String()
}

// described writes words for zsh's _describe, WORD:TEXT.
func described(all []suggestion) string {
	parts := make([]string, 0, len(all))
	for _, s := range all {
		text := strings.ReplaceAll(s.word, ":", `\:`)
		if s.help != "" {
			text += ":" + s.help
		}
		parts = append(parts, quote(text))
	}
	return strings.Join(parts, " ")
}

// fishCompletion asks fish which words stand before the cursor. Unquoted, an
// empty variable makes the whole word vanish there.
func fishCompletion(places []place) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# fish completion for ccms; load it with: ccms completion fish | source
function __ccms_at
  set -l at
  for word in (commandline -opc)[2..]
    switch "$at/$word"
      case %s
        set at "$at/$word"
    end
  end
  test "$at" = "$argv[1]"
end
complete -c ccms -f
`, strings.ReplaceAll(pathsBelow(places), "|", " "))
	for _, p := range places {
		here := " -n " + quote("__ccms_at "+quoteInner(p.path))
		for _, c := range p.commands {
			fmt.Fprintf(&b, "complete -c ccms%s -a %s -d %s\n", here, c.word, quote(c.help))
		}
		if len(p.values) > 0 {
			fmt.Fprintf(&b, "complete -c ccms%s -a %s\n", here, quote(strings.Join(p.values, " ")))
		}
		if p.files {
			fmt.Fprintf(&b, "complete -c ccms%s -F\n", here)
		}
		if p.path == "" {
			here = "" // the program's flags may stand after every command
		}
		for _, f := range p.flags {
			name := "-l " + strings.TrimPrefix(f.word, "--")
			if f.short != "" {
				name += " -s " + strings.TrimPrefix(f.short, "-")
			}
			fmt.Fprintf(&b, "complete -c ccms%s %s -d %s%s\n", here, name, quote(f.help), fishValue(f))
		}
	}
	return b.String()
}

func fishValue(f suggestion) string {
	switch {
	case f.alone:
		return ""
	case f.values != nil:
		return " -x -a " + quote(strings.Join(f.values, " "))
	case f.path:
		return " -r -F"
	}
	return " -x"
}

// quoteInner is quote for use inside quote: paths hold nothing to escape.
func quoteInner(path string) string { return `"` + path + `"` }

// quote makes one word of text in all three shells: only the single quote
// ends a single-quoted word. fish also reads backslashes there.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
