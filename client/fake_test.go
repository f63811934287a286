package client_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"ccms/client"
)

// answer is what a fake service says; the zero status is a connection that
// breaks.
type answer struct {
	status int
	body   string
	header map[string]string
	cut    bool // the connection breaks at the end of the body
}

// asked is a request as the service got it.
type asked struct {
	method, path, query, key, auth, media string
	body                                  string
}

// service answers in memory, so that a test's clock need not be a real one.
type service struct {
	mu     sync.Mutex
	asked  []asked // but for tokens
	tokens []url.Values
	// token answers the token endpoint; default one for ten minutes.
	token func(n int) answer
	// say answers the nth request, from 0, with the others.
	say func(n int, q asked) answer
}

// RoundTrip implements http.RoundTripper.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var a answer
	if r.URL.Path == "/oauth2/token" {
		form, _ := url.ParseQuery(string(body))
		s.tokens = append(s.tokens, form)
		a = answer{status: 200, body: `{"access_token":"token-` + string(rune('0'+len(s.tokens))) + `","token_type":"Bearer","expires_in":600}`}
		if s.token != nil {
			a = s.token(len(s.tokens) - 1)
		}
	} else {
		q := asked{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body)}
		s.asked = append(s.asked, q)
		a = s.say(len(s.asked)-1, q)
	}
	if a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	res := &http.Response{StatusCode: a.status, Header: http.Header{}, Request: r, ProtoMajor: 1, ProtoMinor: 1}
	for name, value := range a.header {
		res.Header.Set(name, value)
	}
	res.Body = io.NopCloser(strings.NewReader(a.body))
	if a.cut {
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader(a.body), broken{}))
	}
	return res, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// open returns a client of the service.
func (s *service) open(t testing.TB, change ...func(*client.Config)) *client.Client {
	t.Helper()
	cfg := client.Config{
		BaseURL: "https://cards.example.com", ClientID: "client_1", Secret: client.Text("s3cret/+ ü"),
		HTTPClient: &http.Client{Transport: s},
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refusal is the service's error object.
func refusal(status int, code string) answer {
	return answer{status: status, body: `{"error":"A sentence","errorCode":"` + code + `","timestamp":"2027-03-10T08:00:00.000Z","path":"/register","details":"What to do."}`}
}

// made is the answer to a registration.
func made() answer {
	return answer{status: 201, body: `{"registration_id":"r1","status":"pending"}`}
}

func aCard() client.CardData {
	return client.CardData{
		Number: client.Text("4111111111111111"), Code: client.Text("123"), Expiry: "12/2030",
		Holder: client.Text(`Ann "A" Exämple\`), Reference: "order-7", Metadata: map[string]string{"shop": "1"},
	}
}

func nothing(n int, q asked) answer { return answer{status: 500} }

// lines are the lines of a bulk request.
func (q asked) lines() []string {
	var all []string
	for line := range bytes.SplitSeq([]byte(strings.TrimSpace(q.body)), []byte("\n")) {
		all = append(all, string(line))
	}
	return all
}
