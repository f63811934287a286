package peer

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

func table() *lease.Table { return lease.New(lease.Config{Log: slog.New(slog.DiscardHandler)}) }

func register(t *testing.T, g *lease.Table, app, id string) {
	t.Helper()
	in := &eureka.Instance{
		App: app, ID: id, HostName: "h", IPAddr: "10.0.0.1", Status: eureka.Up, Overridden: eureka.Unknown, LastDirty: 5,
		DataCenter: &eureka.DataCenter{Name: eureka.MyOwn}, Lease: eureka.Lease{RenewalInterval: 30, Duration: 90},
	}
	if err := g.Register(in, false); err != nil {
		t.Fatal(err)
	}
}

// recorder is a peer that takes batches and answers as told.
type recorder struct {
	mu      sync.Mutex
	header  http.Header
	batches [][]map[string]any
	answers []func(w http.ResponseWriter, n int) bool // the next ones; then 200
}

func (p *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `{"applications":{"application":[]}}`)
		return
	}
	var b struct{ ReplicationList []map[string]any }
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &b); err != nil || r.URL.Path != "/eureka/peerreplication/batch/" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.header = r.Header
	if len(p.answers) > 0 {
		answer := p.answers[0]
		p.answers = p.answers[1:]
		if !answer(w, len(b.ReplicationList)) {
			return
		}
	}
	p.batches = append(p.batches, b.ReplicationList)
	list := make([]Result, len(b.ReplicationList))
	for i := range list {
		list[i].Status = http.StatusOK
	}
	out, _ := FormatResults(list)
	_, _ = w.Write(out)
}

// seen is action and id of what arrived, in order.
func (p *recorder) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for _, b := range p.batches {
		for _, i := range b {
			all = append(all, fmt.Sprint(i["action"], " ", i["id"]))
		}
	}
	return all
}

// start runs a group with one peer; ready first is for what is told before.
func start(t *testing.T, p *recorder, g *lease.Table, first func(*Group)) *Group {
	t.Helper()
	srv := httptest.NewServer(p)
	group := New(Config{
		Table: g, URLs: []string{strings.Replace(srv.URL, "//", "//user:pass@", 1) + "/eureka/"},
		Log: slog.New(slog.DiscardHandler), Gather: time.Millisecond,
	})
	if first != nil {
		first(group)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- group.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		srv.Close()
	})
	return group
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
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

func TestABatchLooksLikeTheReferences(t *testing.T) {
	g, p := table(), &recorder{}
	register(t, g, "A", "reg")
	register(t, g, "A", "beat")
	register(t, g, "A", "out")
	g.SetStatus("A", "out", eureka.OutOfService, nil)
	start(t, p, g, func(group *Group) {
		group.Tell("A", "reg", Register, "")
		group.Tell("A", "reg", Heartbeat, "")
		group.Tell("A", "beat", Heartbeat, "")
		group.Tell("A", "out", StatusUpdate, eureka.OutOfService)
		group.Tell("A", "out", Heartbeat, "")
		group.Tell("A", "gone", Register, "")
		group.Tell("A", "gone", Cancel, "")
		group.Tell("A", "never", Heartbeat, "")
	})
	await(t, "all is told", func() bool { return len(p.seen()) == 5 })
	if want := []string{"Register reg", "Heartbeat beat", "StatusUpdate out", "Heartbeat out", "Cancel gone"}; !slices.Equal(p.seen(), want) {
		t.Errorf("got %q", p.seen())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	items := p.batches[0]
	if _, rooted := items[0]["instanceInfo"].(map[string]any)["instance"]; rooted || items[0]["lastDirtyTimestamp"] != 5.0 {
		t.Errorf("register %v", items[0])
	}
	if _, there := items[1]["overriddenStatus"]; there || items[1]["status"] != "UP" || items[1]["appName"] != "A" {
		t.Errorf("heartbeat %v", items[1])
	}
	if items[3]["overriddenStatus"] != "OUT_OF_SERVICE" || len(items[4]) != 3 {
		t.Errorf("heartbeat with an override %v, cancellation %v", items[3], items[4])
	}
	if p.header.Get("DiscoveryIdentity-Name") != "DefaultServer" || p.header.Get("Content-Type") != "application/json" || p.header.Get("Authorization") == "" ||
		p.header.Get("x-netflix-discovery-replication") != "" {
		t.Errorf("header %v", p.header)
	}
}

func TestABatchHasAtMost250Items(t *testing.T) {
	g, p := table(), &recorder{}
	for i := range 600 {
		register(t, g, "A", fmt.Sprint(i))
	}
	start(t, p, g, func(group *Group) {
		for i := range 600 {
			group.Tell("A", fmt.Sprint(i), Heartbeat, "")
		}
	})
	await(t, "all is told", func() bool { return len(p.seen()) == 600 })
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.batches) != 3 || len(p.batches[0]) != 250 {
		t.Errorf("%d batches", len(p.batches))
	}
}

