package firm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// nobody is an address book without accounts.
type nobody struct{}

func (nobody) ByID(context.Context, string) (identity.Principal, []string, error) {
	return identity.Principal{}, nil, store.ErrNotFound
}

func (nobody) ByEmail(context.Context, string) (identity.Principal, error) {
	return identity.Principal{}, store.ErrNotFound
}

func (nobody) Mark(context.Context, string, string, bool) error { return store.ErrNotFound }

func (nobody) Key(address string) (string, bool) {
	return strings.ToLower(address), strings.Contains(address, "@")
}

func open(t testing.TB) (*Service, *storetest.Fault) {
	t.Helper()
	db := storetest.NewFault(storetest.New(t))
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	log, err := audit.Open(t.Context(), audit.Config{DB: db, Key: secret.New(key)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{DB: db, Audit: log, Accounts: nobody{}})
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

// keySet is a set with one public key.
func keySet(t *testing.T) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: k.Public(), KeyID: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNobodyWaitsForAnOutcome would fail if an answer were held up by the second
// of an act's records, which decision D9 does not ask for.
func TestNobodyWaitsForAnOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, db := open(t)
		began := time.Now()
		err := s.do(t.Context(), Administrator(), act{name: "firm.test"}, func() error {
			db.Add(storetest.Rule{Op: storetest.Insert, Delay: time.Second})
			return nil
		})
		if err != nil || time.Since(began) != 0 {
			t.Errorf("it took %v, %v", time.Since(began), err)
		}
		s.cfg.Audit.Settle()
		if time.Since(began) < time.Second {
			t.Error("its outcome is not on record")
		}
	})
}

func TestTheDemoFirmIsMadeOnce(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	demo, made, err := s.Demo(t.Context())
	if err != nil || !made {
		t.Fatal(made, err)
	}
	c, err := s.Active(t.Context(), demo.ClientID)
	if err != nil || c.Mode != Test || len(c.Scopes) != 6 || !c.Matches(demo.ClientSecret.Reveal(), time.Now()) {
		t.Errorf("%+v, %v", c, err)
	}
	text, err := json.Marshal(demo)
	if err != nil || !strings.Contains(string(text), `"client_secret":"ccms_secret_`) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if again, made, err := s.Demo(t.Context()); err != nil || made {
		t.Errorf("%+v, %t, %v", again, made, err)
	}
}

