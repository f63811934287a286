package transit_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/vault/keyring"
	"ccms/internal/vault/keyring/transit"
	"ccms/internal/vault/keyring/transit/transittest"
)

func root(t *testing.T, s *transittest.Server, change ...func(*transit.Config)) *transit.Root {
	t.Helper()
	c := transit.Config{URL: s.KeyURL(), TokenFile: s.TokenFile, Transport: s.Client().Transport, Pause: time.Millisecond}
	for _, f := range change {
		f(&c)
	}
	r, err := transit.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAKeyWrappedInTheServiceOpensForItsDataAlone(t *testing.T) {
	s := transittest.New(t)
	r := root(t, s)
	wrapped, err := r.Wrap(t.Context(), []byte("a key of a keyring"), []byte("its row"))
	must(t, err)
	if !strings.HasPrefix(string(wrapped), "vault:v1:") || strings.Contains(string(wrapped), "keyring") {
		t.Errorf("%s", wrapped)
	}
	got, err := r.Unwrap(t.Context(), wrapped, []byte("its row"))
	if err != nil || string(got.Reveal()) != "a key of a keyring" {
		t.Errorf("%v", err)
	}
	other, err := r.Wrap(t.Context(), []byte("another"), []byte("its row"))
	must(t, err)
	for what, bad := range map[string][2]string{
		"another row":              {string(wrapped), "another row"},
		"no row":                   {string(wrapped), ""},
		"a wrap that was altered":  {string(wrapped[:len(wrapped)-6]) + "AAAAA=", "its row"},
		"a version there is not":   {strings.Replace(string(wrapped), ":v1:", ":v9:", 1), "its row"},
		"the wrap of a file":       {"\x00\x01\x02 no wrap of a service", "its row"},
		"text that breaks out":     {`vault:v1:"},"plaintext":"`, "its row"},
		"a wrap that was cut":      {string(other[:20]), "its row"},
		"more than a wrap ever is": {"vault:v1:" + strings.Repeat("A", 5000), "its row"},
	} {
		if _, err := r.Unwrap(t.Context(), []byte(bad[0]), []byte(bad[1])); !errors.Is(err, keyring.ErrUnwrap) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Each row says what the service answers, how often it is asked, and what the
// operator reads.
func TestFailuresOfTheServiceAreToldAndTriedAgainWhereThatHelps(t *testing.T) {
	for _, c := range []struct {
		what  string
		fails func(*testing.T, *transittest.Server)
		calls int
		says  string // "": it succeeds
	}{
		{"one failure", func(_ *testing.T, s *transittest.Server) { s.Fail(500) }, 2, ""},
		{"a node that has not caught up", func(_ *testing.T, s *transittest.Server) { s.Fail(412, 412) }, 3, ""},
		{"a limit on calls", func(_ *testing.T, s *transittest.Server) { s.Fail(429, 429, 429) }, 3, "it limits how often it is asked"},
		{"a proxy without a server", func(_ *testing.T, s *transittest.Server) { s.Fail(502, 502, 502) }, 3, "it failed with status 502"},
		{"a standby", func(_ *testing.T, s *transittest.Server) { s.Fail(473, 473, 473) }, 3, "standby"},
		{"a redirect", func(_ *testing.T, s *transittest.Server) { s.Fail(307) }, 1, "name the active node"},
		{"sealed", func(_ *testing.T, s *transittest.Server) { s.Seal(true) }, 3, "it is sealed, in maintenance or without an active node: unseal it (Vault is sealed)"},
		{"a token that expired", func(_ *testing.T, s *transittest.Server) { s.Revoke("another") }, 1, "permission denied: the token in keyring.token-file has expired, or its policy does not allow update on transit/decrypt/ccms"},
		{"an engine elsewhere", func(_ *testing.T, s *transittest.Server) { s.Namespace("team") }, 1, "there is no transit engine at transit"},
		{"a version retired there", func(_ *testing.T, s *transittest.Server) { s.Rotate(); s.Retire(2) }, 1, "it refuses (ciphertext or signature version is disallowed by policy (too old))"},
		{"no token", func(t *testing.T, s *transittest.Server) { must(t, os.Truncate(s.TokenFile, 0)) }, 0, "keyring.token-file: is empty"},
		{"a file that is no token", func(t *testing.T, s *transittest.Server) {
			must(t, os.WriteFile(s.TokenFile, make([]byte, 5000), 0o600))
		}, 0, "too long for a token"},
		{"a token everybody can read", func(t *testing.T, s *transittest.Server) { must(t, os.Chmod(s.TokenFile, 0o644)) }, 0, "chmod 600"},
		{"no token file", func(t *testing.T, s *transittest.Server) { must(t, os.Remove(s.TokenFile)) }, 0, "keyring.token-file"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := transittest.New(t)
			r := root(t, s)
			wrapped, err := r.Wrap(t.Context(), []byte("k"), []byte("row"))
			must(t, err)
			c.fails(t, s)
			_, err = r.Unwrap(t.Context(), wrapped, []byte("row"))
			if n := s.Calls("decrypt"); n != c.calls {
				t.Errorf("asked %d times, not %d", n, c.calls)
			}
			if c.says == "" {
				must(t, err)
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), s.URL) || errors.Is(err, keyring.ErrUnwrap) {
				t.Errorf("%v", err)
			}
			if p := problem.From(err); p.Kind != problem.Unavailable || p.Code != "SERVICE_UNAVAILABLE" {
				t.Errorf("to a caller it is %v", p)
			}
			if token, _ := os.ReadFile(s.TokenFile); len(token) > 0 && strings.Contains(err.Error(), strings.TrimSpace(string(token))) {
				t.Error("the error shows the token")
			}
		})
	}
}

func TestAServiceThatIsAwaySlowOrAnothersIsTold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*testing.T, *transittest.Server, *transit.Config)
		says   string
	}{
		{"it is away", func(_ *testing.T, s *transittest.Server, _ *transit.Config) { s.Close() }, "it cannot be reached"},
		{"it is slow", func(t *testing.T, _ *transittest.Server, c *transit.Config) {
			slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then the server notices that the client left
				<-r.Context().Done()
			}))
			t.Cleanup(slow.Close)
			c.URL, c.Timeout = slow.URL+"/transit/ccms", 20*time.Millisecond
		}, "it does not answer in time"},
		{"nobody vouches for it", func(_ *testing.T, _ *transittest.Server, c *transit.Config) { c.Transport = new(http.Transport) },
			"nobody we trust vouches for its certificate: name its authority in tls.ca-file"},
		{"its certificate is another's", func(_ *testing.T, s *transittest.Server, c *transit.Config) {
			own := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			c.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own, ServerName: "bao.example.org"}}
		}, "its certificate does not fit its name"},
		{"it is no key service", func(t *testing.T, _ *transittest.Server, c *transit.Config) {
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
			t.Cleanup(other.Close)
			c.URL = other.URL + "/transit/ccms"
		}, "its answer is none of a transit engine"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := transittest.New(t)
			r := root(t, s, func(cfg *transit.Config) { c.change(t, s, cfg) })
			_, err := r.Wrap(t.Context(), []byte("k"), []byte("row"))
			if err == nil || !strings.Contains(err.Error(), c.says) || problem.From(err).Kind != problem.Unavailable {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestURLsOfKeyServices(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://bao.example:8200/transit/ccms":                true,
		"https://bao.example/a/deep/mount/ccms":                true,
		"https://bao.example/transit/ccms/":                    true,
		"https://bao.example/transit/ccms?namespace=team/eu":   true,
		"http://127.0.0.1:8200/transit/ccms":                   true,
		"http://[::1]:8200/transit/ccms":                       true,
		"http://localhost:8200/transit/ccms":                   true,
		"http://bao.example:8200/transit/ccms":                 false, // the token in the clear
		"https://bao.example":                                  false,
		"https://bao.example/ccms":                             false,
		"https:///transit/ccms":                                false,
		"https://s.token@bao.example/transit/ccms":             false,
		"https://bao.example/transit/ccms#x":                   false,
		"https://bao.example/transit/../sys/ccms":              false,
		"https://bao.example/transit/ccms?token=s.1":           false,
		"https://bao.example/transit/ccms?namespace=a&token=b": false,
		"vault://bao.example/transit/ccms":                     false,
		"https://bao example/transit/ccms":                     false,
	} {
		if _, err := transit.New(transit.Config{URL: url, Transport: http.DefaultTransport}); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestCallsAreMadeInTheNamespaceAndTheTokenIsReadAnew(t *testing.T) {
	s := transittest.New(t)
	s.Namespace("team/eu")
	r := root(t, s, func(c *transit.Config) { c.URL += "?namespace=team/eu" })
	wrapped, err := r.Wrap(t.Context(), []byte("k"), nil)
	must(t, err)
	s.Token(t, "s.replaced-by-an-agent")
	_, err = r.Unwrap(t.Context(), wrapped, nil)
	must(t, err)
}

// A keyring whose root is in the service: what becomes of it when the service's
// key is rotated, and when the service is away.
func TestAKeyringUnderAKeyService(t *testing.T) {
	ctx, s, db := t.Context(), transittest.New(t), storetest.New(t)
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	open := func() (*keyring.Ring, error) {
		return keyring.Open(ctx, keyring.Config{Root: root(t, s), DB: db, Now: func() time.Time { return now }})
	}
	ring, err := open()
	must(t, err)
	w, err := ring.Wrap(ctx, "firm_a/live", []byte("a record key"), nil)
	must(t, err)
	if n, err := ring.Renew(ctx); n != 0 || err != nil || !ring.Renews() {
		t.Errorf("nothing is to be renewed: %d, %v", n, err)
	}

	s.Rotate()
	if n, err := ring.Renew(ctx); n != 2 || err != nil {
		t.Errorf("renewed %d, %v", n, err)
	}
	if n, err := ring.Renew(ctx); n != 0 || err != nil {
		t.Errorf("renewed again: %d, %v", n, err)
	}
	if s.Calls("rewrap") != 0 {
		t.Error("the engine's rewrap knows no associated data")
	}
	s.Retire(2) // the old version of the service's key is of no use any more

	s.Seal(true)
	now = now.Add(time.Hour) // all that is in memory is due to be read again
	if key, err := ring.Unwrap(ctx, "firm_a/live", w, nil); err != nil || string(key.Reveal()) != "a record key" {
		t.Errorf("sealed, what is in memory does not open: %v", err)
	}
	if err := ring.Reach(ctx); err == nil || !strings.Contains(err.Error(), "sealed") {
		t.Errorf("its health: %v", err)
	}
	if _, err := ring.Wrap(ctx, "firm_b/live", []byte("k"), nil); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("a key for a new firm: %v", err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "sealed") || errors.Is(err, keyring.ErrRoot) {
		t.Errorf("a start while it is sealed: %v", err)
	}

	s.Seal(false)
	fresh, err := open()
	must(t, err)
	if key, err := fresh.Unwrap(ctx, "firm_a/live", w, nil); err != nil || string(key.Reveal()) != "a record key" {
		t.Errorf("after a restart: %v", err)
	}
	must(t, ring.Reach(ctx))
	if _, err := keyring.Open(ctx, keyring.Config{Root: root(t, transittest.New(t)), DB: db}); !errors.Is(err, keyring.ErrRoot) {
		t.Errorf("another installation's key service: %v", err)
	}
}

// TestAnAlteredRowIsNotRenewed would fail if a row that somebody moved were given
// a right wrap by renewing it.
func TestAnAlteredRowIsNotRenewed(t *testing.T) {
	ctx, s, db := t.Context(), transittest.New(t), storetest.New(t)
	ring, err := keyring.Open(ctx, keyring.Config{Root: root(t, s), DB: db})
	must(t, err)
	for _, owner := range []string{"firm_a", "firm_b"} {
		_, err = ring.Wrap(ctx, owner, []byte("k"), nil)
		must(t, err)
	}
	rows, err := db.Collection(ctx, store.Spec{Name: "Key", Ordered: []string{"line"}})
	must(t, err)
	mine, err := rows.Get(ctx, "owner/firm_a/1")
	must(t, err)
	theirs, err := rows.Get(ctx, "owner/firm_b/1")
	must(t, err)
	must(t, rows.Replace(ctx, store.Doc{ID: mine.ID, Rev: mine.Rev, Body: theirs.Body}))
	s.Rotate()
	if n, err := ring.Renew(ctx); n != 2 || !errors.Is(err, keyring.ErrAltered) {
		t.Errorf("%d, %v", n, err)
	}
	after, err := rows.Get(ctx, mine.ID)
	must(t, err)
	if string(after.Body) != string(theirs.Body) {
		t.Error("the altered row was written")
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	s := transittest.New(t)
	r := root(t, s, func(c *transit.Config) { c.Pause = time.Hour })
	s.Seal(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := r.Wrap(ctx, []byte("k"), nil); err == nil || s.Calls("encrypt") != 1 {
		t.Errorf("%v, asked %d times", err, s.Calls("encrypt"))
	}
}

func FuzzUnwrap(f *testing.F) {
	f.Add([]byte("vault:v1:AAAA"), []byte(`{"data":{"plaintext":"AAAA"}}`), 200)
	f.Add([]byte("vault:v1:AAAA"), []byte(`{"errors":["cipher: message authentication failed"]}`), 400)
	f.Add([]byte("x"), []byte(`{"errors":[1]}`), 500)
	var body []byte
	var status int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	f.Cleanup(server.Close)
	r, err := transit.New(transit.Config{URL: server.URL + "/transit/ccms", Transport: http.DefaultTransport, Pause: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, wrapped, answer []byte, code int) {
		body, status = answer, 200+max(0, code%400)
		if status == 204 || status == 304 {
			return // without a body
		}
		got, err := r.Unwrap(t.Context(), wrapped, nil)
		if err == nil && got.Len() == 0 {
			t.Error("an empty key")
		}
	})
}
