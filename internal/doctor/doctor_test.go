package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/certs"
	"ccms/internal/command"
	"ccms/internal/datadir"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
	"ccms/internal/trust"
)

// patient is in good health: a folder with keys, a store, and no server.
func patient(t *testing.T) Patient {
	t.Helper()
	dir := datadir.At(t.TempDir())
	if err := datadir.MakeKeys(dir.File("keys")); err != nil {
		t.Fatal(err)
	}
	return Patient{
		Dir:        dir,
		BcryptCost: 4,
		Letters:    func(context.Context) ([]command.Letter, error) { return nil, nil },
		Trust:      trust.Config{Services: []string{"portal"}, Folder: dir.File("tls")},
		Store:      Store{Name: "a store", Open: func(context.Context) (store.DB, error) { return storetest.New(t), nil }},
		Addresses:  []string{"127.0.0.1:0"},
	}
}

// find returns what a check says.
func find(t *testing.T, all []Finding, check string) Finding {
	t.Helper()
	i := slices.IndexFunc(all, func(f Finding) bool { return f.Check == check })
	if i < 0 {
		t.Fatalf("nothing of %s among %v", check, all)
	}
	return all[i]
}

func TestWhatIsFoundWithoutAServer(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	letters := func(all ...command.Letter) func(context.Context) ([]command.Letter, error) {
		return func(context.Context) ([]command.Letter, error) { return all, nil }
	}
	for _, tc := range []struct {
		name  string
		make  func(*Patient)
		check string
		ok    bool
		says  string
	}{
		{"a folder of our own", func(*Patient) {}, "data", true, "ours alone"},
		{"a folder that is not there", func(p *Patient) { p.Dir = datadir.At(filepath.Join(p.Dir.Path(), "none")) }, "data", true, "does not exist yet"},
		{"a folder others may write to", func(p *Patient) { must(t, os.Chmod(p.Dir.Path(), 0o777)) }, "data", false, "others may write"}, //nolint:gosec // that is the point
		{"keys", func(*Patient) {}, "keys", true, "readable by us alone"},
		{"no keys", func(p *Patient) { must(t, os.Remove(p.Dir.File("keys", "login.key"))) }, "keys", true, "no keys yet"},
		{"a key others may read", func(p *Patient) { must(t, os.Chmod(p.Dir.File("keys", "internal"), 0o644)) }, "keys", false, "others may read internal"}, //nolint:gosec // that is the point
		{"a disk", func(*Patient) {}, "disk", true, "MiB free"},
		{"a cost that is cheap", func(*Patient) {}, "bcrypt", true, "cost 4 takes"},
		{"a cost that cannot be", func(p *Patient) { p.BcryptCost = 99 }, "bcrypt", false, "cannot hash"},
		{"no mail server", func(*Patient) {}, "mail", true, "mails become files in the data folder; 0 mails wait"},
		{"a mail server", func(p *Patient) { p.MailServer = "smtp://mail.example" }, "mail", true, "go out by smtp://mail.example; 0"},
		{"a queue that cannot be asked", func(p *Patient) {
			p.Letters = func(context.Context) ([]command.Letter, error) { return nil, errors.New("nobody") }
		}, "mail", true, "data folder"},
		{"mails that wait since just now", func(p *Patient) {
			p.Letters = letters(command.Letter{Created: time.Now()}, command.Letter{State: "dead"})
		}, "mail", true, "1 mails wait, 1 were given up"},
		{"mails that wait for long", func(p *Patient) { p.Letters = letters(command.Letter{Created: time.Now().Add(-time.Hour)}) }, "mail", false, "1 mails wait"},
		{"no certificate", func(*Patient) {}, "tls", true, "plain HTTP"},
		{"authorities that are none", func(p *Patient) { p.Trust.Authority = p.Dir.File("none.pem") }, "tls", false, "cannot be used"},
		{"a store", func(*Patient) {}, "store", true, "a store opens and answers"},
		{"a store that is not there yet", func(p *Patient) { p.Store.File = p.Dir.File("ccms.db") }, "store", true, "no store yet"},
		{"a store that does not open", func(p *Patient) {
			p.Store.Open = func(context.Context) (store.DB, error) { return nil, errors.New("spoilt") }
		}, "store", false, "cannot open"},
		{"addresses that are free", func(*Patient) {}, "ports", true, "free"},
		{"an address that is taken", func(p *Patient) { p.Addresses = []string{taken.Addr().String()} }, "ports", false, "is taken"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := patient(t)
			tc.make(&p)
			all := Examine(t.Context(), p)
			if f := find(t, all, tc.check); f.OK != tc.ok || !strings.Contains(f.Says, tc.says) || !f.OK && f.Advice == "" && f.Check != "data" {
				t.Errorf("got %+v", f)
			}
			if Well(all) != tc.ok {
				t.Errorf("all in all: %+v", all)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsFoundBesideAServer(t *testing.T) {
	p := patient(t)
	health := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/actuator/health" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(health)
	}))
	defer s.Close()
	must(t, p.Dir.WriteRunning(datadir.Running{PID: os.Getpid(), Portal: s.URL}))
	p.Services = func(run datadir.Running) []Service { return []Service{{"portal", "portal", run.Portal}} }
	p.Store.Open = func(context.Context) (store.DB, error) { t.Error("the store was opened"); return storetest.New(t), nil }
	all := Examine(t.Context(), p)
	if f := find(t, all, "portal"); !f.OK || !Well(all) {
		t.Errorf("got %+v", all)
	}
	health = http.StatusServiceUnavailable
	all = Examine(t.Context(), p)
	if f := find(t, all, "portal"); f.OK || !strings.Contains(f.Advice, "/actuator/health") || Well(all) {
		t.Errorf("got %+v", all)
	}
}

func TestAQuickLookAsksTheServicesAlone(t *testing.T) {
	p := patient(t)
	must(t, os.Chmod(p.Dir.File("keys", "internal"), 0o644)) //nolint:gosec // another check's business
	if all := Quick(t.Context(), p); len(all) != 1 || Well(all) || all[0].Advice == "" {
		t.Errorf("without a server: %+v", all)
	}
	health := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(health) }))
	defer s.Close()
	must(t, p.Dir.WriteRunning(datadir.RunningAlone("login", s.URL)))
	p.Services = func(run datadir.Running) []Service {
		return []Service{{"eureka", "portal", run.Eureka}, {"login", "portal", run.Login}} // the one name that is believed here
	}
	if all := Quick(t.Context(), p); len(all) != 1 || all[0].Check != "login" || !Well(all) {
		t.Errorf("beside a login service: %+v", all)
	}
	health = http.StatusServiceUnavailable
	if all := Quick(t.Context(), p); Well(all) {
		t.Errorf("of a service that is not well: %+v", all)
	}
}

