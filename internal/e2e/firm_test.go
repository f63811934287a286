package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/testscript"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The words of the stories about firms:
//
//	firm name [flag…]      make a firm by ccms firm create, with a client and its token; sets
//	                       $FIRM $CLIENT $SECRET and $AUTH, the header
//	client [flag…]         make another client of $FIRM by ccms client create; sets the same
//	endpoint answer        a firm's own endpoint that answers with this JSON, or with a status when it
//	                       is a number; sets $ENDPOINT and $KEY, its public key for codes
//	signing secret         the endpoint checks signatures from now on and refuses what has none
//	becomes status id      wait until a registration has this status; it is the last answer
//	asked n                the endpoint was asked n times, or soon is; the last question counts as the last answer,
//	                       with the code, decrypted, as its member code

func cmdFirm(ts *testscript.TestScript, _ bool, args []string) {
	makeClient(ts, append([]string{"firm", "create", "--name"}, args...))
}

func cmdClient(ts *testscript.TestScript, _ bool, args []string) {
	makeClient(ts, append([]string{"client", "create", "--firm", ts.Getenv("FIRM")}, args...))
}

// makeClient runs a command that makes a client, and gets a token for it.
func makeClient(ts *testscript.TestScript, args []string) {
	s := of(ts)
	command := exec.Command(binary, append(args, "--data", s.process.dir, "-o", "json")...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	ts.Check(err)
	var made struct {
		Firm   string `json:"firm_id"`
		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	ts.Check(json.Unmarshal(out, &made))
	ts.Setenv("FIRM", made.Firm)
	ts.Setenv("CLIENT", made.Client)
	ts.Setenv("SECRET", made.Secret)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {made.Client}, "client_secret": {made.Secret}}
	ts.Check(s.call("POST", []string{s.process.Portal + "/oauth2/token", form.Encode(), "Content-Type: application/x-www-form-urlencoded"}))
	cmdStatus(ts, false, []string{"200"})
	token, _ := s.member("access_token")
	ts.Setenv("AUTH", "Authorization: Bearer "+token)
}

// endpoint is a firm's own: what decides over its registrations.
type endpoint struct {
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	answer string
	hook   *webhooks.Webhook // nil: nothing is checked
	asked  []string
}

func cmdEndpoint(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	if s.endpoint != nil {
		s.endpoint.mu.Lock()
		defer s.endpoint.mu.Unlock()
		s.endpoint.answer = args[0]
		return
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	s.endpoint = &endpoint{key: key, answer: args[0]}
	server := httptest.NewServer(s.endpoint)
	ts.Defer(server.Close)
	public, err := jose.JSONWebKey{Key: &key.PublicKey, KeyID: "codes", Use: "enc"}.MarshalJSON()
	ts.Check(err)
	ts.Setenv("ENDPOINT", server.URL+"/verify")
	ts.Setenv("KEY", string(public))
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hook != nil && e.hook.Verify(body, r.Header) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e.asked = append(e.asked, string(body))
	if status, err := strconv.Atoi(e.answer); err == nil {
		w.WriteHeader(status)
		return
	}
	_, _ = io.WriteString(w, e.answer)
}

// times is how often it was asked.
func (e *endpoint) times() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

func cmdSigning(ts *testscript.TestScript, _ bool, args []string) {
	e := of(ts).endpoint
	hook, err := webhooks.NewWebhook(args[0])
	ts.Check(err)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hook = hook
}

func cmdAsked(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	e := s.endpoint
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(within); e.times() < want && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.asked) != want {
		ts.Fatalf("asked %d times: %s", len(e.asked), strings.Join(e.asked, "\n"))
	}
	if len(e.asked) == 0 {
		return
	}
	s.body, s.value = []byte(e.asked[len(e.asked)-1]), nil
	ts.Check(json.Unmarshal(s.body, &s.value))
	if jwe, ok := s.member("data.code_jwe"); ok {
		parsed, err := jose.ParseEncryptedCompact(jwe, []jose.KeyAlgorithm{jose.ECDH_ES_A256KW}, []jose.ContentEncryption{jose.A256GCM})
		ts.Check(err)
		code, err := parsed.Decrypt(e.key)
		ts.Check(err)
		s.value.(map[string]any)["code"] = string(code)
	}
}

func cmdBecomes(ts *testscript.TestScript, _ bool, args []string) {
	s := of(ts)
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		err := s.call("GET", []string{s.process.Portal + "/status/" + args[1], ts.Getenv("AUTH")})
		if status, _ := s.member("status"); err == nil && status == args[0] {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	ts.Fatalf("still not %s: %s", args[0], s.describe())
}