func TestABatchThatIsNotTakenIsSentAgainOrDropped(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, _ int) bool { w.WriteHeader(code); return false }
	}
	hangUp := func(http.ResponseWriter, int) bool { panic(http.ErrAbortHandler) }
	short := func(w http.ResponseWriter, _ int) bool { fmt.Fprint(w, `{"responseList":[]}`); return false }
	for _, c := range []struct {
		name  string
		first func(http.ResponseWriter, int) bool
		again bool
	}{
		{"503 is tried again", status(503), true},
		{"a connection that ends is tried again", hangUp, true},
		{"400 is not", status(400), false},
		{"a redirect is not followed", func(w http.ResponseWriter, _ int) bool {
			w.Header().Set("Location", "/")
			w.WriteHeader(302)
			return false
		}, false},
		{"an answer of another length says nothing", short, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, p := table(), &recorder{answers: []func(http.ResponseWriter, int) bool{c.first}}
			register(t, g, "A", "1")
			register(t, g, "A", "2")
			group := start(t, p, g, func(group *Group) { group.Tell("A", "1", Heartbeat, "") })
			await(t, "the first answer came", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.answers) == 0 })
			group.Tell("A", "2", Heartbeat, "")
			await(t, "the second is told", func() bool { return slices.Contains(p.seen(), "Heartbeat 2") })
			if got := slices.Contains(p.seen(), "Heartbeat 1"); got != c.again {
				t.Errorf("sent again: %t", got)
			}
		})
	}
}

func TestWhatWaitsIsBoundedAndTheNewestStays(t *testing.T) {
	q := newQueue(10, time.Now)
	for i := range 1000 {
		q.tell(key{"A", fmt.Sprint(i)}, Register, "")
		q.tell(key{"A", "often"}, Register, "")
	}
	n, _, dropped := q.backlog()
	if n != 10 || dropped != 991 || len(q.order) > 20 {
		t.Errorf("%d wait, %d dropped, %d in order", n, dropped, len(q.order))
	}
	tasks := q.take(100)
	if len(tasks) != 10 || tasks[9].key.id != "often" || tasks[8].key.id != "999" {
		t.Errorf("%v", tasks)
	}
	// What was told meanwhile wins over what comes back.
	q.tell(key{"A", "often"}, Cancel, "")
	q.back(tasks)
	back := q.take(100)
	i := slices.IndexFunc(back, func(t task) bool { return t.key.id == "often" })
	if len(back) != 10 || !back[i].cancel || back[i].register {
		t.Errorf("%+v", back)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add(`{"replicationList":[{"appName":"a","id":"b","action":"Register","instanceInfo":{"app":"a"},"lastDirtyTimestamp":"5"}]}`)
	f.Add(`{"replicationList":[{"action":"Heartbeat","lastDirtyTimestamp":null,"overriddenStatus":"DOWN"}]}`)
	f.Add(`{"replicationList":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		items, err := ParseBatch([]byte(body))
		if err != nil {
			return
		}
		again, err := FormatBatch(items)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := ParseBatch(again); err != nil || len(twice) != len(items) {
			t.Errorf("%d items, then %d: %v", len(items), len(twice), err)
		}
	})
}

func FuzzResults(f *testing.F) {
	f.Add(`{"responseList":[{"statusCode":409,"responseEntity":{"app":"a"}}]}`)
	f.Fuzz(func(_ *testing.T, body string) {
		_, _ = parseResults([]byte(body), 1)
	})
}
