package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"ccms/client"
)

// manyCards are cards whose references are their numbers from 0.
func manyCards(n int) []client.CardData {
	all := make([]client.CardData, n)
	for i := range all {
		all[i] = client.CardData{Number: client.Text("4111111111111111"), Code: client.Text("123"), Holder: client.Text("Ann"), Expiry: "12/2030", Reference: fmt.Sprint(i)}
	}
	return all
}

// bulkService answers line by line, as say says to a card's reference.
type bulkService struct {
	service
	keys map[string]string // by reference: a card's key must stay the same
	t    *testing.T
}

func newBulkService(t *testing.T, say func(try int, reference string) string) *bulkService {
	b := &bulkService{keys: map[string]string{}, t: t}
	b.say = func(n int, q asked) answer {
		a := answer{status: 200}
		for i, line := range q.lines() {
			var in struct {
				Reference string `json:"reference"`
				Key       string `json:"idempotency_key"`
			}
			if err := json.Unmarshal([]byte(line), &in); err != nil || in.Key == "" || b.keys[in.Reference] != "" && b.keys[in.Reference] != in.Key {
				t.Errorf("line %s after the key %q: %v", line, b.keys[in.Reference], err)
			}
			b.keys[in.Reference] = in.Key
			text := say(n, in.Reference)
			if text == "cut" {
				a.cut = true
				return a
			}
			if text == "" {
				text = `"code":201,"registration_id":"r` + in.Reference + `","status":"pending"`
			}
			a.body += fmt.Sprintf("{\"line\":%d,%s}\n", i+1, text)
		}
		return a
	}
	return b
}

func lineRefusal(status int, code string) string {
	return fmt.Sprintf(`"code":%d,"error":"A sentence","errorCode":"%s","details":"What to do."`, status, code)
}

func TestBulkSettlesEachCardOnceAndInOrder(t *testing.T) {
	tests := []struct {
		name     string
		cards    int
		say      func(try int, reference string) string
		requests int
		refused  map[int]string // code by index
		unknown  int            // from this index on nothing is known; 0 for none
	}{
		{"all at once", 3, func(int, string) string { return "" }, 1, nil, 0},
		{"more than a request takes", 2500, func(int, string) string { return "" }, 3, nil, 0},
		{"one is refused", 3, func(_ int, r string) string {
			if r == "1" {
				return lineRefusal(400, client.CodeInvalidCard)
			}
			return ""
		}, 1, map[int]string{1: client.CodeInvalidCard}, 0},
		{"the connection breaks in the middle, twice", 10, func(try int, r string) string {
			if try < 2 && r == fmt.Sprint(3*try+3) {
				return "cut"
			}
			return ""
		}, 3, nil, 0},
		{"some still run, or found the service unwell", 10, func(try int, r string) string {
			switch {
			case try < 2 && r == "0":
				return lineRefusal(409, client.CodeInProgress)
			case try < 1 && r == "7":
				return lineRefusal(503, "DATABASE_ERROR")
			}
			return ""
		}, 3, nil, 0},
		{"too many codes for one card", 3, func(_ int, r string) string {
			if r == "0" {
				return lineRefusal(429, "TOO_MANY_REQUESTS")
			}
			return ""
		}, 1, map[int]string{0: "TOO_MANY_REQUESTS"}, 0},
		{"the service does not come back", 2500, func(_ int, r string) string {
			if r == "5" {
				return "cut"
			}
			return ""
		}, 0, nil, 5},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBulkService(t, tc.say)
				next := 0
				for r := range b.open(t).Bulk(t.Context(), manyCards(tc.cards)) {
					if r.Index != next {
						t.Fatalf("result %d is card %d's", next, r.Index)
					}
					next++
					e, refused := errors.AsType[*client.Error](r.Err)
					switch code := tc.refused[r.Index]; {
					case tc.unknown > 0 && r.Index >= tc.unknown:
						if r.Settled || r.Err == nil {
							t.Fatalf("%+v", r)
						}
					case code != "" && (!refused || e.Code != code || !r.Settled || e.Details == ""):
						t.Errorf("%+v", r)
					case code == "" && (!r.Settled || r.Err != nil || r.ID != fmt.Sprint("r", r.Index) || r.State != client.Pending):
						t.Errorf("%+v", r)
					}
				}
				if next != tc.cards || tc.requests > 0 && len(b.asked) != tc.requests {
					t.Errorf("%d results, %d requests", next, len(b.asked))
				}
			})
		})
	}
}

func TestBulkThatIsRefusedAsAWholeSaysSoOfEachCard(t *testing.T) {
	s := &service{say: func(int, asked) answer { return refusal(403, client.CodeForbidden) }}
	n := 0
	for r := range s.open(t).Bulk(t.Context(), manyCards(1500)) {
		if e, ok := errors.AsType[*client.Error](r.Err); !ok || e.Code != client.CodeForbidden || r.Settled {
			t.Fatalf("%+v", r)
		}
		n++
	}
	if n != 1500 || len(s.asked) != 1 {
		t.Errorf("%d results, %d requests", n, len(s.asked))
	}
}

func TestBulkStopsWithItsCallerOrItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBulkService(t, func(int, string) string { return "" })
		for range b.open(t).Bulk(t.Context(), manyCards(2000)) {
			break
		}
		if len(b.asked) != 1 {
			t.Errorf("%d requests for one result", len(b.asked))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		b = newBulkService(t, func(int, string) string { return lineRefusal(503, "DATABASE_ERROR") })
		began, n := time.Now(), 0
		for r := range b.open(t).Bulk(ctx, manyCards(20)) {
			if n++; r.Err == nil || r.Settled {
				t.Errorf("%+v", r)
			}
		}
		if took := time.Since(began); n != 20 || took != 3*time.Second {
			t.Errorf("%d results after %s", n, took)
		}
	})
}

// Bodies of more than 4 MiB are refused by the service.
func TestBulkRequestsAreOfASizeTheServiceTakes(t *testing.T) {
	b := newBulkService(t, func(int, string) string { return "" })
	cards := manyCards(900)
	for i := range cards {
		cards[i].Metadata = map[string]string{}
		for j := range 20 {
			cards[i].Metadata[fmt.Sprintf("m%d", j)] = strings.Repeat("\x01", 60) // six bytes each in JSON
		}
	}
	if n := len(slices.Collect(b.open(t).Bulk(t.Context(), cards))); n != 900 {
		t.Errorf("%d results", n)
	}
	for _, q := range b.asked {
		if len(q.body) > 4<<20 {
			t.Errorf("a request of %d bytes", len(q.body))
		}
	}
	if len(b.asked) < 2 {
		t.Error("the test sends too little")
	}
}

// checkBody compares what was sent with what was given. Bytes that are no UTF-8
// are sent as they are, for the service to refuse.
func checkBody(t *testing.T, body, number, name string) {
	t.Helper()
	if !utf8.ValidString(number) || !utf8.ValidString(name) {
		return
	}
	var in struct {
		Number string `json:"card_number"`
		Name   string `json:"cardholder_name"`
	}
	if err := json.Unmarshal([]byte(body), &in); err != nil || in.Number != number || in.Name != name {
		t.Errorf("%q became %q: %v", number+name, in.Number+in.Name, err)
	}
}
