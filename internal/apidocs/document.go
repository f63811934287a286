package apidocs

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// Two members of the documents are our own.
const (
	// problemsMember of an operation lists its failures by their keys in
	// problems.yaml; they become responses with an example each.
	problemsMember = "x-problems"
	// passesMember of a document lists, by service, the patterns that are
	// passed on to it; that service's paths become part of what is served.
	passesMember = "x-passes-on"
)

// jsonTag marks a node whose value is JSON already.
const jsonTag = "!json"

// A Problem is one documented failure.
type Problem struct {
	Status           int
	Code             string // errorCode
	Message, Details string
}

// table is problems.yaml.
type table struct {
	Problems map[string]Problem
	Groups   map[string][]string
}

// UnmarshalYAML reads [status, errorCode, error, details].
func (p *Problem) UnmarshalYAML(n *yaml.Node) error {
	var row []string
	if err := n.Decode(&row); err != nil {
		return err
	}
	if len(row) != 4 {
		return fmt.Errorf("line %d: a problem has four parts", n.Line)
	}
	status, err := strconv.Atoi(row[0])
	*p = Problem{status, row[1], row[2], row[3]}
	return err
}

// Problems returns every documented failure by its key.
func Problems() (map[string]Problem, error) {
	t, err := readTable()
	return t.Problems, err
}

// Document returns the OpenAPI document of a service as JSON.
func Document(service string) ([]byte, error) {
	doc, err := read(service)
	if err != nil {
		return nil, err
	}
	t, err := readTable()
	if err != nil {
		return nil, err
	}
	if err := addPassed(doc); err != nil {
		return nil, err
	}
	shared, err := read("shared")
	if err != nil {
		return nil, err
	}
	merge(doc, shared)
	for _, path := range pairs(member(doc, "paths")) {
		for _, op := range pairs(path.value) {
			if err := t.spellOut(path.key, op.value); err != nil {
				return nil, fmt.Errorf("%s: %s %s: %w", service, op.key, path.key, err)
			}
		}
	}
	var b bytes.Buffer
	if err := encode(jsontext.NewEncoder(&b), doc); err != nil {
		return nil, fmt.Errorf("encode %s: %w", service, err)
	}
	return b.Bytes(), nil
}

// read parses documents/NAME.yaml into its outermost mapping.
func read(name string) (*yaml.Node, error) {
	b, err := files.ReadFile("documents/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("parse %s.yaml: %w", name, err)
	}
	return doc.Content[0], nil
}

func readTable() (t table, err error) {
	n, err := read("problems")
	if err == nil {
		err = n.Decode(&t)
	}
	return t, err
}

// addPassed adds what the document's service passes on: the paths and schemas
// of the services behind, but for those between services.
func addPassed(doc *yaml.Node) error {
	for _, behind := range pairs(member(doc, passesMember)) {
		other, err := read(strings.TrimSuffix(behind.key, "-service"))
		if err != nil {
			return err
		}
		paths := member(other, "paths")
		paths.Content = slices.Concat(publicPaths(paths)...)
		for _, path := range pairs(paths) {
			for _, op := range pairs(path.value) {
				if list := member(op.value, problemsMember); list != nil {
					list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "passed"})
				}
			}
		}
		remove(member(other, "components"), "securitySchemes") // those of internal paths; Bearer is shared
		merge(doc, other)
	}
	return nil
}

func publicPaths(paths *yaml.Node) [][]*yaml.Node {
	return slices.DeleteFunc(slices.Collect(slices.Chunk(paths.Content, 2)), func(p []*yaml.Node) bool {
		return strings.HasPrefix(p[0].Value, "/internal/")
	})
}

// spellOut turns an operation's list of problems into responses.
func (t table) spellOut(path string, op *yaml.Node) error {
	list := remove(op, problemsMember)
	if list == nil {
		return nil
	}
	var names []string
	if err := list.Decode(&names); err != nil {
		return err
	}
	byStatus := map[int][]string{}
	for _, name := range t.flatten(append(names, "always")) {
		p, ok := t.Problems[name]
		if !ok {
			return fmt.Errorf("no problem %q", name)
		}
		byStatus[p.Status] = append(byStatus[p.Status], name)
	}
	responses := member(op, "responses")
	for status := 400; status < 600; status++ {
		if names := byStatus[status]; names != nil {
			b, err := json.Marshal(t.response(status, names, path), json.Deterministic(true))
			if err != nil {
				return err
			}
			add(responses, strconv.Itoa(status), &yaml.Node{Kind: yaml.ScalarNode, Tag: jsonTag, Value: string(b)})
		}
	}
	return nil
}

