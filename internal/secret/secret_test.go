package secret_test

import (
	"bytes"
	"encoding/gob"
	stdjson "encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.yaml.in/yaml/v3"

	"ccms/internal/secret"
)

const content = "hunter2hunter2"

// leaks are the shapes in which formatters could show the content.
var leaks = []string{"hunter", "68756e746572", "68756E746572", "104 117 110", "0x68, 0x75", "aHVudGVy"}

type holder struct {
	Shown  secret.Bytes
	hidden secret.Bytes
	Ptr    *secret.Bytes
	Map    map[string]secret.Bytes
	List   []secret.Bytes
	deep   struct{ deeper any }
}

func newHolder() holder {
	s := secret.NewString(content)
	h := holder{Shown: s, hidden: s, Ptr: &s, Map: map[string]secret.Bytes{"k": s}, List: []secret.Bytes{s}}
	h.deep.deeper = s
	return h
}

func TestSecretShowsUnderNoVerb(t *testing.T) {
	h := newHolder()
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %t %p %T %c %U %e %b %o %20s %.3s %w %!") {
		for what, v := range map[string]any{"value": h.Shown, "pointer": h.Ptr, "struct": h, "pointer to struct": &h, "list": []any{h, &h}} {
			checkHidden(t, what+" "+verb, fmt.Sprintf(verb, v))
			checkHidden(t, "error with "+what+" "+verb, fmt.Errorf("failed: "+verb, v).Error())
		}
	}
	if s := fmt.Sprint(h.Shown); s != "[redacted]" {
		t.Errorf("shows as %s", s)
	}
}

func TestSecretShowsInNoEncoding(t *testing.T) {
	h := newHolder()
	encoders := map[string]func(v any) ([]byte, error){
		"json":    stdjson.Marshal,
		"json v2": func(v any) ([]byte, error) { return json.Marshal(v) },
		"xml":     xml.Marshal,
		"yaml":    yaml.Marshal,
		"bson":    bson.Marshal,
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		"text log": func(v any) ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
			return b.Bytes(), nil
		},
		"json log": func(v any) ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
			return b.Bytes(), nil
		},
	}
	for name, encode := range encoders {
		for what, v := range map[string]any{"value": h.Shown, "struct": h, "field": struct{ S secret.Bytes }{h.Shown}} {
			b, err := encode(v)
			checkHidden(t, name+" of "+what, string(b)+fmt.Sprint(err))
		}
	}
}

func checkHidden(t *testing.T, how, shown string) {
	t.Helper()
	for _, leak := range leaks {
		if strings.Contains(shown, leak) {
			t.Errorf("%s shows %s", how, shown)
		}
	}
}

func TestWipeEmptiesEveryCopy(t *testing.T) {
	b := []byte(content)
	s := secret.New(b)
	c := s
	s.Wipe()
	if strings.Trim(string(b), "\x00") != "" || c.Reveal() != nil || c.Len() != 0 {
		t.Errorf("left %q, copy %q", b, c.Reveal())
	}
	s.Wipe()
	secret.Bytes{}.Wipe()
}

func TestEqualComparesContent(t *testing.T) {
	a, b, c := secret.NewString(content), secret.NewString(content), secret.NewString("other")
	if !a.Equal(b) || a.Equal(c) || a.Equal(secret.Bytes{}) || !(secret.Bytes{}).Equal(secret.Bytes{}) {
		t.Error("wrong")
	}
}

func TestUnmarshalTextCopies(t *testing.T) {
	text := []byte(content)
	var s secret.Bytes
	if err := s.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	clear(text)
	if string(s.Reveal()) != content {
		t.Errorf("content is %q", s.Reveal())
	}
}
