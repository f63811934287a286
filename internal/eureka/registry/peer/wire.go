package peer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/eureka"
)

// Action says what a batch item passes on.
type Action string

// The actions of a batch.
const (
	Heartbeat            Action = "Heartbeat"
	Register             Action = "Register"
	Cancel               Action = "Cancel"
	StatusUpdate         Action = "StatusUpdate"
	DeleteStatusOverride Action = "DeleteStatusOverride"
)

// Item is one change in a batch.
type Item struct {
	App, ID    string
	Action     Action
	Dirty      *int64
	Status     string           // as it came; "" for none
	Overridden eureka.Status    // Unknown for none
	Instance   *eureka.Instance // of a Register; nil when absent or not readable
}

// Result is what a peer says of one item.
type Result struct {
	Status   int
	Instance *eureka.Instance // of a conflict: the newer one
}

// The answers to a batch that is none.
var (
	ErrSyntax = errors.New("peer: not a batch")         // 400
	ErrEmpty  = errors.New("peer: no list in the body") // 500, as the reference answers
)

// maxItems is far above the 250 that peers send.
const maxItems = 10_000

type wireBatch struct {
	List *[]wireItem `json:"replicationList"`
}

type wireItem struct {
	App        string         `json:"appName"`
	ID         string         `json:"id"`
	Dirty      jsontext.Value `json:"lastDirtyTimestamp,omitempty"`
	Overridden string         `json:"overriddenStatus,omitempty"`
	Status     string         `json:"status,omitempty"`
	Instance   jsontext.Value `json:"instanceInfo,omitempty"`
	Action     Action         `json:"action"`
}

// lenient is how other servers' documents are read.
func lenient() json.Options {
	return json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// ParseBatch reads the body of a batch. Its error is ErrSyntax or ErrEmpty.
func ParseBatch(body []byte) ([]Item, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(body), lenient())
	items, listed, err := parseMembers(dec)
	if err == nil {
		if _, end := dec.ReadToken(); !errors.Is(end, io.EOF) {
			err = ErrSyntax
		}
	}
	switch {
	case err != nil && !errors.Is(err, ErrSyntax):
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	case err != nil:
		return nil, err
	case !listed:
		return nil, ErrEmpty
	}
	return items, nil
}

// parseMembers reads the object around the list; listed says that there is one.
func parseMembers(dec *jsontext.Decoder) (items []Item, listed bool, err error) {
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, false, cmp.Or(err, ErrSyntax)
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false, err
		}
		switch {
		case name.String() != "replicationList":
			err = dec.SkipValue()
		case dec.PeekKind() == 'n':
			items, listed, err = nil, false, dec.SkipValue()
		default:
			listed = true
			items, err = parseItems(dec)
		}
		if err != nil {
			return nil, false, err
		}
	}
	_, err = dec.ReadToken()
	return items, listed, err
}

// parseItems reads the list, one item at a time: a short body can hold very
// many.
func parseItems(dec *jsontext.Decoder) ([]Item, error) {
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return nil, cmp.Or(err, ErrSyntax)
	}
	items := []Item{}
	for dec.PeekKind() == '{' {
		if len(items) == maxItems {
			return nil, fmt.Errorf("%w: too many items", ErrSyntax)
		}
		var w wireItem
		if err := json.UnmarshalDecode(dec, &w); err != nil {
			return nil, err
		}
		item, err := w.item()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != ']' {
		return nil, cmp.Or(err, ErrSyntax)
	}
	return items, nil
}

func (w wireItem) item() (Item, error) {
	switch w.Action {
	case Heartbeat, Register, Cancel, StatusUpdate, DeleteStatusOverride:
	default:
		return Item{}, fmt.Errorf("%w: unknown action", ErrSyntax)
	}
	item := Item{App: strings.ToUpper(w.App), ID: w.ID, Action: w.Action, Status: w.Status}
	item.Overridden, _ = eureka.ParseStatus(w.Overridden)
	if text := strings.Trim(string(w.Dirty), `" `); text != "" && text != "null" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Item{}, fmt.Errorf("%w: lastDirtyTimestamp", ErrSyntax)
		}
		item.Dirty = &n
	}
	if in, err := parseInstance(w.Instance); err == nil {
		item.Instance = in
	}
	return item, nil
}

// A batch holds instances without their root.
const rootBefore, rootAfter = `{"instance":`, `}`

func parseInstance(v jsontext.Value) (*eureka.Instance, error) {
	if len(v) == 0 || v.Kind() != '{' {
		return nil, ErrSyntax
	}
	return eureka.ParseInstance(false, []byte(rootBefore+string(v)+rootAfter))
}

func formatInstance(in *eureka.Instance) jsontext.Value {
	b := eureka.Form{}.Instance(nil, in)
	return b[len(rootBefore) : len(b)-len(rootAfter)]
}

// FormatBatch writes items as the body of a batch.
func FormatBatch(items []Item) ([]byte, error) {
	list := make([]wireItem, len(items))
	for i, item := range items {
		w := wireItem{App: item.App, ID: item.ID, Status: item.Status, Action: item.Action}
		if item.Dirty != nil {
			w.Dirty = strconv.AppendInt(nil, *item.Dirty, 10)
		}
		if item.Overridden != eureka.Unknown {
			w.Overridden = string(item.Overridden)
		}
		if item.Instance != nil {
			w.Instance = formatInstance(item.Instance)
		}
		list[i] = w
	}
	return json.Marshal(wireBatch{&list}, jsontext.AllowInvalidUTF8(true))
}

type wireResult struct {
	Status   int            `json:"statusCode"`
	Instance jsontext.Value `json:"responseEntity,omitempty"`
}

type wireResults struct {
	List []wireResult `json:"responseList"`
}

// FormatResults writes the answer to a batch.
func FormatResults(results []Result) ([]byte, error) {
	list := make([]wireResult, len(results))
	for i, r := range results {
		list[i].Status = r.Status
		if r.Instance != nil {
			list[i].Instance = formatInstance(r.Instance)
		}
	}
	return json.Marshal(wireResults{list}, jsontext.AllowInvalidUTF8(true))
}

// parseResults reads the answer to a batch of n items; one of another length
// says nothing about any of them.
func parseResults(body []byte, n int) ([]Result, error) {
	var w wireResults
	if err := json.Unmarshal(body, &w, lenient()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	if len(w.List) != n {
		return nil, fmt.Errorf("%w: %d results for %d items", ErrSyntax, len(w.List), n)
	}
	results := make([]Result, n)
	for i, r := range w.List {
		results[i].Status = r.Status
		if in, err := parseInstance(r.Instance); err == nil {
			results[i].Instance = in
		}
	}
	return results, nil
}
