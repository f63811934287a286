package letters

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"ccms/internal/login/customer"
	"ccms/internal/login/onetime"
	"ccms/internal/mail"
	"ccms/internal/outbox"
	"ccms/internal/store/storetest"
)

// desk is a Writer whose queue and mail are at hand.
type desk struct {
	*Writer
	queued []outbox.Message
	sent   []mail.Message
	refuse error
}

func (d *desk) Put(_ context.Context, m outbox.Message) error {
	d.queued = append(d.queued, m)
	return nil
}

func (d *desk) Send(_ context.Context, m mail.Message) error {
	d.sent = append(d.sent, m)
	return d.refuse
}

func open(t *testing.T) *desk {
	t.Helper()
	db, now := storetest.New(t), func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
	customers, err := customer.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := onetime.Open(t.Context(), onetime.Config{DB: db, VerifyTTL: 24 * time.Hour, ResetTTL: 30 * time.Minute, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse("https://cards.example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	d.Writer = New(Config{
		Customers: customers, Tokens: tokens, Queue: d, Mail: d,
		PublicURL: base, LockFor: 30 * time.Minute, Now: now,
	})
	for id, c := range map[string]customer.Customer{
		"new":      {Email: "New@example.com"},
		"verified": {Email: "Old@example.com", AccountValidated: true, Pending: &customer.PendingEmail{Email: "Next@example.com", Key: "next@example.com"}},
		"erasing":  {Email: "gone@example.com", Erasing: new(now())},
	} {
		c.UsernameKey, c.EmailKey = id, customer.FoldKey(c.Email)
		if err := customers.Insert(t.Context(), id, c); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestALetterSaysWhatTheAccountSaysWhenItIsWritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		notice Notice
		to     string          // "" when nothing may be sent
		link   onetime.Purpose // of the token in it
	}{
		{"a verification", Notice{Kind: mail.Verify, Account: "new"}, "New@example.com", onetime.Verify},
		{"a verification asked for by address", Notice{Kind: mail.Verify, Address: " NEW@example.com"}, "New@example.com", onetime.Verify},
		{"a verification of who is verified", Notice{Kind: mail.Verify, Account: "verified"}, "", ""},
		{"a verification for nobody", Notice{Kind: mail.Verify, Address: "nobody@example.com"}, "", ""},
		{"a reset", Notice{Kind: mail.Reset, Address: "old@example.com"}, "Old@example.com", onetime.Reset},
		{"a reset for nobody", Notice{Kind: mail.Reset, Address: "nobody@example.com"}, "", ""},
		{"a new address", Notice{Kind: mail.AddressConfirm, Account: "verified", Address: "Next@example.com"}, "Next@example.com", onetime.Verify},
		{"a new address that was given up", Notice{Kind: mail.AddressConfirm, Account: "verified", Address: "other@example.com"}, "", ""},
		{"a lock", Notice{Kind: mail.Locked, Account: "verified"}, "Old@example.com", ""},
		{"a lock of who is being erased", Notice{Kind: mail.Locked, Account: "erasing"}, "", ""},
		{"a farewell to who is gone", Notice{Kind: mail.Deleted, Address: "gone@example.com"}, "gone@example.com", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			if err := d.Tell(t.Context(), tt.notice); err != nil {
				t.Fatal(err)
			}
			if err := d.Deliver(t.Context(), d.queued[0]); err != nil {
				t.Fatal(err)
			}
			if tt.to == "" {
				if len(d.sent) != 0 {
					t.Errorf("sent to %s", d.sent[0].To)
				}
				return
			}
			if len(d.sent) != 1 || d.sent[0].To != tt.to || d.sent[0].ID != d.queued[0].ID {
				t.Fatalf("sent %+v", d.sent)
			}
			_, token, linked := strings.Cut(d.sent[0].Text, "?token=")
			if token, _, _ = strings.Cut(token, "\n"); linked != (tt.link != "") {
				t.Fatalf("a link: %v", linked)
			}
			if !linked {
				return
			}
			if found, err := d.cfg.Tokens.Find(t.Context(), tt.link, strings.TrimSpace(token)); err != nil || found.Value.Address != customer.FoldKey(tt.to) {
				t.Errorf("the token in it: %+v, %v", found.Value, err)
			}
			if strings.Contains(string(d.queued[0].Payload), strings.TrimSpace(token)) {
				t.Error("the queue carried the token")
			}
		})
	}
}

func TestLinksHaveOneBase(t *testing.T) {
	t.Parallel()
	d := open(t)
	for p, want := range map[onetime.Purpose]string{
		onetime.Verify: "https://cards.example.com/x/verify?token=a%26b",
		onetime.Reset:  "https://cards.example.com/x/reset-password?token=a%26b",
	} {
		if got := d.Link(p, "a&b"); got != want {
			t.Errorf("got %s", got)
		}
	}
}

func TestWhatNoRepetitionHelpsIsGivenUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	payload, err := json.Marshal(Notice{Kind: mail.Deleted, Address: "gone@example.com", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		payload []byte
		refuse  error
		final   bool
	}{
		{"a payload that is none", []byte("{"), nil, true},
		{"an address nobody takes", payload, mail.ErrRefused, true},
		{"a server that is down", payload, errors.New("mail server is down"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.refuse = tt.refuse
			err := d.Deliver(t.Context(), outbox.Message{ID: "1", Kind: Kind, Payload: tt.payload})
			final := reflect.TypeOf(err) == reflect.TypeOf(outbox.Permanent(nil))
			if err == nil || final != tt.final {
				t.Errorf("got %T %v", err, err)
			}
		})
	}
}
