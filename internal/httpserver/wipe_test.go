package httpserver

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/card"
	"ccms/internal/secret"
)

// TestABodyThatIsRefusedHalfWayIsWiped would fail if what came before the
// mistake stayed in memory.
func TestABodyThatIsRefusedHalfWayIsWiped(t *testing.T) {
	type inner struct {
		Word secret.Bytes `json:"word"`
	}
	var in struct {
		Name    string         `json:"name"`
		Number  jsontext.Value `json:"number"`
		Code    card.Code      `json:"code"`
		Word    secret.Bytes   `json:"word"`
		Inner   *inner         `json:"inner"`
		Several []inner        `json:"several"`
		Absent  *inner         `json:"absent"`
	}
	body := `{"name":"Ann","number":"4111111111111111","code":"123","word":"a secret","inner":{"word":"b secret"},"several":[{"word":"c secret"}],"surprise":1}`
	if err := json.Unmarshal([]byte(body), &in, json.RejectUnknownMembers(true)); err == nil {
		t.Fatal("it was not refused")
	}
	seen := [][]byte{in.Number, in.Word.Reveal(), in.Inner.Word.Reveal(), in.Several[0].Word.Reveal()}
	for i, b := range seen {
		if len(b) == 0 {
			t.Fatalf("value %d was not decoded", i)
		}
	}
	wipe(reflect.ValueOf(&in))
	for i, b := range seen {
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("value %d is %q", i, b)
		}
	}
	visa := card.Default().Brands()[0]
	if _, err := card.CheckCode(in.Code, visa); err == nil {
		t.Error("the code is still there")
	}
	if in.Name != "Ann" {
		t.Error("what is no secret was changed")
	}
}
