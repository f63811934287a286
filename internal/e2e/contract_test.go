package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// contract is a file of testdata/contract: the contract's own configuration,
// word for word (decision E1).
func contract(name string) string { return filepath.Join("testdata", "contract", name) }

// contractPort is the registry's port in the contract.
const contractPort = "8761"

// onPort is the contract's file name as it stands where its port is free. Where
// something else has the port, another stands for it, so that the test can run
// beside other programs.
func onPort(t *testing.T, name string) (file, port string) {
	t.Helper()
	if l, err := net.Listen("tcp", "127.0.0.1:"+contractPort); err == nil {
		_ = l.Close()
		return contract(name), contractPort
	}
	port = freePort(t)
	t.Logf("port %s is taken: %s stands for it", contractPort, port)
	return edited(t, name, contractPort, port), port
}

// edited is a copy of a contract's file with some texts in place of others.
func edited(t *testing.T, name string, oldnew ...string) string {
	t.Helper()
	b, err := os.ReadFile(contract(name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(oldnew); i += 2 {
		if !bytes.Contains(b, []byte(oldnew[i])) {
			t.Fatalf("%s does not say %s", name, oldnew[i])
		}
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(strings.NewReplacer(oldnew...).Replace(string(b))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestTheContractsFilesMeanOurSettings(t *testing.T) {
	tests := []struct {
		file string
		want map[string]string
	}{
		{"1.3.3-eureka.properties", map[string]string{"eureka.addr": "127.0.0.1:8761"}},
		{"7.2-client.properties", map[string]string{"eureka.urls": "[http://localhost:8761/eureka/]"}},
		{"8-breaker.yaml", map[string]string{
			"creditcard.breaker.failure-rate-threshold": "50", "creditcard.breaker.sliding-window-size": "5", "creditcard.breaker.wait-duration-in-open-state": "10s"}},
	}
	for _, tc := range tests {
		t.Run(tc.file, func(t *testing.T) {
			cmd := exec.Command(binary, "config", "print", "-o", "json", "--config", contract(tc.file))
			cmd.Env = []string{}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var all []struct {
				Key, Source string
				Value       any
			}
			if err := json.Unmarshal(out, &all, json.MatchCaseInsensitiveNames(true)); err != nil {
				t.Fatal(err)
			}
			for _, s := range all {
				want, given := tc.want[s.Key]
				if fromFile := strings.Contains(s.Source, tc.file+":"); fromFile != given {
					t.Errorf("%s comes from %s", s.Key, s.Source)
				}
				if given && fmt.Sprint(s.Value) != want {
					t.Errorf("%s is %v, want %s", s.Key, s.Value, want)
				}
			}
		})
	}
}

var listensOn = regexp.MustCompile(`(?m)^eureka listens on (\S+)\nready$`)

func TestTheRegistryStartsFromTheContractsProperties(t *testing.T) {
	file, port := onPort(t, "1.3.3-eureka.properties")
	p := launch(t.TempDir(), "eureka", "--config", file)
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	base := "http://localhost:" + port
	if got := p.await(t, listensOn); got != base {
		t.Errorf("it listens on %s, want %s", got, base)
	}
	c := newClient(t)
	c.must(t, 200, "GET", base+"/", nil, nil)
	c.must(t, 200, "GET", base+"/actuator/health", nil, nil)
	const shop = `{"instance":{"instanceId":"s1","hostName":"localhost","app":%q,"ipAddr":"127.0.0.1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`
	c.must(t, 204, "POST", base+"/eureka/apps/SHOP", fmt.Sprintf(shop, "SHOP"), nil)
	c.must(t, 403, "POST", base+"/eureka/apps/LOGIN-SERVICE", fmt.Sprintf(shop, "LOGIN-SERVICE"), nil)
	_, metrics, err := c.send("GET", base+"/actuator/prometheus", nil)
	if err != nil || !bytes.Contains(metrics, []byte(`ccms_eureka_instances{status="UP"} 1`)) {
		t.Errorf("the registry shows other metrics than one instance: %v\n%s", err, metrics)
	}
}

func TestAllServicesStartFromTheContractsFiles(t *testing.T) {
	for _, name := range []string{"1.3.3-eureka.properties", "7.2-client.properties", "8-breaker.yaml"} {
		t.Run(name, func(t *testing.T) {
			file, port := contract(name), "0"
			if strings.HasSuffix(name, ".properties") {
				file, port = onPort(t, name)
			}
			args := []string{"--config", file}
			if name != "1.3.3-eureka.properties" { // the file that says so itself
				args = append(args, "--eureka.addr", "127.0.0.1:"+port)
			}
			p := launch(t.TempDir(), "up", append(args, anyPort("login", "creditcard", "portal")...)...)
			if err := p.awaitReady(); err != nil {
				t.Fatal(err)
			}
			if port != "0" && p.Eureka != "http://localhost:"+port {
				t.Errorf("the registry listens on %s", p.Eureka)
			}
			if err := p.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// detour is a registry that passes everything on to ours, counts who comes, and
// names another address for the login service.
type detour struct {
	*httputil.ReverseProxy
	registrations atomic.Int32
}

func newDetour(t *testing.T, registry, login, instead string) *detour {
	t.Helper()
	target, err := url.Parse("http://127.0.0.1:" + registry)
	if err != nil {
		t.Fatal(err)
	}
	d := new(detour)
	d.ReverseProxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Header.Set("Accept-Encoding", "identity")
			if p.In.Method == http.MethodPost {
				d.registrations.Add(1)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			b = bytes.ReplaceAll(b, []byte(`"$":`+login+","), []byte(`"$":`+instead+","))
			r.Body = io.NopCloser(bytes.NewReader(b))
			r.ContentLength = int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return err
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return d
}

// listen serves h and returns its port.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Shutdown(context.WithoutCancel(t.Context())) })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestTheContractsFilesAreObeyed puts both client files of the contract
// together. The registry of defaultZone is a detour, so that it shows whether it
// is really asked: by it the card service reaches a login service that can be
// made to fail, and the breaker must do what section 8 says: open at the fifth
// call, for ten seconds. Since these are our defaults too, other figures follow.
func TestTheContractsFilesAreObeyed(t *testing.T) {
	t.Run("as they stand", func(t *testing.T) { obeys(t, contract("8-breaker.yaml"), 5, 10) })
	t.Run("with other figures", func(t *testing.T) {
		obeys(t, edited(t, "8-breaker.yaml", "slidingWindowSize: 5", "slidingWindowSize: 3", "10000ms", "70000ms"), 3, 70)
	})
}

// obeys checks that the breaker of the file opens at the given call, for the
// given seconds.
func obeys(t *testing.T, breakerFile string, window, seconds int) {
	registry, login := freePort(t), freePort(t)
	var broken atomic.Bool
	var asked atomic.Int32
	toLogin, err := url.Parse("http://127.0.0.1:" + login)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(toLogin)
	unreliable := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	d := newDetour(t, registry, login, unreliable)
	both := filepath.Join(t.TempDir(), "application.yaml")
	breaker, err := os.ReadFile(breakerFile)
	if err != nil {
		t.Fatal(err)
	}
	client := "eureka.client.service-url.defaultZone: http://localhost:" + listen(t, d) + "/eureka/\neureka.instance.prefer-ip-address: true\n"
	if err := os.WriteFile(both, append([]byte(client), breaker...), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t.TempDir(), "up", append(anyPort("creditcard", "portal"), "--config", both,
		"--eureka.addr", "127.0.0.1:"+registry, "--login.addr", "127.0.0.1:"+login)...)
	if err := p.awaitReady(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if n := d.registrations.Load(); n < 3 {
		t.Errorf("%d registrations came to the registry of defaultZone, want those of three services", n)
	}
	c := newClient(t)
	var tokens []string // a new session for each call, so that none is remembered
	who := signUp(t, c, p, "contract-holder")
	for range window - 1 {
		tokens = append(tokens, logIn(t, c, p, who))
	}
	cards := p.CreditCard + "/api/creditcards"
	c.must(t, 200, "GET", cards, nil, nil, who.auth()...)
	before := asked.Load()
	if before == 0 {
		t.Fatal("the card service did not ask the login service that defaultZone names")
	}
	broken.Store(true)
	// The window holds one success; the rate of failures is above 50 percent
	// before the window is full, but only a full window counts.
	for i, token := range tokens {
		state := breakerState(t, c, p)
		if state != "closed" {
			t.Fatalf("the breaker is %s before call %d of %d", state, i+2, window)
		}
		c.must(t, 503, "GET", cards, nil, nil, "Authorization", "Bearer "+token)
	}
	if state := breakerState(t, c, p); state != "open" {
		t.Fatalf("after %d calls, all but one failures, the breaker is %s\n%s", window, state, p.output)
	}
	n := asked.Load()
	res := ask(t, c, cards, tokens[0])
	if wait, _ := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode != 503 || wait > seconds || wait < seconds-5 {
		t.Errorf("got %s, Retry-After %d, want 503 and about the %d seconds of the file", res.Status, wait, seconds)
	}
	if asked.Load() != n {
		t.Error("the login service is asked though the breaker is open")
	}
}

func ask(t *testing.T, c *client, url, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res
}

var breakerShape = regexp.MustCompile(`resilience4j_circuitbreaker_state\{.*state="([a-z_]+)".*\} 1`)

func breakerState(t *testing.T, c *client, p *process) string {
	t.Helper()
	_, b, err := c.send("GET", p.CreditCard+"/actuator/prometheus", nil)
	m := breakerShape.FindSubmatch(b)
	if err != nil || m == nil {
		t.Fatalf("no state of the breaker: %v\n%s", err, b)
	}
	return string(m[1])
}