// flatten replaces groups by what they hold and names each problem once.
func (t table) flatten(names []string) []string {
	var all []string
	for _, name := range names {
		group, ok := t.Groups[name]
		if !ok {
			group = []string{name}
		}
		for _, p := range group {
			if !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

// headersOf says which headers come with a status (decisions A3 and A6).
var headersOf = map[int]string{401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}

var parameterPattern = regexp.MustCompile(`\{[^}]+\}`)

// errorObject is the contract's (section 5.1), in its order.
type errorObject struct {
	Error     string `json:"error"`
	ErrorCode string `json:"errorCode"`
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Details   string `json:"details"`
}

// object is a part of an OpenAPI document.
type object = map[string]any

func (t table) response(status int, names []string, path string) object {
	examples := object{}
	var said []string
	for _, name := range names {
		p := t.Problems[name]
		examples[name] = object{"summary": p.Code, "value": errorObject{
			p.Message, p.Code, "2026-01-02T15:04:05.000Z", parameterPattern.ReplaceAllString(path, "1001"), p.Details,
		}}
		said = append(said, p.Code+": "+p.Message)
	}
	r := object{
		"description": strings.Join(said, "; "),
		"content": object{
			"application/json":         object{"schema": reference("schemas/Error"), "examples": examples},
			"application/problem+json": object{"schema": reference("schemas/Problem")},
		},
	}
	if h := headersOf[status]; h != "" {
		r["headers"] = object{h: reference("headers/" + h)}
	}
	return r
}

func reference(to string) object { return object{"$ref": "#/components/" + to} }

// pair is a member of a mapping.
type pair struct {
	key   string
	value *yaml.Node
}

func pairs(n *yaml.Node) []pair {
	var all []pair
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for p := range slices.Chunk(n.Content, 2) {
		all = append(all, pair{p[0].Value, p[1]})
	}
	return all
}

// resolve follows an alias. What the documents share by alias is never changed.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func member(n *yaml.Node, key string) *yaml.Node {
	for _, p := range pairs(n) {
		if p.key == key {
			return p.value
		}
	}
	return nil
}

func remove(n *yaml.Node, key string) *yaml.Node {
	for i, p := range pairs(n) {
		if p.key == key {
			n.Content = slices.Delete(n.Content, 2*i, 2*i+2)
			return p.value
		}
	}
	return nil
}

func add(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// merge adds to dst what it lacks of src: members of mappings, elements of
// lists. What dst says itself stays.
func merge(dst, src *yaml.Node) {
	if dst.Kind == yaml.SequenceNode {
		for _, n := range src.Content {
			if !slices.ContainsFunc(dst.Content, func(mine *yaml.Node) bool { return same(mine, n) }) {
				dst.Content = append(dst.Content, n)
			}
		}
		return
	}
	for _, p := range pairs(src) {
		if mine := member(dst, p.key); mine == nil {
			add(dst, p.key, p.value)
		} else if mine.Kind != yaml.ScalarNode {
			merge(mine, p.value)
		}
	}
}

// same reports whether two elements of a list are one: the same word, or of one
// name, as tags and schemas are that several services have.
func same(a, b *yaml.Node) bool {
	if a.Kind == yaml.ScalarNode && b.Kind == yaml.ScalarNode {
		return a.Value == b.Value
	}
	x, y := member(a, "name"), member(b, "name")
	return x != nil && y != nil && x.Value == y.Value
}

// encode writes a node as JSON in the order it was written.
func encode(e *jsontext.Encoder, n *yaml.Node) error {
	n = resolve(n)
	open, end := jsontext.BeginObject, jsontext.EndObject
	switch n.Kind {
	case yaml.SequenceNode:
		open, end = jsontext.BeginArray, jsontext.EndArray
	case yaml.ScalarNode:
		if n.Tag == jsonTag {
			return e.WriteValue(jsontext.Value(n.Value))
		}
		var v any
		if err := n.Decode(&v); err != nil {
			return err
		}
		return json.MarshalEncode(e, v)
	}
	if err := e.WriteToken(open); err != nil {
		return err
	}
	for i, c := range n.Content {
		err := error(nil)
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			err = e.WriteToken(jsontext.String(c.Value))
		} else {
			err = encode(e, c)
		}
		if err != nil {
			return err
		}
	}
	return e.WriteToken(end)
}
