package command

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/login/customer"
	"ccms/internal/login/roles"
	"ccms/internal/store/storetest"
)

// registry is an office for firms: a desk on a store of its own.
type registry struct {
	Client
	t     *testing.T
	out   *bytes.Buffer
	firms *firm.Service
}

func newRegistry(t *testing.T) *registry {
	t.Helper()
	db := storetest.New(t)
	log, err := audit.Open(t.Context(), newOffice(t).log)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := roles.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	customers, err := customer.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for name, confirmed := range map[string]bool{"ann": true, "bob": false} {
		address := name + "@example.com"
		err := customers.Insert(t.Context(), name, customer.Customer{Username: name, Email: address, EmailKey: address, UsernameKey: name, AccountValidated: confirmed})
		if err != nil {
			t.Fatal(err)
		}
	}
	firms, err := firm.Open(t.Context(), firm.Config{DB: db, Audit: log, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	desk := Desk{Firms: func(context.Context) (*firm.Service, error) { return firms, nil }}
	r := &registry{t: t, out: new(bytes.Buffer), firms: firms}
	r.Client = Client{Ask: to(desk), Out: r.out, Format: "json"}
	return r
}

// answer is the JSON the last command wrote.
func (r *registry) answer(err error) map[string]any {
	r.t.Helper()
	defer r.out.Reset()
	if err != nil {
		r.t.Error(err)
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal(r.out.Bytes(), &m); err != nil {
		r.t.Errorf("%v: %s", err, r.out)
	}
	return m
}

func (r *registry) good(id, text any) bool {
	c, err := r.firms.Active(r.t.Context(), id.(string))
	return err == nil && c.Matches([]byte(text.(string)), time.Now())
}

func TestAFirmIsMadeWithAClientThatMayWork(t *testing.T) {
	r := newRegistry(t)
	made := r.answer(r.CreateFirm(t.Context(), NewFirm{Name: "Acme"}))
	if len(made) != 3 || !strings.HasPrefix(made["firm_id"].(string), "firm_") || !r.good(made["client_id"], made["client_secret"]) {
		t.Errorf("made %v", made)
	}
	r.Format = "text"
	if err := r.CreateFirm(t.Context(), NewFirm{Name: "Bolt", Live: true, Scopes: []string{"cards:read"}, Owner: "ann@example.com"}); err != nil {
		t.Fatal(err)
	}
	text := r.out.String()
	r.out.Reset()
	if !strings.Contains(text, "secret    ccms_secret_") || !strings.Contains(text, "shown once") {
		t.Error(text)
	}
	if err := r.ListFirms(t.Context()); err != nil || strings.Count(r.out.String(), "firm_") != 2 || strings.Contains(r.out.String(), "secret") {
		t.Errorf("%v: %s", err, r.out)
	}
}

func TestClientsAreMadeRotatedAndRevoked(t *testing.T) {
	r := newRegistry(t)
	firmID := r.answer(r.CreateFirm(t.Context(), NewFirm{Name: "Acme"}))["firm_id"].(string)
	made := r.answer(r.CreateClient(t.Context(), NewClient{Firm: firmID, Live: true, Scopes: []string{"cards:reveal"}}))
	id, first := made["client_id"].(string), made["client_secret"]
	second := r.answer(r.RotateClient(t.Context(), id, time.Hour))["client_secret"]
	if !r.good(id, first) || !r.good(id, second) {
		t.Error("not both secrets are good")
	}
	if third := r.answer(r.RotateClient(t.Context(), id, 0))["client_secret"]; r.good(id, second) || !r.good(id, third) {
		t.Error("without overlap the older secret lives on")
	}
	r.Format = "text"
	err := r.ListClients(t.Context(), firmID)
	if text := r.out.String(); err != nil || strings.Count(text, "client_") != 2 || !strings.Contains(text, "cards:reveal") || strings.Contains(text, "ccms_secret") {
		t.Errorf("%v: %s", err, text)
	}
	r.out.Reset()
	if err := r.RevokeClient(t.Context(), id); err != nil || r.out.String() != "client "+id+" is revoked\n" {
		t.Errorf("%v: %s", err, r.out)
	}
	r.out.Reset()
	r.Format = "json"
	operators := r.answer(r.CreateClient(t.Context(), NewClient{Operator: true}))
	if operators["firm_id"] != nil || !r.good(operators["client_id"], operators["client_secret"]) {
		t.Errorf("made %v", operators)
	}
	if err := r.ListClients(t.Context(), ""); err != nil || strings.Count(r.out.String(), "actuator:read") != 1 {
		t.Errorf("%v: %s", err, r.out)
	}
}

func TestAFirmIsSuspendedAndResumed(t *testing.T) {
	r := newRegistry(t)
	made := r.answer(r.CreateFirm(t.Context(), NewFirm{Name: "Acme"}))
	if r.answer(r.SuspendFirm(t.Context(), made["firm_id"].(string)))["suspended"] != true || r.good(made["client_id"], made["client_secret"]) {
		t.Error("a suspended firm's client is active")
	}
	if r.answer(r.ResumeFirm(t.Context(), made["firm_id"].(string)))["suspended"] != false || !r.good(made["client_id"], made["client_secret"]) {
		t.Error("a resumed firm's client is not active")
	}
}

func TestAnOperatorIsMadeOfAConfirmedAccount(t *testing.T) {
	r := newRegistry(t)
	if a := r.answer(r.CreateOperator(t.Context(), "Ann@example.com")); a["username"] != "ann" || a["operator"] != true {
		t.Errorf("made %v", a)
	}
	if a := r.answer(r.RemoveOperator(t.Context(), "ann@example.com")); a["operator"] != false {
		t.Errorf("made %v", a)
	}
	for address, want := range map[string]string{
		"bob@example.com": "verification", "nobody@example.com": "sign up first", "x": "address such as",
	} {
		if err := r.CreateOperator(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestWhatCannotBeDoneForFirmsSaysWhatToDo(t *testing.T) {
	r := newRegistry(t)
	firmID := r.answer(r.CreateFirm(t.Context(), NewFirm{Name: "Acme"}))["firm_id"].(string)
	for name, c := range map[string]struct {
		do   func() error
		want string
	}{
		"a firm without a name":       {func() error { return r.CreateFirm(t.Context(), NewFirm{Name: " "}) }, "name of 1 to 100"},
		"an owner without an address": {func() error { return r.CreateFirm(t.Context(), NewFirm{Name: "x", Owner: "x"}) }, "address such as"},
		"a scope there is not":        {func() error { return r.CreateFirm(t.Context(), NewFirm{Name: "x", Scopes: []string{"x"}}) }, "cards:register"},
		"a firm that is not there":    {func() error { return r.SuspendFirm(t.Context(), "firm_X") }, `there is no firm "firm_X"`},
		"a client of such a firm":     {func() error { return r.CreateClient(t.Context(), NewClient{Firm: "firm_X"}) }, `there is no firm "firm_X"`},
		"the clients of such a firm":  {func() error { return r.ListClients(t.Context(), "firm_X") }, `there is no firm "firm_X"`},
		"a client that is not there":  {func() error { return r.RevokeClient(t.Context(), "client_X") }, `there is no client "client_X"`},
		"an overlap of a year":        {func() error { return r.RotateClient(t.Context(), "client_X", 1e17) }, "30 days"},
		"keys that are none":          {func() error { return r.CreateClient(t.Context(), NewClient{Firm: firmID, Keys: "{}"}) }, "JSON Web Key Set"},
		"operators' clients for cards": {func() error {
			return r.CreateClient(t.Context(), NewClient{Operator: true, Scopes: []string{"cards:read"}})
		}, "actuator:read"},
		"live operators' clients": {func() error { return r.CreateClient(t.Context(), NewClient{Operator: true, Live: true}) }, "no firm, mode"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
	failure := errors.New("no store")
	for command, desk := range map[string]Desk{
		"no firms are kept here": {},
		"no store":               {Firms: func(context.Context) (*firm.Service, error) { return nil, failure }},
	} {
		for _, name := range []string{createFirm, listFirms, suspendFirm, resumeFirm, createClient, listClients, rotateClient, revokeClient, createOperator, removeOperator} {
			args := `{}`
			if name == rotateClient {
				args = `{"id":"x","overlap":1}`
			}
			if _, err := desk.Do(t.Context(), name, []byte(args)); err == nil || !strings.Contains(err.Error(), command) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
