package boot

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/boot/chassis"
	"ccms/internal/config"
	"ccms/internal/eureka"
	"ccms/internal/lifecycle"
	"ccms/internal/store"
)

// rig is the product in this process, each service in a stage of its own so
// that a test can stop one.
type rig struct {
	*process
	stages map[string]*lifecycle.Stage
	work   *lifecycle.Stage
}

// settings are those of "ccms up" on free ports, and more.
func settings(t *testing.T, more ...string) config.Settings {
	t.Helper()
	flags := map[string]string{"data": filepath.Join(t.TempDir(), "data"), "log.level": "error"}
	for _, service := range []string{"eureka", "login", "creditcard", "portal"} {
		flags[service+".addr"] = "127.0.0.1:0"
	}
	for i := 0; i < len(more); i += 2 {
		flags[more[i]] = more[i+1]
	}
	s, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startRig starts the product; change, if any, comes before it is wired.
func startRig(t *testing.T, s config.Settings, change func(*process)) *rig {
	t.Helper()
	p, err := open(Start{Settings: s, Console: Console{Err: t.Output()}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{process: p, stages: map[string]*lifecycle.Stage{}}
	if err := p.openUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(p)
	}
	if _, err := p.wireUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	fail := func(err error) { t.Errorf("a service ended: %v", err) }
	r.work = lifecycle.NewStage(t.Context(), fail)
	for _, svc := range p.Services {
		g := lifecycle.NewStage(t.Context(), fail)
		g.Start(svc.Server.Run)
		if svc.Client != nil {
			r.work.Start(svc.Client.Run)
		}
		for _, w := range svc.Work {
			r.work.Start(w)
		}
		r.stages[svc.Name] = g
	}
	for _, svc := range p.Services {
		if svc.Client == nil {
			continue
		}
		if err := svc.AwaitOthers(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		r.work.Stop()
		for _, g := range r.stages {
			g.Stop()
		}
		for _, svc := range p.Services {
			for _, c := range svc.Closers {
				_ = c(context.Background())
			}
		}
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (r *rig) url(name string) string { return r.service(name).Server.URL() }

func (r *rig) service(name string) *chassis.Service {
	i := slices.IndexFunc(r.Services, func(s *chassis.Service) bool { return s.Name == name })
	return r.Services[i]
}

// ask returns status and errorCode.
func ask(t *testing.T, method, url, body, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		ErrorCode string `json:"errorCode"`
		Token     string `json:"token"`
	}
	_ = json.Unmarshal(b, &out)
	return res.StatusCode, out.ErrorCode + out.Token
}

// session signs somebody up and logs in; the account stays unverified, so the
// card service answers 403 UNVERIFIED_ACCOUNT once it has asked.
func (r *rig) session(t *testing.T) string {
	t.Helper()
	const who = `"email":"ann@example.com","password":"tangerine-walrus-42"`
	if status, code := ask(t, "POST", r.url(chassis.LoginService)+"/api/customer/signup", `{"username":"ann","name":{"first":"A","last":"B"},`+who+`}`, ""); status != 201 {
		t.Fatalf("sign up: %d %s", status, code)
	}
	status, token := ask(t, "POST", r.url(chassis.LoginService)+"/api/customer/login/subsequent", "{"+who+"}", "")
	if status != 200 {
		t.Fatalf("log in: %d %s", status, token)
	}
	return token
}

// unanswered waits until the card service no longer remembers its last answer
// about a token and therefore gives another one.
func unanswered(t *testing.T, url, token string) (int, string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if status, code := ask(t, "GET", url, "", token); status != 403 {
			return status, code
		}
	}
	t.Fatal("the card service still answers")
	return 0, ""
}

// TestBreakerWhenTheLoginServiceIsStopped would fail if a stopped login service
// gave anything but 503, or if the breaker did not come to refuse at once.
func TestBreakerWhenTheLoginServiceIsStopped(t *testing.T) {
	t.Parallel()
	r := startRig(t, settings(t), nil)
	token, cards := r.session(t), r.url(chassis.CardService)+"/api/creditcards"
	if status, code := ask(t, "GET", cards, "", token); status != 403 || code != "UNVERIFIED_ACCOUNT" {
		t.Fatalf("before: %d %s", status, code)
	}
	r.stages[chassis.LoginService].Stop()
	if status, code := unanswered(t, cards, token); status != 503 || code != "SERVICE_UNAVAILABLE" {
		t.Errorf("stopped: %d %s", status, code)
	}
	for range 5 {
		if status, code := ask(t, "GET", cards, "", token); status != 503 || code != "SERVICE_UNAVAILABLE" {
			t.Errorf("stopped: %d %s", status, code)
		}
	}
	if status, _ := ask(t, "GET", r.url(chassis.CardService)+"/actuator/metrics/resilience4j.circuitbreaker.state?tag=state:open", "", ""); status != 200 {
		t.Errorf("the breaker's state is no metric: %d", status)
	}
	if status, code := ask(t, "GET", cards, "", "forged."+token[10:]); status != 401 {
		t.Errorf("a forged token: %d %s, want 401 without the login service", status, code)
	}
}

// slowAccounts makes the login service slow where it reads an account, while
// slow is set.
type slowAccounts struct {
	store.DB
	slow atomic.Bool
}

func (d *slowAccounts) Collection(ctx context.Context, s store.Spec) (store.Collection, error) {
	c, err := d.DB.Collection(ctx, s)
	if err == nil && s.Name == "Customer" {
		c = slowCollection{c, &d.slow}
	}
	return c, err
}

type slowCollection struct {
	store.Collection
	slow *atomic.Bool
}

func (c slowCollection) Get(ctx context.Context, id string) (store.Doc, error) {
	if c.slow.Load() {
		<-ctx.Done()
		return store.Doc{}, ctx.Err()
	}
	return c.Collection.Get(ctx, id)
}

// TestTimeoutWhenTheLoginServiceIsSlow would fail if the card service waited
// longer than its budget, called the outcome anything but a time-out, or did
// not come back once the login service is quick again.
func TestTimeoutWhenTheLoginServiceIsSlow(t *testing.T) {
	t.Parallel()
	var accounts *slowAccounts
	r := startRig(t, settings(t, "creditcard.login-timeout", "300ms", "creditcard.breaker.wait-duration-in-open-state", "500ms"), func(p *process) {
		accounts = &slowAccounts{DB: p.DB}
		p.DB = accounts
	})
	token, cards := r.session(t), r.url(chassis.CardService)+"/api/creditcards"
	accounts.slow.Store(true)
	if status, code := unanswered(t, cards, token); status != 504 || code != "TIMEOUT" {
		t.Errorf("slow: %d %s", status, code)
	}
	for status, code := 504, ""; status != 503; status, code = ask(t, "GET", cards, "", token) {
		if status != 504 {
			t.Fatalf("on the way to an open breaker: %d %s", status, code)
		}
	}
	accounts.slow.Store(false)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if status, _ := ask(t, "GET", cards, "", token); status == 403 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the breaker did not close again")
		}
	}
}

// TestServicesSurviveARestartOfTheRegistry would fail if the services lost each
// other while the registry is away, or did not register again with one that
// has forgotten them.
func TestServicesSurviveARestartOfTheRegistry(t *testing.T) {
	r := startRig(t, settings(t), nil)
	token, cards := r.session(t), r.url(chassis.Portal)+"/api/creditcards"
	old := r.service(eureka.Audience)
	addr := old.Server.Addr().String()
	r.stages[eureka.Audience].Stop()
	if status, code := ask(t, "GET", cards, "", token); status != 403 {
		t.Errorf("without a registry: %d %s", status, code)
	}
	if err := os.Remove(r.Dir.File("registry.json")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	again, err := r.Listen(t.Context(), eureka.Audience, addr)
	if err == nil {
		err = r.wireEureka(again)
	}
	if err != nil {
		t.Fatal(err)
	}
	g := lifecycle.NewStage(t.Context(), func(err error) { t.Error(err) })
	g.Start(again.Server.Run)
	r.stages[eureka.Audience] = g
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if registered(t, "http://"+addr+"/eureka/apps") == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the services did not register again")
		}
		<-time.After(50 * time.Millisecond)
	}
	if status, code := ask(t, "GET", cards, "", token); status != 403 {
		t.Errorf("after the restart: %d %s", status, code)
	}
}

func registered(t *testing.T, url string) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0
	}
	return strings.Count(string(b), "<status>UP</status>")
}
