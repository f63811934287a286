package registry_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/secret"
)

// wire is a TCP proxy that can be cut.
type wire struct {
	net.Listener
	mu     sync.Mutex
	target string
	cut    bool
	open   map[net.Conn]bool
}

func newWire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, open: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		w.set(true)
		wg.Wait()
	})
	return w
}

func (w *wire) carry(in net.Conn) {
	defer in.Close()
	w.mu.Lock()
	target, cut := w.target, w.cut
	w.mu.Unlock()
	if cut {
		return
	}
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	w.mu.Lock()
	w.open[in], w.open[out] = true, true
	w.mu.Unlock()
	var wg sync.WaitGroup
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		wg.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			pair[0].Close()
			pair[1].Close()
		})
	}
	wg.Wait()
	w.mu.Lock()
	delete(w.open, in)
	delete(w.open, out)
	w.mu.Unlock()
}

// aim says where the wire leads.
func (w *wire) aim(target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target = target
}

// set cuts the wire or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.open {
			c.Close()
		}
	}
}

func (w *wire) url() string { return "http://" + w.Addr().String() + "/eureka/" }

// started is a registry that runs and listens.
func started(t *testing.T, cfg registry.Config, wires ...*wire) *rest {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.Peer.Gather, cfg.Peer.Warmup = 5*time.Millisecond, 5*time.Second
	reg := registry.New(cfg)
	mux := httpserver.NewMux(cfg.Log)
	reg.Routes(mux)
	srv := httptest.NewServer(mux)
	for _, w := range wires {
		w.aim(srv.Listener.Addr().String())
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- reg.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return &rest{t, srv.URL, reg}
}

// pair is two registries that know each other, over two wires.
func pair(t *testing.T) (a, b *rest, cut func(bool)) {
	t.Helper()
	toA, toB := newWire(t), newWire(t)
	a = started(t, registry.Config{Peers: []string{toB.url()}}, toA)
	b = started(t, registry.Config{Peers: []string{toA.url()}}, toB)
	eventually(t, "both are open", func() bool { return a.reg.Open() && b.reg.Open() })
	return a, b, func(cut bool) { toA.set(cut); toB.set(cut) }
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// holds is what a registry knows that peers must agree on.
func (s *rest) holds() map[string]string {
	all := map[string]string{}
	for _, app := range s.apps("/apps").Apps {
		for _, in := range app.Instances {
			all[app.Name+"/"+in.ID] = fmt.Sprint(in.Status, in.Overridden, in.LastDirty, in.Metadata)
		}
	}
	return all
}

func alike(a, b *rest) func() bool {
	return func() bool { return maps.Equal(a.holds(), b.holds()) }
}

func TestWhatOneRegistryIsToldTheOtherKnows(t *testing.T) {
	a, b, _ := pair(t)
	a.register("SVC", "1")
	a.register("SVC", "2", `"metadata":{"k":"v"}`)
	eventually(t, "both instances are at the other", func() bool { return len(b.holds()) == 2 && alike(a, b)() })
	b.want(http.StatusOK, "PUT", "/eureka/apps/SVC/1/status?value=OUT_OF_SERVICE", "")
	eventually(t, "the override is", alike(a, b))
	if in := a.instance("SVC", "1"); in.Overridden != eureka.OutOfService {
		t.Errorf("overridden %s", in.Overridden)
	}
	a.want(http.StatusOK, "PUT", "/eureka/apps/SVC/2/metadata?k=w", "")
	eventually(t, "the metadata is", func() bool { return b.instance("SVC", "2").Metadata["k"] == "w" })
	b.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/1/status?value=UP", "")
	eventually(t, "the end of the override is", func() bool { return a.instance("SVC", "1").Status == eureka.Up })
	b.want(http.StatusOK, "DELETE", "/eureka/apps/SVC/1", "")
	eventually(t, "the cancellation is", func() bool { return len(a.holds()) == 1 && alike(a, b)() })
	if p := a.reg.Peers()[0]; !p.Available || p.Self || p.Sent == 0 {
		t.Errorf("%+v", p)
	}
	// What a peer passed on goes no further.
	if n := b.reg.Peers()[0].Sent; n > 3 {
		t.Errorf("%d items came back", n)
	}
}

func TestRegistriesConvergeAfterAPartition(t *testing.T) {
	a, b, cut := pair(t)
	for i := range 30 {
		a.register("SVC", fmt.Sprint(i), `"lastDirtyTimestamp":"1000"`)
	}
	eventually(t, "they are alike before", func() bool { return len(b.holds()) == 30 && alike(a, b)() })
	cut(true)
	var wg sync.WaitGroup
	wg.Go(func() { // clients that reach a only
		for i := range 10 {
			a.register("LEFT", fmt.Sprint(i))
			a.want(http.StatusOK, "DELETE", fmt.Sprint("/eureka/apps/SVC/", i), "")
		}
		a.want(http.StatusOK, "PUT", "/eureka/apps/SVC/20/status?value=DOWN", "")
	})
	wg.Go(func() { // and b only
		for i := range 10 {
			b.register("RIGHT", fmt.Sprint(i))
			b.want(http.StatusOK, "DELETE", fmt.Sprint("/eureka/apps/SVC/", 10+i), "")
		}
		b.register("SVC", "25", `"lastDirtyTimestamp":"2000"`, `"metadata":{"version":"new"}`)
		b.register("SVC", "26", `"lastDirtyTimestamp":"2000"`)
	})
	wg.Wait()
	a.want(http.StatusOK, "PUT", "/eureka/apps/SVC/25?lastDirtyTimestamp=1000", "") // a client that moved on, seen late
	if maps.Equal(a.holds(), b.holds()) {
		t.Fatal("the wire is not cut")
	}
	cut(false)
	eventually(t, "they are alike after", alike(a, b))
	if in := a.instance("SVC", "25"); in.Metadata["version"] != "new" || in.LastDirty != 2000 {
		t.Errorf("the newer registration lost: %+v", in)
	}
	if n := len(a.holds()); n != 30 {
		t.Errorf("%d instances", n)
	}
}

// T22: a registry that restarted with nothing takes over what its peer holds,
// overrides included, before it is read.
func TestARegistryThatStartsEmptyCopiesItsPeer(t *testing.T) {
	toA := newWire(t)
	a := started(t, registry.Config{}, toA)
	a.register("SVC", "1")
	a.want(http.StatusOK, "PUT", "/eureka/apps/SVC/1/status?value=OUT_OF_SERVICE", "")
	b := started(t, registry.Config{Peers: []string{toA.url()}})
	eventually(t, "open", b.reg.Open)
	if !maps.Equal(a.holds(), b.holds()) || len(b.holds()) != 1 {
		t.Errorf("%v and %v", a.holds(), b.holds())
	}
	b.register("SVC", "1")
	if in := b.instance("SVC", "1"); in.Status != eureka.OutOfService {
		t.Errorf("the override was not copied: %s", in.Status)
	}
}

// T23
func TestARegistryDoesNotReplicateToItself(t *testing.T) {
	toA := newWire(t)
	a := started(t, registry.Config{Peers: []string{toA.url()}}, toA)
	eventually(t, "open", a.reg.Open)
	a.register("SVC", "1")
	p := a.reg.Peers()[0]
	if !p.Self || p.Waiting != 0 || p.Sent != 0 {
		t.Errorf("%+v", p)
	}
}

// deployment makes and checks proofs as our services do, with one credential.
type deployment struct {
	t      *testing.T
	prover *identity.Prover
}

func deploy(t *testing.T) deployment {
	return deployment{t, identity.NewProver(secret.NewString(rand.Text()+rand.Text()), nil)}
}

func (d deployment) sign(audience, method, path string) (string, error) {
	return d.prover.Sign(audience, identity.PurposeRegistry, method, path)
}

func (d deployment) config(cfg registry.Config) registry.Config {
	cfg.Sign = d.sign
	cfg.Authorize = func(r *http.Request) bool {
		return d.holds(r.Header.Get(identity.ProofHeader), r.Method, r.URL.EscapedPath())
	}
	return cfg
}

func (d deployment) holds(proof, method, path string) bool {
	purpose, err := d.prover.Check(proof, eureka.Audience, method, path)
	return err == nil && purpose == identity.PurposeRegistry
}

// header is that of a request with proof.
func (d deployment) header(method, path string) []string {
	d.t.Helper()
	proof, err := d.sign(eureka.Audience, method, path)
	if err != nil {
		d.t.Fatal(err)
	}
	return []string{"Content-Type", "application/json", identity.ProofHeader, proof}
}

// Decision E3: our own registries pass reserved names on, by batch and by the
// first copy.
func TestReservedNamesPassBetweenOurOwnRegistries(t *testing.T) {
	d := deploy(t)
	toA, toB := newWire(t), newWire(t)
	a := started(t, d.config(registry.Config{Peers: []string{toB.url()}}), toA)
	register := func(app, id string) {
		t.Helper()
		path := "/eureka/apps/" + app
		a.want(http.StatusNoContent, "POST", path, instanceJSON(app, id, `"lastDirtyTimestamp":"5"`), d.header("POST", path)...)
	}
	register("PORTAL", "1")
	b := started(t, d.config(registry.Config{Peers: []string{toA.url()}}), toB)
	eventually(t, "both are open", func() bool { return a.reg.Open() && b.reg.Open() })
	eventually(t, "the first copy has it", func() bool { return len(b.holds()) == 1 })
	register("LOGIN-SERVICE", "2")
	eventually(t, "the batch passed", func() bool { return len(b.holds()) == 2 })
}

// A proof between registries covers the body: who was sent one cannot use it for
// another batch, nor pass an answer of ours off with another list.
func TestAProofBetweenRegistriesIsGoodForItsBodyAlone(t *testing.T) {
	d := deploy(t)
	s := serve(t, d.config(registry.Config{}))
	batch := func(id string) string {
		return `{"replicationList":[` + item("Register", "PORTAL", id, `"instanceInfo":`+unrooted("PORTAL", id)) + `]}`
	}
	send := func(body, provenMethod string) reply {
		return s.want(http.StatusOK, "POST", batchPath, body, d.header(provenMethod, batchPath)...)
	}
	const refused = `{"responseList":[{"statusCode":403}]}`
	if got := send(batch("evil"), peer.Bound("POST", []byte(batch("good")))); got.body != refused || got.header.Get(identity.ProofHeader) != "" {
		t.Errorf("another body: %s", got.body)
	}
	if got := send(batch("evil"), "POST"); got.body != refused {
		t.Errorf("a proof of no body: %s", got.body)
	}
	got := send(batch("good"), peer.Bound("POST", []byte(batch("good"))))
	if got.body != `{"responseList":[{"statusCode":200}]}` || !d.holds(got.header.Get(identity.ProofHeader), peer.Bound(peer.AnswerMethod, []byte(got.body)), batchPath) {
		t.Errorf("%s, proof %q", got.body, got.header.Get(identity.ProofHeader))
	}
}

// A peer that proves nothing, or hands our own proof back, may not speak of
// reserved names: not in its list, not in a conflict.
func TestAForeignRegistryCannotLeadOurServicesAstray(t *testing.T) {
	var batches sync.WaitGroup
	batches.Add(1)
	once := sync.OnceFunc(batches.Done)
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(identity.ProofHeader, r.Header.Get(identity.ProofHeader))
		if r.Method == http.MethodGet {
			fmt.Fprintf(w, `{"applications":{"versions__delta":"1","apps__hashcode":"","application":[{"name":"LOGIN-SERVICE","instance":[%s]},{"name":"X","instance":[%s,%s]}]}}`,
				unrooted("LOGIN-SERVICE", "evil"), unrooted("X", "evil", `"vipAddress":"portal"`), unrooted("X", "fine"))
			return
		}
		fmt.Fprintf(w, `{"responseList":[{"statusCode":409,"responseEntity":%s}]}`, unrooted("PORTAL", "1", `"lastDirtyTimestamp":"9000000000000"`, `"hostName":"evil"`))
		once()
	}))
	t.Cleanup(foreign.Close)
	d := deploy(t)
	a := started(t, d.config(registry.Config{Peers: []string{foreign.URL + "/eureka/"}}))
	eventually(t, "open", a.reg.Open)
	if got := slices.Sorted(maps.Keys(a.holds())); !slices.Equal(got, []string{"X/fine"}) {
		t.Errorf("taken over: %v", got)
	}
	const path = "/eureka/apps/PORTAL"
	a.want(http.StatusNoContent, "POST", path, instanceJSON("PORTAL", "1"), d.header("POST", path)...)
	a.want(http.StatusOK, "PUT", path+"/1", "", d.header("PUT", path+"/1")...)
	batches.Wait()
	if in := a.instance("PORTAL", "1"); in.HostName != "h" {
		t.Errorf("now at %s", in.HostName)
	}
}

func TestAWrongURLOfAPeerEndsTheRegistry(t *testing.T) {
	reg := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler), Peers: []string{"ftp://u:secret@h/"}, Peer: peer.Config{}})
	if err := reg.Run(t.Context()); err == nil {
		t.Error("runs")
	}
}
