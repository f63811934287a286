// Package flat reads settings files, YAML and Java's .properties, into plain
// pairs of a dotted key and a text, each with its line. It knows no setting:
// package config gives keys a meaning. Both parsers are stricter than their
// formats where these would drop or join something silently, and no fault
// quotes the file, which may hold a password.
package flat

import "strings"

// Entry is one key of a settings file with its text; a list is joined with
// commas. Keys may repeat: the caller judges that, since two spellings may
// mean one setting.
type Entry struct {
	Key, Text string
	Line      int // from 1
}

// Fault is what is wrong with a line of a settings file.
type Fault struct {
	Key   string // "" where the line has none
	Line  int
	Wrong string // follows the key: "has no value"
	Right string // what to do instead
}

// Parse reads the file of that name by its ending.
func Parse(name string, b []byte) ([]Entry, []Fault) {
	switch {
	case strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"):
		return parseYAML(b)
	case strings.HasSuffix(name, ".properties"):
		return parseProperties(b)
	}
	return nil, []Fault{{Line: 1, Wrong: "is no settings file by its name", Right: "name a .yaml, .yml or .properties file"}}
}