// Certificates of our own making count while a server shows them, and only
// then: the next start renews them.
func TestOurOwnCertificatesCountWhileTheyAreShown(t *testing.T) {
	p := patient(t)
	p.Services = func(datadir.Running) []Service { return nil }
	own := p.Trust
	own.Own = true
	if _, err := trust.Open(own); err != nil {
		t.Fatal(err)
	}
	if f := find(t, Examine(t.Context(), p), "tls"); !strings.Contains(f.Says, "no certificate") {
		t.Errorf("without a server: %+v", f)
	}
	must(t, p.Dir.WriteRunning(datadir.Running{PID: os.Getpid(), Portal: "https://localhost:1"}))
	if f := find(t, Examine(t.Context(), p), "tls"); !f.OK || !strings.Contains(f.Says, "good until") {
		t.Errorf("beside a server: %+v", f)
	}
}

func TestACertificateThatExpiresSoonIsFound(t *testing.T) {
	p := patient(t)
	a, err := certs.OpenAuthority(p.Dir.File("tls"), func() time.Time { return time.Now().Add(-390 * 24 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	p.Trust.Given = certs.Pair{Cert: p.Dir.File("cert.pem"), Key: p.Dir.File("key.pem")}
	if _, err := a.Renew(p.Trust.Given, "localhost"); err != nil {
		t.Fatal(err)
	}
	if f := find(t, Examine(t.Context(), p), "tls"); f.OK || !strings.Contains(f.Says, "expires at") || !strings.Contains(f.Advice, "SIGHUP") {
		t.Errorf("got %+v", f)
	}
}

func TestTheReport(t *testing.T) {
	findings := []Finding{{Check: "data", OK: true, Says: "fine"}, {Check: "disk", Says: "full", Advice: "free some"}}
	var text, array bytes.Buffer
	if err := errors.Join(Report(&text, findings, "text"), Report(&array, findings, "json")); err != nil {
		t.Fatal(err)
	}
	if want := "ok    data     fine\nFAIL  disk     full: free some\n"; text.String() != want {
		t.Errorf("got %q", text.String())
	}
	var again []Finding
	if err := json.Unmarshal(array.Bytes(), &again); err != nil || !slices.Equal(again, findings) {
		t.Errorf("got %s, %v", &array, err)
	}
}

// A health check has a few seconds: services that are silent must not add up.
func TestServicesAreAskedAtOnceAndSilenceIsTold(t *testing.T) {
	p := patient(t)
	asked := make(chan struct{}, 2)
	both := make(chan struct{})
	well := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-both
	}))
	defer well.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-both
		panic(http.ErrAbortHandler)
	}))
	defer silent.Close()
	go func() { // none is answered before both were asked
		defer close(both)
		for range 2 {
			select {
			case <-asked:
			case <-t.Context().Done():
				return
			}
		}
	}()
	must(t, p.Dir.WriteRunning(datadir.Running{PID: os.Getpid(), Eureka: well.URL, Login: silent.URL}))
	p.Services = func(run datadir.Running) []Service {
		return []Service{{"eureka", "portal", run.Eureka}, {"login", "portal", run.Login}, {"cards", "portal", run.CreditCard}}
	}
	all := Quick(t.Context(), p)
	if len(all) != 2 || !all[0].OK || all[1].OK || !strings.Contains(all[1].Says, "does not answer") {
		t.Errorf("got %+v", all)
	}
}

