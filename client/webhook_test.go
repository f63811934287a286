package client_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"ccms/client"
)

func hookSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// signedBy has the published library sign a message.
func signedBy(t testing.TB, id string, at time.Time, body string, secrets ...string) http.Header {
	t.Helper()
	h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}}
	var all strings.Builder
	for _, s := range secrets {
		hook, err := webhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		signature, err := hook.Sign(id, at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(signature + " ")
	}
	h.Set("Webhook-Signature", all.String())
	return h
}

func TestWhichMessagesAreBelieved(t *testing.T) {
	const body = `{"type":"registration.verified","timestamp":"2027-03-10T08:00:00.000Z","data":{"mode":"live","token":"tok_1","last4":"1111","new":true}}`
	now := time.Date(2027, 3, 10, 8, 0, 2, 0, time.UTC)
	ours, older, others := hookSecret(), hookSecret(), hookSecret()
	sign := func(secrets ...string) http.Header { return signedBy(t, "evt_1", now, body, secrets...) }
	with := func(h http.Header, name, value string) http.Header { h.Set(name, value); return h }
	tests := []struct {
		name   string
		header http.Header
		body   string
		want   error
	}{
		{"signed by our secret", sign(ours), body, nil},
		{"signed by the one before", sign(older), body, nil},
		{"signed by both", sign(older, ours), body, nil},
		{"a foreign signature before ours", sign(others, ours), body, nil},
		{"a signature of another version before ours", with(sign(ours), "Webhook-Signature", "v2,AAAA v1a,x "+sign(ours).Get("Webhook-Signature")), body, nil},
		{"four minutes old", signedBy(t, "evt_1", now.Add(-4*time.Minute), body, ours), body, nil},
		{"signed by another secret", sign(others), body, client.ErrSignature},
		{"no signature", with(sign(), "Webhook-Signature", ""), body, client.ErrSignature},
		{"a signature that is none", with(sign(), "Webhook-Signature", "v1,*** v1, v1"), body, client.ErrSignature},
		{"another body", sign(ours), body + " ", client.ErrSignature},
		{"another id", with(sign(ours), "Webhook-Id", "evt_2"), body, client.ErrSignature},
		{"another time", with(sign(ours), "Webhook-Timestamp", strconv.FormatInt(now.Unix()+1, 10)), body, client.ErrSignature},
		{"six minutes old", signedBy(t, "evt_1", now.Add(-6*time.Minute), body, ours), body, client.ErrTimestamp},
		{"six minutes ahead", signedBy(t, "evt_1", now.Add(6*time.Minute), body, ours), body, client.ErrTimestamp},
		{"a time that is none", with(sign(ours), "Webhook-Timestamp", "now"), body, client.ErrMessage},
		{"a time beyond all years", with(sign(ours), "Webhook-Timestamp", "9223372036854775807"), body, client.ErrTimestamp},
		{"no id", with(sign(ours), "Webhook-Id", ""), body, client.ErrMessage},
		{"nothing", http.Header{}, body, client.ErrMessage},
		{"signed, but no event", signedBy(t, "evt_1", now, "[]", ours), "[]", client.ErrMessage},
	}
	v, err := client.NewVerifier(client.VerifierConfig{Secrets: []client.Secret{client.Text(ours), client.Text(older)}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e, err := v.Verify(tc.header, []byte(tc.body))
			if !errors.Is(err, tc.want) {
				t.Fatalf("%v", err)
			}
			if err == nil && (e.ID != "evt_1" || e.Type != "registration.verified" || e.Data.Token != "tok_1" || e.Time.Year() != 2027) {
				t.Errorf("%+v", e)
			}
			if err != nil && e != (client.Event{}) {
				t.Errorf("an event came with an error: %+v", e)
			}
		})
	}
}

func TestWhatIsNoWebhookSecret(t *testing.T) {
	for _, secrets := range [][]client.Secret{nil, {client.Text("")}, {client.Text("whsec_")}, {client.Text("whsec_***")}} {
		if _, err := client.NewVerifier(client.VerifierConfig{Secrets: secrets}); err == nil {
			t.Errorf("%d secrets were taken", len(secrets))
		}
	}
}

// FuzzVerify: whatever comes is refused or is what was signed.
func FuzzVerify(f *testing.F) {
	const body = `{"type":"webhook.test","timestamp":"2027-03-10T08:00:00.000Z","data":{}}`
	secret, now := hookSecret(), time.Date(2027, 3, 10, 8, 0, 2, 0, time.UTC)
	good := signedBy(f, "evt_1", now, body, secret)
	f.Add("evt_1", good.Get("Webhook-Timestamp"), good.Get("Webhook-Signature"), []byte(body))
	f.Add("", "x", "v1,", []byte(`{`))
	v, err := client.NewVerifier(client.VerifierConfig{Secrets: []client.Secret{client.Text(secret)}, Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature string, text []byte) {
		h := http.Header{}
		h.Set("Webhook-Id", id)
		h.Set("Webhook-Timestamp", stamp)
		h.Set("Webhook-Signature", signature)
		if _, err := v.Verify(h, text); err == nil && (id != "evt_1" || string(text) != body) {
			t.Errorf("believed %q of %q", text, id)
		}
	})
}

// FuzzRegister: whatever a card is made of, the service reads what was given.
func FuzzRegister(f *testing.F) {
	f.Add([]byte("4111111111111111"), []byte(`Ann "A" \ `+"\n\u2028"))
	f.Add([]byte{0, 0x7f, 0x1f}, []byte("é"))
	f.Fuzz(func(t *testing.T, number, name []byte) {
		s := &service{say: func(int, asked) answer { return made() }}
		if _, err := s.open(t).Register(t.Context(), client.CardData{Number: client.NewSecret(number), Holder: client.NewSecret(name)}); err != nil {
			t.Fatal(err)
		}
		checkBody(t, s.asked[0].body, string(number), string(name))
	})
}
