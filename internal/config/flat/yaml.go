package flat

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds nesting, and with it anchors that contain themselves.
const maxDepth = 16

// parseYAML flattens one document into entries; a key may be nested, dotted,
// or both. What YAML itself would silently join or drop (merge keys, a second
// document, empty values) is an error.
func parseYAML(b []byte) ([]Entry, []Fault) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, []Fault{yamlFault(err)}
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, []Fault{{Line: max(1, second.Line), Wrong: "has more than one document", Right: "keep one"}}
	}
	f := flattener{}
	f.mapping("", doc.Content[0], 0)
	return f.entries, f.faults
}

type flattener struct {
	entries []Entry
	faults  []Fault
}

func (f *flattener) fail(key string, n *yaml.Node, text, want string) {
	f.faults = append(f.faults, Fault{key, n.Line, text, want})
}

func (f *flattener) mapping(prefix string, n *yaml.Node, depth int) {
	if n.Kind != yaml.MappingNode {
		if n.Tag != "!!null" {
			f.fail(prefix, n, "is no mapping", "write settings as KEY: VALUE")
		}
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.Tag == "!!merge" {
			f.fail(prefix, name, "is no plain key", "write settings as KEY: VALUE")
			continue
		}
		f.value(strings.TrimPrefix(prefix+"."+name.Value, "."), name.Line, v, depth+1)
	}
}

// value adds what stands behind a key in line.
func (f *flattener) value(key string, line int, v *yaml.Node, depth int) {
	if v.Kind == yaml.AliasNode {
		v = v.Alias
	}
	switch {
	case depth > maxDepth:
		f.fail(key, v, "is nested too deeply", "write it with dots")
	case v.Kind == yaml.MappingNode:
		f.mapping(key, v, depth)
	case v.Kind == yaml.SequenceNode:
		f.list(key, line, v)
	case v.Tag == "!!null":
		f.fail(key, v, "has no value", `give one, or "" for none, or leave the line out`)
	default:
		f.entries = append(f.entries, Entry{key, v.Value, line})
	}
}

// list joins a sequence of plain values with commas, the form every other
// source gives lists in.
func (f *flattener) list(key string, line int, v *yaml.Node) {
	var parts []string
	for _, item := range v.Content {
		if item.Kind != yaml.ScalarNode || item.Tag == "!!null" {
			f.fail(key, item, "holds more than plain values", "write a list of plain values")
			return
		}
		parts = append(parts, item.Value)
	}
	f.entries = append(f.entries, Entry{key, strings.Join(parts, ","), line})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlFault finds the line in the text of a YAML error, the only place where
// the package gives it. The rest is dropped: it may quote the file.
func yamlFault(err error) Fault {
	m := yamlLine.FindStringSubmatch(err.Error())
	line := 1
	if m != nil && m[1] != "" {
		line, _ = strconv.Atoi(m[1])
	}
	return Fault{Line: line, Wrong: "is no YAML", Right: "check indentation, quotes and colons here and in the line before"}
}