func TestWhatAClientMayBe(t *testing.T) {
	t.Parallel()
	keys := keySet(t)
	for name, c := range map[string]struct {
		in NewClient
		ok bool
	}{
		"a usual one":                      {NewClient{}, true},
		"live":                             {NewClient{Mode: Live}, true},
		"with all scopes":                  {NewClient{Scopes: firmScopes()}, true},
		"with keys":                        {NewClient{Keys: keys}, true},
		"with pages":                       {NewClient{ReturnURLs: []string{"https://a.example/"}, Origins: []string{"https://a.example"}}, true},
		"a test client with local pages":   {NewClient{ReturnURLs: []string{"http://localhost/"}, Origins: []string{"http://localhost:3000"}}, true},
		"a live client with local pages":   {NewClient{Mode: Live, ReturnURLs: []string{"http://localhost/"}}, false},
		"a live client with local origins": {NewClient{Mode: Live, Origins: []string{"http://localhost:3000"}}, false},
		"with 21 pages":                    {NewClient{ReturnURLs: strings.Split(strings.Repeat("https://a.example/ ", 20)+"https://a.example/", " ")}, false},
		"of another mode":                  {NewClient{Mode: "prod"}, false},
		"without scopes":                   {NewClient{Scopes: []string{}}, false},
		"with a scope twice":               {NewClient{Scopes: []string{"cards:read", "cards:read"}}, false},
		"with a cardholder's scope":        {NewClient{Scopes: []string{"account"}}, false},
		"with an operators' scope":         {NewClient{Scopes: []string{"actuator:read"}}, false},
		"with two scopes in one":           {NewClient{Scopes: []string{"cards:read cards:manage"}}, false},
		"with a long name":                 {NewClient{Name: strings.Repeat("ä", 101)}, false},
		"with a name of 100 characters":    {NewClient{Name: strings.Repeat("ä", 100)}, true},
		"with a line end in its name":      {NewClient{Name: "a\nb"}, false},
		"with a name that is no text":      {NewClient{Name: "a\xff"}, false},
		"with keys that are none":          {NewClient{Keys: []byte("{}")}, false},
		"the operators'":                   {NewClient{Operator: true}, true},
		"the operators', live":             {NewClient{Operator: true, Mode: Live}, false},
		"the operators', of a firm":        {NewClient{Operator: true, FirmID: "firm_X"}, false},
		"the operators', for cards":        {NewClient{Operator: true, Scopes: []string{"cards:read"}}, false},
		"the operators', with pages":       {NewClient{Operator: true, Origins: []string{"https://a.example"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.in.check()
			if err == nil != c.ok || err != nil && problem.From(err).Code != "VALIDATION_ERROR" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAClientIsChangedAsFarAsItIsSaid(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx, by := t.Context(), Administrator()
	f, err := s.Create(ctx, by, NewFirm{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	c, text, err := s.CreateClient(ctx, by, NewClient{FirmID: f.ID, Keys: keySet(t), Origins: []string{"https://a.example"}})
	if err != nil || text.Len() != 0 || len(c.Secrets) != 0 || c.Name != "test" {
		t.Fatalf("%+v, %v", c, err)
	}
	name, yes := "till", true
	c, err = s.Change(ctx, by, c.ID, ClientChange{Name: &name, AcceptTokenURL: &yes, ReturnURLs: []string{"https://b.example/"}})
	if err != nil || c.Name != name || !c.AcceptTokenURL || len(c.Origins) != 1 || len(c.ReturnURLs) != 1 || c.Keys == nil || len(c.Scopes) != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = s.Change(ctx, by, c.ID, ClientChange{Keys: []byte("null"), Origins: []string{}, Scopes: []string{"cards:reveal"}})
	if err != nil || c.Keys != nil || len(c.Origins) != 0 || c.Scopes[0] != "cards:reveal" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, text, err = s.Rotate(ctx, by, c.ID, DefaultOverlap); err != nil || !c.Matches(text.Reveal(), s.now()) {
		t.Errorf("a client without keys gets no secret: %v", err)
	}
	before := c
	empty := ""
	for what, to := range map[string]ClientChange{
		"an empty name": {Name: &empty}, "no scope": {Scopes: []string{}}, "a page that is none": {ReturnURLs: []string{"x"}}, "keys that are none": {Keys: []byte("7")},
	} {
		if _, err := s.Change(ctx, by, c.ID, to); problem.From(err).Code != "VALIDATION_ERROR" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Revoke(ctx, by, c.ID); err != nil {
		t.Error(err)
	}
	after, err := s.Revoke(ctx, by, c.ID)
	if err != nil || !after.Revoked || after.Matches(text.Reveal(), s.now()) || after.Name != before.Name {
		t.Errorf("%+v, %v", after, err)
	}
	if _, err := s.Change(ctx, by, c.ID, ClientChange{Name: &name}); err == nil {
		t.Error("a revoked client is changed")
	}
	if _, _, err := s.Rotate(ctx, by, c.ID, 0); err == nil {
		t.Error("a revoked client gets a secret")
	}
}

func TestRotationsAtOnceLeaveTwoSecrets(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx, by := t.Context(), Administrator()
	made, err := s.CreateWithClient(ctx, by, NewFirm{Name: "Acme"}, NewClient{})
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]secret.Bytes, 8)
	var all sync.WaitGroup
	for i := range texts {
		all.Go(func() {
			var err error
			if _, texts[i], err = s.Rotate(ctx, by, made.ClientID, DefaultOverlap); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c, err := s.Active(ctx, made.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	good := 0
	for _, text := range append(texts, made.ClientSecret.Bytes) {
		if c.Matches(text.Reveal(), s.now()) {
			good++
		}
	}
	if good != 2 || len(c.Secrets) != 2 {
		t.Errorf("%d secrets are good of %d", good, len(c.Secrets))
	}
}

func TestClientsOfAFirmAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	ctx, by := t.Context(), Administrator()
	f, err := s.Create(ctx, by, NewFirm{Name: "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	// They are put there as creating would, without the cost of a record each.
	put := func(i int, revoked bool) {
		at := s.now().Add(time.Duration(i) * time.Second)
		if err := s.clients.Insert(ctx, fmt.Sprintf("client_%03d", i), Client{FirmID: f.ID, Revoked: revoked, CreatedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range maxClients {
		put(i, true)
	}
	if _, _, err := s.CreateClient(ctx, by, NewClient{FirmID: f.ID}); err != nil {
		t.Error(err)
	}
	all, err := s.Clients(ctx, f.ID)
	if err != nil || len(all) != maxClients {
		t.Errorf("%d clients are kept, %v", len(all), err)
	}
	if _, err := s.Client(ctx, "client_000"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the oldest of those revoked: %v", err)
	}
	for i := range maxClients - 1 {
		put(1000+i, false)
	}
	if _, _, err := s.CreateClient(ctx, by, NewClient{FirmID: f.ID}); problem.From(err).Code != "VALIDATION_ERROR" {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := s.CreateClient(ctx, by, NewClient{FirmID: "firm_X"}); problem.From(err).Kind != problem.NotFound {
		t.Errorf("of a firm that is not there: %v", err)
	}
}

func TestAClientIsActiveAsTheStoreSays(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ctx, by := t.Context(), Administrator()
	made, err := s.CreateWithClient(ctx, by, NewFirm{Name: "Acme"}, NewClient{})
	if err != nil {
		t.Fatal(err)
	}
	operators, _, err := s.CreateClient(ctx, by, NewClient{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{made.ClientID, operators.ID} {
		if _, err := s.Active(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Active(ctx, "client_X"); !errors.Is(err, ErrInactive) {
		t.Error(err)
	}
	for _, collection := range []string{"Client", "Firm"} {
		db.Add(storetest.Rule{Collection: collection, Op: storetest.Get, Err: store.ErrClosed, Times: 1})
		if _, err := s.Active(ctx, made.ClientID); err == nil || errors.Is(err, ErrInactive) {
			t.Errorf("a store that fails in %s makes a client inactive: %v", collection, err)
		}
	}
	c, err := s.Active(ctx, made.ClientID)
	if err != nil || s.Used(ctx, c) != nil {
		t.Fatal(err)
	}
	if c, err = s.Active(ctx, made.ClientID); err != nil || c.LastUsed == nil || s.now().Sub(*c.LastUsed) > time.Minute {
		t.Errorf("last used %v, %v", c.LastUsed, err)
	}
	db.Add(storetest.Rule{Collection: "Client", Op: storetest.Replace, Err: store.ErrClosed})
	if err := s.Used(ctx, c); err != nil {
		t.Errorf("every use is written: %v", err)
	}
}

func BenchmarkActive(b *testing.B) {
	s, _ := open(b)
	made, err := s.CreateWithClient(b.Context(), Administrator(), NewFirm{Name: "Acme"}, NewClient{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Active(b.Context(), made.ClientID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	var c Client
	text := c.addSecret(time.Now(), 0)
	b.ReportAllocs()
	for b.Loop() {
		if !c.Matches(text.Reveal(), time.Now()) {
			b.Fatal("no match")
		}
	}
}
