package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ccms/client"
)

func TestWhatAConfigMustSay(t *testing.T) {
	good := client.Config{BaseURL: "https://cards.example.com", ClientID: "client_1", Secret: client.Text("x")}
	tests := []struct {
		name   string
		change func(*client.Config)
		ok     bool
	}{
		{"all there", func(*client.Config) {}, true},
		{"a path below the host", func(c *client.Config) { c.BaseURL = "https://example.com/cards/" }, true},
		{"plain http on this machine", func(c *client.Config) { c.BaseURL = "http://127.0.0.1:5000" }, true},
		{"plain http elsewhere", func(c *client.Config) { c.BaseURL = "http://cards.example.com" }, false},
		{"plain http to a name that only begins like this machine", func(c *client.Config) { c.BaseURL = "http://localhost.example.com" }, false},
		{"no URL", func(c *client.Config) { c.BaseURL = "" }, false},
		{"a query", func(c *client.Config) { c.BaseURL += "?a=b" }, false},
		{"a password in the URL", func(c *client.Config) { c.BaseURL = "https://a:b@example.com" }, false},
		{"no client", func(c *client.Config) { c.ClientID = "" }, false},
		{"neither secret nor key", func(c *client.Config) { c.Secret = client.Secret{} }, false},
		{"both secret and key", func(c *client.Config) { c.PrivateKey = edKey(t) }, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			cfg := good
			tc.change(&cfg)
			if _, err := client.New(cfg); (err == nil) != tc.ok {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRegisterSendsTheCardOnceAsTheServiceReadsIt(t *testing.T) {
	s := &service{say: func(int, asked) answer { return made() }}
	got, err := s.open(t).Register(t.Context(), aCard())
	if err != nil || got.ID != "r1" || got.State != client.Pending {
		t.Fatalf("%+v %v", got, err)
	}
	q := s.asked[0]
	var body map[string]any
	if err := json.Unmarshal([]byte(q.body), &body); err != nil {
		t.Fatalf("%v in %s", err, q.body)
	}
	want := map[string]any{
		"card_number": "4111111111111111", "cvv": "123", "expiry_date": "12/2030", "cardholder_name": `Ann "A" Exämple\`,
		"reference": "order-7", "metadata": map[string]any{"shop": "1"},
	}
	if !reflect.DeepEqual(body, want) {
		t.Errorf("sent %v", body)
	}
	if q.key == "" || q.auth != "Bearer token-1" || q.media != "application/json" || q.path != "/register" {
		t.Errorf("sent %+v", q)
	}
}

func TestTokensAreSharedRenewedInTimeAndReplacedWhenRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{say: func(n int, q asked) answer {
			if q.auth == "Bearer token-2" {
				return refusal(403, client.CodeTokenExpired)
			}
			return answer{status: 200, body: `{"token":"tok_1","status":"enabled"}`}
		}}
		c := s.open(t)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := c.Card(t.Context(), "tok_1"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(s.tokens) != 1 {
			t.Errorf("%d tokens for 50 calls at once", len(s.tokens))
		}
		form := s.tokens[0]
		if form.Get("client_id") != "client_1" || form.Get("client_secret") != "s3cret/+ ü" || form.Get("grant_type") != "client_credentials" {
			t.Errorf("asked for a token with %v", form)
		}
		time.Sleep(9 * time.Minute)
		if _, err := c.Card(t.Context(), "tok_1"); err != nil || len(s.tokens) != 1 {
			t.Errorf("after 9 of 10 minutes: %d tokens, %v", len(s.tokens), err)
		}
		time.Sleep(40 * time.Second) // the second token is refused, so a third is fetched
		if _, err := c.Card(t.Context(), "tok_1"); err != nil || len(s.tokens) != 3 {
			t.Errorf("shortly before the end: %d tokens, %v", len(s.tokens), err)
		}
	})
}

func TestATokenThatIsNeverTakenIsAskedForTwice(t *testing.T) {
	s := &service{say: func(int, asked) answer { return refusal(401, client.CodeUnauthorized) }}
	_, err := s.open(t).Card(t.Context(), "tok_1")
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Status != 401 || len(s.tokens) != 2 || len(s.asked) != 2 {
		t.Errorf("%d tokens, %d requests, %v", len(s.tokens), len(s.asked), err)
	}
}

func TestAClientThatIsNotAcceptedIsToldSo(t *testing.T) {
	s := &service{say: nothing, token: func(int) answer {
		return answer{status: 401, body: `{"error":"invalid_client","error_description":"The client could not be authenticated."}`}
	}}
	_, err := s.open(t).Card(t.Context(), "tok_1")
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != client.CodeInvalidClient || e.Details == "" || len(s.tokens) != 1 {
		t.Errorf("%d tokens, %v", len(s.tokens), err)
	}
}

// One caller's end must not fail another that waits for the same token.
func TestWhoWaitsForATokenMayGiveUpAlone(t *testing.T) {
	held, asks := make(chan struct{}), make(chan struct{}, 9)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth2/token" {
			asks <- struct{}{}
			<-held
			_, _ = w.Write([]byte(`{"access_token":"a","expires_in":600}`))
			return
		}
		_, _ = w.Write([]byte(`{"token":"tok_1"}`))
	}))
	defer server.Close()
	c, err := client.New(client.Config{BaseURL: server.URL, ClientID: "c", Secret: client.Text("x")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	one, other := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Card(ctx, "tok_1"); one <- err }()
	<-asks
	go func() { _, err := c.Card(t.Context(), "tok_1"); other <- err }()
	cancel()
	if err := <-one; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	close(held)
	if err := <-other; err != nil {
		t.Errorf("who waited got %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := &service{say: func(int, asked) answer {
		return answer{status: 307, header: map[string]string{"Location": "https://elsewhere.example/register"}}
	}}
	_, err := s.open(t).Register(t.Context(), aCard())
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 307 || len(s.asked) != 1 {
		t.Errorf("%d requests, %v", len(s.asked), err)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	const hidden = "4111111111111111"
	secret := client.Text(hidden)
	c := (&service{say: nothing}).open(t, func(cfg *client.Config) { cfg.Secret = client.Text(hidden) })
	for name, v := range map[string]any{
		"a secret": secret, "its address": &secret, "a card": aCard(), "a revealed card": client.Revealed{Number: secret},
		"a config": client.Config{Secret: secret, PrivateKey: edKey(t)}, "a client": c, "in a map": map[string]any{"x": []client.Secret{secret}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, hidden) || strings.Contains(text, fmt.Sprintf("%x", hidden)) || strings.Contains(text, "52 49 49") {
				t.Errorf("%s under %s is %s", name, verb, text)
			}
		}
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		if strings.Contains(log.String(), hidden) {
			t.Errorf("%s is logged as %s", name, &log)
		}
	}
	if text, err := json.Marshal(secret); err != nil || string(text) != `"[redacted]"` {
		t.Errorf("%s %v", text, err)
	}
	other := secret
	secret.Wipe()
	if other.Len() != 0 || other.Reveal() != nil {
		t.Error("a copy outlived the wipe")
	}
}

func TestListsAreReadPageAfterPage(t *testing.T) {
	pages := map[string]string{
		"":  `{"data":[{"registration_id":"a"},{"registration_id":"b"}],"next_cursor":"2"}`,
		"2": `{"data":[],"next_cursor":"3"}`,
		"3": `{"data":[{"registration_id":"c","status":"rejected","reason":"brand"}],"next_cursor":null}`,
	}
	s := &service{say: func(_ int, q asked) answer {
		values, _ := parseQuery(q.query)
		if values.Get("status") != "rejected" || values.Get("from") != "2027-03-10T08:00:00Z" || values.Get("limit") != "100" {
			return refusal(400, client.CodeValidation)
		}
		return answer{status: 200, body: pages[values.Get("cursor")]}
	}}
	c := s.open(t)
	list := c.Registrations(t.Context(), client.Filter{State: client.Rejected, From: time.Date(2027, 3, 10, 9, 0, 0, 0, time.FixedZone("", 3600))})
	for range 2 { // a list may be walked again, from its beginning
		var ids []string
		for r, err := range list {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
		}
		if strings.Join(ids, "") != "abc" {
			t.Errorf("listed %q", ids)
		}
	}
	before := len(s.asked)
	for range list {
		break
	}
	if n := len(s.asked) - before; n != 1 {
		t.Errorf("%d pages were read for one registration", n)
	}
	s.say = func(int, asked) answer { return refusal(403, client.CodeForbidden) }
	n := 0
	for _, err := range list {
		if n++; err == nil {
			t.Error("no error")
		}
	}
	if n != 1 {
		t.Errorf("%d errors", n)
	}
}

func TestCardsAreLookedAtChangedRevealedAndErased(t *testing.T) {
	s := &service{say: func(_ int, q asked) answer {
		switch q.method + " " + q.path {
		case "GET /v1/cards/tok_1":
			return answer{status: 200, body: `{"token":"tok_1","status":"disabled","last4":"1111","new_member":1}`}
		case "PATCH /v1/cards/tok_1":
			return answer{status: 200, body: `{"token":"tok_1","status":` + strings.TrimSuffix(strings.TrimPrefix(q.body, `{"status":`), "}") + `}`}
		case "POST /v1/cards/tok_1/reveal":
			return answer{status: 200, body: `{"card_number":"4111111111111111","expiry_date":"12/2030","cardholder_name":"Ann \"A\" Ex\u00e4mple"}`}
		case "DELETE /v1/cards/tok_1", "DELETE /v1/registrations/r1":
			return answer{status: 200, body: `{"message":"Done."}`}
		case "GET /v1/cards":
			return answer{status: 200, body: `{"data":[{"token":"tok_1"}],"next_cursor":null}`}
		case "GET /v1/registrations/r1":
			return answer{status: 200, body: `{"registration_id":"r1","metadata":{"shop":"1"}}`}
		case "POST /v1/links":
			return answer{status: 201, body: `{"id":"l1","url":"https://cards.example.com/card/x","expires_at":"2027-03-10T08:00:00Z"}`}
		}
		return refusal(404, client.CodeNotFound)
	}}
	c, ctx := s.open(t), t.Context()
	card, err := c.Card(ctx, "tok_1")
	if err != nil || card.Status != client.Disabled || card.Last4 != "1111" {
		t.Errorf("%+v %v", card, err)
	}
	if card, err = c.SetCardStatus(ctx, "tok_1", client.Enabled); err != nil || card.Status != client.Enabled {
		t.Errorf("%+v %v", card, err)
	}
	revealed, err := c.Reveal(ctx, "tok_1", "chargeback")
	if err != nil || string(revealed.Number.Reveal()) != "4111111111111111" || string(revealed.Holder.Reveal()) != `Ann "A" Exämple` {
		t.Errorf("%d digits, %v", revealed.Number.Len(), err)
	}
	revealed.Wipe()
	if revealed.Number.Len()+revealed.Holder.Len() != 0 {
		t.Error("not wiped")
	}
	for card, err := range c.Cards(ctx) {
		if err != nil || card.Token != "tok_1" {
			t.Errorf("%+v %v", card, err)
		}
	}
	if r, err := c.Registration(ctx, "r1"); err != nil || r.Metadata["shop"] != "1" {
		t.Errorf("%+v %v", r, err)
	}
	link, err := c.CreateLink(ctx, client.NewLink{Mode: "redirect", ReturnURL: "https://shop.example/back", ExpiresIn: time.Hour})
	if err != nil || link.ID != "l1" || !strings.Contains(s.asked[len(s.asked)-1].body, `"expires_in":3600`) {
		t.Errorf("%v %v", link.ID, err)
	}
	if err := errors.Join(c.DeleteCard(ctx, "tok_1"), c.DeleteRegistration(ctx, "r1")); err != nil {
		t.Error(err)
	}
	if _, err := c.Card(ctx, "../../oauth2"); err == nil || s.asked[len(s.asked)-1].path != "/v1/cards/..%2F..%2Foauth2" {
		t.Errorf("a token led to %q: %v", s.asked[len(s.asked)-1].path, err)
	}
}

func TestAwaitAsksUntilItIsDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{say: func(n int, q asked) answer {
			if n < 3 {
				return answer{status: 200, body: `{"registration_id":"r1","status":"pending"}`}
			}
			return answer{status: 200, body: `{"registration_id":"r1","status":"verified","token":"tok_1"}`}
		}}
		began := time.Now()
		o, err := s.open(t).Await(t.Context(), "r1")
		if err != nil || o.State != client.Verified || o.Token != "tok_1" || time.Since(began) != 3500*time.Millisecond {
			t.Errorf("%+v %v after %s", o, err, time.Since(began))
		}
		s.asked = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o, err = s.open(t).Await(ctx, "r1"); !errors.Is(err, context.DeadlineExceeded) || o.State != client.Pending {
			t.Errorf("%+v %v", o, err)
		}
	})
}