// Settings are those of a unit, and not of the shell a health check runs in.
func TestAServerTellsWhoVouchesForIt(t *testing.T) {
	p, ca := patient(t), t.TempDir()
	a, err := certs.OpenAuthority(ca, nil)
	must(t, err)
	pair := certs.Pair{Cert: filepath.Join(ca, "portal.pem"), Key: filepath.Join(ca, "portal.key")}
	_, err = a.Renew(pair, trust.NameOf("portal"))
	must(t, err)
	shown, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
	must(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	p.Services = func(run datadir.Running) []Service { return []Service{{"portal", "portal", run.Portal}} }
	for file, believed := range map[string]bool{filepath.Join(ca, "ca.pem"): true, "": false} {
		must(t, p.Dir.WriteRunning(datadir.Running{PID: os.Getpid(), Portal: server.URL, CA: file}))
		if all := Quick(t.Context(), p); Well(all) != believed {
			t.Errorf("with %q: %+v", file, all)
		}
	}
}

// A portal's certificate is for its public name, and a public authority vouches
// for it: nobody needs to reach it by a name of ours (docs/tls.md).
func TestAPortalIsWellUnderItsPublicNameAlone(t *testing.T) {
	p, ca := patient(t), t.TempDir()
	a, err := certs.OpenAuthority(ca, nil)
	must(t, err)
	pair := func(name string) certs.Pair {
		made := certs.Pair{Cert: filepath.Join(ca, name+".pem"), Key: filepath.Join(ca, name+".key")}
		_, err := a.Renew(made, name)
		must(t, err)
		return made
	}
	ours, other := pair("cards.example.com"), pair("other.example.com")
	shown, err := tls.LoadX509KeyPair(ours.Cert, ours.Key)
	must(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{shown}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	p.Services = func(run datadir.Running) []Service { return []Service{{"portal", "portal", run.Portal}} }
	for file, well := range map[string]bool{ours.Cert: true, other.Cert: false, "": false} {
		for _, authority := range []string{"", filepath.Join(ca, "ca.pem")} {
			must(t, p.Dir.WriteRunning(datadir.Running{PID: os.Getpid(), Portal: server.URL, CA: authority, Certificate: file}))
			if all := Quick(t.Context(), p); Well(all) != well {
				t.Errorf("with %q, authority %q: %+v", file, authority, all)
			}
		}
	}
}

func TestWhyThereIsNoServerIsTold(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(*Patient)
		says string
	}{
		{"none was started", func(*Patient) {}, "no server is ready in"},
		{"there is no folder", func(p *Patient) { p.Dir = datadir.At(p.Dir.File("none")) }, "there is no folder"},
		{"it was killed", func(p *Patient) { must(t, p.Dir.WriteRunning(datadir.Running{PID: 1 << 30})) }, "was killed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := patient(t)
			tc.make(&p)
			if all := Quick(t.Context(), p); len(all) != 1 || Well(all) || !strings.Contains(all[0].Says, tc.says) || all[0].Advice == "" {
				t.Errorf("got %+v", all)
			}
		})
	}
}
