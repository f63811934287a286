package eureka

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is one value of a document in either syntax. XML is read into the shape
// of its JSON twin: attributes become members named with "@", the text beside
// them a member named "$".
type node struct {
	name string
	kind kind
	text string // of a scalar
	kids []node // of a composite
}

type kind uint8

const (
	null kind = iota
	scalar
	object
	array
)

// maxDepth is far above the eight levels a real document has.
const maxDepth = 32

// builder counts what it makes, so that a small body cannot grow into a large
// tree.
type builder struct{ left int }

func (b *builder) take(depth int) error {
	b.left--
	if b.left < 0 || depth > maxDepth {
		return fmt.Errorf("%w: too large or too deep", ErrSyntax)
	}
	return nil
}

// parse reads one document of at most limit values.
func parse(isXML bool, body []byte, limit int) (node, error) {
	b := builder{left: limit}
	var n node
	var err error
	if isXML && bytes.Count(body, []byte{'='}) > limit {
		return n, fmt.Errorf("%w: too many attributes", ErrSyntax) // which the decoder would hold all at once
	}
	if isXML {
		n, err = b.xmlDocument(body)
	} else {
		n, err = b.jsonDocument(body)
	}
	if err != nil && !errors.Is(err, ErrSyntax) {
		err = fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return n, err
}

func (b *builder) jsonDocument(body []byte) (node, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	n, err := b.jsonValue(dec, "", 0)
	if err != nil {
		return node{}, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return node{}, fmt.Errorf("%w: something behind the end", ErrSyntax)
	}
	return n, nil
}

func (b *builder) jsonValue(dec *jsontext.Decoder, name string, depth int) (node, error) {
	if err := b.take(depth); err != nil {
		return node{}, err
	}
	tok, err := dec.ReadToken()
	if err != nil {
		return node{}, err
	}
	n := node{name: name}
	switch tok.Kind() {
	case 'n':
	case '{':
		n.kind = object
		err = b.jsonMembers(dec, &n, depth)
	case '[':
		n.kind = array
		err = b.jsonItems(dec, &n, depth)
	default:
		n.kind, n.text = scalar, tok.String()
	}
	return n, err
}

func (b *builder) jsonMembers(dec *jsontext.Decoder, n *node, depth int) error {
	for dec.PeekKind() != '}' {
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		kid, err := b.jsonValue(dec, tok.String(), depth+1)
		if err != nil {
			return err
		}
		n.kids = append(n.kids, kid)
	}
	_, err := dec.ReadToken()
	return err
}

func (b *builder) jsonItems(dec *jsontext.Decoder, n *node, depth int) error {
	for dec.PeekKind() != ']' {
		kid, err := b.jsonValue(dec, "", depth+1)
		if err != nil {
			return err
		}
		n.kids = append(n.kids, kid)
	}
	_, err := dec.ReadToken()
	return err
}

// xmlDocument returns a node whose only member is the root element, as in
// JSON.
func (b *builder) xmlDocument(body []byte) (node, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.CharsetReader = charset
	doc := node{kind: object}
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return node{}, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(doc.kids) > 0 {
				return node{}, fmt.Errorf("%w: two roots", ErrSyntax)
			}
			root, err := b.element(dec, t, 0)
			if err != nil {
				return node{}, err
			}
			doc.kids = append(doc.kids, root)
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return node{}, fmt.Errorf("%w: text outside the root", ErrSyntax)
			}
		default:
			if err := harmless(tok); err != nil {
				return node{}, err
			}
		}
	}
	if len(doc.kids) == 0 {
		return node{}, fmt.Errorf("%w: no root", ErrSyntax)
	}
	return doc, nil
}

// element reads what follows a start tag. RawToken keeps a colon in a name,
// which metadata keys may have, and so leaves matching the end tag to us.
func (b *builder) element(dec *xml.Decoder, start xml.StartElement, depth int) (node, error) {
	if err := b.take(depth); err != nil {
		return node{}, err
	}
	n := node{name: tagName(start.Name)}
	for _, a := range start.Attr {
		if err := b.take(depth); err != nil {
			return node{}, err
		}
		n.kids = append(n.kids, node{name: "@" + tagName(a.Name), kind: scalar, text: a.Value})
	}
	var text strings.Builder
	elements := false
	for {
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return node{}, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			kid, err := b.element(dec, t, depth+1)
			if err != nil {
				return node{}, err
			}
			n.kids, elements = append(n.kids, kid), true
		case xml.EndElement:
			if t.Name != start.Name {
				return node{}, fmt.Errorf("%w: wrong end tag", ErrSyntax)
			}
			return n.finish(text.String(), elements), nil
		case xml.CharData:
			text.Write(t)
		default:
			if err := harmless(tok); err != nil {
				return node{}, err
			}
		}
	}
}

// finish decides what an element was: text between elements is layout.
func (n node) finish(text string, elements bool) node {
	switch {
	case len(n.kids) == 0:
		n.kind, n.text = scalar, text
	case elements:
		n.kind = object
	default:
		n.kind = object
		n.kids = append(n.kids, node{name: "$", kind: scalar, text: text})
	}
	return n
}

func tagName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return n.Space + ":" + n.Local
}

// harmless refuses directives: a DOCTYPE is the door to entity bombs.
func harmless(tok xml.Token) error {
	if _, ok := tok.(xml.Directive); ok {
		return fmt.Errorf("%w: DOCTYPE", ErrSyntax)
	}
	return nil
}

// charset reads the other encoding the protocol knows.
func charset(label string, in io.Reader) (io.Reader, error) {
	if !strings.EqualFold(label, "iso-8859-1") && !strings.EqualFold(label, "us-ascii") {
		return nil, fmt.Errorf("%w: charset", ErrSyntax)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(Latin1(b)), nil
}

// Latin1 turns ISO-8859-1 into UTF-8.
func Latin1(b []byte) []byte {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return []byte(string(out))
}
