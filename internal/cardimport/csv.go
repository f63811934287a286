package cardimport

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ccms/client"
)

// The columns of a file, and the beginning of those of metadata.
const (
	columnNumber    = "card_number"
	columnExpiry    = "expiry_date"
	columnCode      = "cvv"
	columnHolder    = "cardholder_name"
	columnReference = "reference"
	columnMetadata  = "metadata."
)

// table is how the lines of a CSV file are read: RFC 4180, but that a line is a
// line, since no member of a card may hold an end of line.
type table struct {
	separator byte
	columns   []string
}

// errHeader does not quote the line: where the header is missing, it is a card.
var errHeader = errors.New("the first line must name the columns card_number, expiry_date, cvv and cardholder_name, and may name reference and metadata.NAME, each once, separated by comma, semicolon or tab")

// parseHeader reads the line that names the columns.
func parseHeader(line []byte) (t table, err error) {
	at := bytes.IndexAny(line, ",;\t")
	if at < 0 {
		return t, errHeader
	}
	t.separator = line[at]
	fields, ok := t.split(line)
	if !ok {
		return t, errHeader
	}
	missing := map[string]bool{columnNumber: true, columnExpiry: true, columnCode: true, columnHolder: true}
	for _, f := range fields {
		name := strings.TrimSpace(string(f))
		switch meta, isMeta := strings.CutPrefix(name, columnMetadata); {
		case slices.Contains(t.columns, name), isMeta && meta == "":
			return t, errHeader
		case missing[name]:
			delete(missing, name)
		case name != columnReference && !isMeta:
			return t, errHeader
		}
		t.columns = append(t.columns, name)
	}
	if len(missing) > 0 {
		return t, fmt.Errorf("%w; missing: %s", errHeader, strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return t, nil
}

// parse reads a line.
func (t table) parse(line []byte) (d client.CardData, f *fault) {
	fields, ok := t.split(line)
	defer func() {
		for _, field := range fields {
			clear(field)
		}
	}()
	if !ok {
		return d, &fault{"Malformed line", `A column that begins with " ends with one, and "" stands for one inside.`}
	}
	if len(fields) != len(t.columns) {
		return d, &fault{"Malformed line", fmt.Sprintf("The line has %d columns, the header %d.", len(fields), len(t.columns))}
	}
	for i, name := range t.columns {
		field := bytes.TrimSpace(fields[i])
		switch name {
		case columnNumber:
			d.Number = client.NewSecret(bytes.Clone(field))
		case columnExpiry:
			d.Expiry = string(field)
		case columnCode:
			d.Code = client.NewSecret(bytes.Clone(field))
		case columnHolder:
			d.Holder = client.NewSecret(bytes.Clone(field))
		case columnReference:
			d.Reference = string(field)
		default:
			if len(field) > 0 {
				if d.Metadata == nil {
					d.Metadata = map[string]string{}
				}
				d.Metadata[strings.TrimPrefix(name, columnMetadata)] = string(field)
			}
		}
	}
	return d, nil
}

// split cuts a line into its fields, which are copies for the caller to wipe.
func (t table) split(line []byte) (fields [][]byte, ok bool) {
	for {
		field, rest, ok := t.field(line)
		fields = append(fields, field)
		if !ok {
			return fields, false
		}
		if rest == nil {
			return fields, true
		}
		line = rest
	}
}

// field takes the first field off a line; rest is what follows its separator,
// nil when the line is over.
func (t table) field(line []byte) (field, rest []byte, ok bool) {
	field = make([]byte, 0, len(line)) // never grows, so leaves no copy
	if len(line) == 0 || line[0] != '"' {
		end := bytes.IndexByte(line, t.separator)
		if end < 0 {
			return append(field, line...), nil, true
		}
		return append(field, line[:end]...), line[end+1:], true
	}
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] != '"':
			field = append(field, line[i])
		case i+1 == len(line):
			return field, nil, true
		case line[i+1] == '"':
			field = append(field, '"')
			i++
		case line[i+1] == t.separator:
			return field, line[i+2:], true
		default:
			return field, nil, false
		}
	}
	return field, nil, false
}
