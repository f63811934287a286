package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	published "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"ccms/internal/secret"
	"ccms/internal/webhook"
)

// The vector that the specification's libraries are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime      = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func parse(t testing.TB, text string) secret.Bytes {
	t.Helper()
	key, err := webhook.ParseSecret(secret.NewString(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestThePublishedVector(t *testing.T) {
	key, at := parse(t, vectorSecret), time.Unix(vectorTime, 0)
	h := webhook.Message{ID: vectorID, Time: at, Body: []byte(vectorBody)}.Sign(key)
	if got := h.Get(webhook.HeaderSignature); got != vectorSignature {
		t.Errorf("signature %s, want %s", got, vectorSignature)
	}
	if h.Get("webhook-id") != vectorID || h.Get("webhook-timestamp") != fmt.Sprint(vectorTime) {
		t.Errorf("headers %v", h)
	}
	if err := webhook.Verify(h, []byte(vectorBody), at, key); err != nil {
		t.Error(err)
	}
}

func TestThePublishedLibraryVerifiesOurs(t *testing.T) {
	before, after := webhook.NewSecret(), webhook.NewSecret()
	body := []byte(`{"type":"webhook.test","data":"ü"}`)
	h := webhook.Message{ID: "msg_1", Time: time.Now(), Body: body}.Sign(after, before)
	for name, key := range map[string]secret.Bytes{"the new key": after, "the old key": before} {
		theirs, err := published.NewWebhook(string(bytes.Clone(webhook.FormatSecret(key).Reveal())))
		if err != nil {
			t.Fatal(err)
		}
		if err := theirs.Verify(body, h); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := theirs.Verify(append(body, ' '), h); err == nil {
			t.Errorf("%s: another body passes", name)
		}
	}
}

func TestWeVerifyThePublishedLibrarys(t *testing.T) {
	key := webhook.NewSecret()
	theirs, err := published.NewWebhookRaw(key.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, body := range []string{"", "{}", "\x00\xff", strings.Repeat("a.", 10_000)} {
		signature, err := theirs.Sign("msg_2", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("webhook-id", "msg_2")
		h.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
		h.Set("webhook-signature", signature)
		if err := webhook.Verify(h, []byte(body), now, key); err != nil {
			t.Errorf("%d bytes: %v", len(body), err)
		}
	}
}

func TestVerify(t *testing.T) {
	key, other, now := webhook.NewSecret(), webhook.NewSecret(), time.Unix(1_800_000_000, 0)
	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	good := webhook.Message{ID: "msg_3", Time: now, Body: []byte("{}")}.Sign(key).Get("webhook-signature")
	for _, tt := range []struct {
		name   string
		at     time.Duration
		change func(http.Header)
		keys   []secret.Bytes
		want   error
	}{
		{"as it was sent", 0, nil, []secret.Bytes{key}, nil},
		{"with one of two keys", 0, nil, []secret.Bytes{other, key}, nil},
		{"five minutes late", 5 * time.Minute, nil, []secret.Bytes{key}, nil},
		{"five minutes early", -5 * time.Minute, nil, []secret.Bytes{key}, nil},
		{"later than that", 5*time.Minute + time.Second, nil, []secret.Bytes{key}, webhook.ErrTime},
		{"earlier than that", -5*time.Minute - time.Second, nil, []secret.Bytes{key}, webhook.ErrTime},
		{"with another key", 0, nil, []secret.Bytes{other}, webhook.ErrSignature},
		{"without a key", 0, nil, nil, webhook.ErrSignature},
		{"with another id", 0, set("webhook-id", "msg_4"), []secret.Bytes{key}, webhook.ErrSignature},
		{"with another time", 0, set("webhook-timestamp", "1800000001"), []secret.Bytes{key}, webhook.ErrSignature},
		{"without an id", 0, set("webhook-id", ""), []secret.Bytes{key}, webhook.ErrHeaders},
		{"without a time", 0, set("webhook-timestamp", ""), []secret.Bytes{key}, webhook.ErrHeaders},
		{"with a time that is no number", 0, set("webhook-timestamp", "noon"), []secret.Bytes{key}, webhook.ErrHeaders},
		{"with a time written another way", 0, set("webhook-timestamp", "+1800000000"), []secret.Bytes{key}, webhook.ErrHeaders},
		{"with a time beyond numbers", 0, set("webhook-timestamp", "99999999999999999999"), []secret.Bytes{key}, webhook.ErrHeaders},
		{"without a signature", 0, set("webhook-signature", ""), []secret.Bytes{key}, webhook.ErrHeaders},
		{"with a signature of another scheme before ours", 0, set("webhook-signature", "v1a,AAAA "+good), []secret.Bytes{key}, nil},
		{"with ours under another scheme", 0, set("webhook-signature", strings.Replace(good, "v1,", "v2,", 1)), []secret.Bytes{key}, webhook.ErrSignature},
		{"with a signature that is no base64", 0, set("webhook-signature", "v1,%%%"), []secret.Bytes{key}, webhook.ErrSignature},
		{"with an empty signature", 0, set("webhook-signature", "v1,"), []secret.Bytes{key}, webhook.ErrSignature},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := webhook.Message{ID: "msg_3", Time: now, Body: []byte("{}")}.Sign(key)
			if tt.change != nil {
				tt.change(h)
			}
			if err := webhook.Verify(h, []byte("{}"), now.Add(tt.at), tt.keys...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestSecrets(t *testing.T) {
	key := webhook.NewSecret()
	text := webhook.FormatSecret(key)
	if key.Len() != 32 || !bytes.HasPrefix(text.Reveal(), []byte("whsec_")) {
		t.Fatalf("a key of %d bytes", key.Len())
	}
	if again := parse(t, string(bytes.Clone(text.Reveal()))); !again.Equal(key) {
		t.Error("a secret does not come back")
	}
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"24 bytes", "whsec_" + strings.Repeat("AAAA", 8), true},
		{"without the prefix", strings.Repeat("AAAA", 8), true},
		{"64 bytes", "whsec_" + strings.Repeat("AAAA", 21) + "AA==", true},
		{"23 bytes", "whsec_" + strings.Repeat("AAAA", 7) + "AAA=", false},
		{"65 bytes", "whsec_" + strings.Repeat("AAAA", 21) + "AAA=", false},
		{"no padding", "whsec_" + strings.Repeat("AAAA", 21) + "AA", false},
		{"spare bits", "whsec_" + strings.Repeat("AAAA", 21) + "AB==", false},
		{"a line break", "whsec_" + strings.Repeat("AAAA", 4) + "\n" + strings.Repeat("AAAA", 4), false},
		{"another prefix", "whsk_" + strings.Repeat("AAAA", 8), false},
		{"nothing", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := webhook.ParseSecret(secret.NewString(tt.text)); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	key := webhook.NewSecret()
	now := time.Unix(vectorTime, 0)
	f.Add(vectorID, fmt.Sprint(vectorTime), vectorSignature, []byte(vectorBody))
	f.Add("", "-1", "v1,, v1a,x  v1,", []byte{})
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
		if err := webhook.Verify(h, body, now, key); err == nil {
			t.Error("a message passes that nobody signed")
		}
	})
}
