package lease

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/clocktest"
	"ccms/internal/eureka"
)

func quiet(t *testing.T, cfg Config) (*Table, *clocktest.Clock) {
	t.Helper()
	c := clocktest.At(time.UnixMilli(1_800_000_000_000))
	cfg.Log, cfg.Now = slog.New(slog.DiscardHandler), c.Now
	return New(cfg), c
}

func instance(app, id string, s eureka.Status, dirty int64) *eureka.Instance {
	return &eureka.Instance{
		App: app, ID: id, HostName: "h", IPAddr: "10.0.0.1", Status: s, Overridden: eureka.Unknown, LastDirty: dirty,
		DataCenter: &eureka.DataCenter{Name: eureka.MyOwn},
		Lease:      eureka.Lease{RenewalInterval: eureka.DefaultRenewal, Duration: eureka.DefaultDuration},
	}
}

func mustRegister(t *testing.T, g *Table, in *eureka.Instance, replicated bool) {
	t.Helper()
	if err := g.Register(in, replicated); err != nil {
		t.Fatal(err)
	}
}

// place puts a lease with a status and an override into the registry.
func place(g *Table, status, override eureka.Status, dirty int64) *lease {
	in := instance("SVC", "i", status, dirty)
	in.Overridden = override
	l := &lease{override: override, duration: 90 * time.Second}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.put(l, in)
	g.renew(l, g.now())
	return l
}

func stored(t *testing.T, g *Table) *eureka.Instance {
	t.Helper()
	in, ok := g.Instance("SVC", "i")
	if !ok {
		t.Fatal("no instance")
	}
	return in
}

// T11: every stored and incoming status, override and origin.
func TestTheStatusOfARegistrationFollowsTheRuleTable(t *testing.T) {
	statuses := eureka.Statuses()
	free := []eureka.Status{eureka.Up, eureka.OutOfService}
	for _, before := range append(slices.Clone(statuses), "") {
		for _, incoming := range statuses {
			for _, override := range statuses {
				for _, replicated := range []bool{false, true} {
					if before == "" && override != eureka.Unknown {
						continue // no lease, no override
					}
					want := incoming
					if slices.Contains(free, incoming) {
						if override != eureka.Unknown {
							want = override
						} else if !replicated && slices.Contains(free, before) {
							want = before
						}
					}
					t.Run(fmt.Sprintf("%s then %s, override %s, replicated %t", before, incoming, override, replicated), func(t *testing.T) {
						g, _ := quiet(t, Config{})
						if before != "" {
							place(g, before, override, 5)
						}
						mustRegister(t, g, instance("SVC", "i", incoming, 6), replicated)
						in := stored(t, g)
						if in.Status != want || in.Overridden != override {
							t.Errorf("got %s, overridden %s, want %s", in.Status, in.Overridden, want)
						}
						if hash := g.All().Hash; hash != string(want)+"_1_" {
							t.Errorf("hash %s", hash)
						}
					})
				}
			}
		}
	}
}

// T9: the heartbeat's matrix of time stamps and origin.
func TestAHeartbeatIsAnsweredByItsTimeStamp(t *testing.T) {
	stamp := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		name       string
		dirty      *int64
		replicated bool
		want       Verdict
	}{
		{"none, from a client", nil, false, Renewed},
		{"none, from a peer", nil, true, Renewed},
		{"equal, from a client", stamp(5), false, Renewed},
		{"equal, from a peer", stamp(5), true, Renewed},
		{"newer, from a client", stamp(6), false, Missing},
		{"newer, from a peer", stamp(6), true, Missing},
		{"older, from a client", stamp(4), false, Renewed},
		{"older, from a peer", stamp(4), true, Conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, at := quiet(t, Config{})
			place(g, eureka.Up, eureka.Unknown, 5)
			at.Advance(time.Second)
			v, in := g.Heartbeat("svc", "i", Beat{c.dirty, eureka.Unknown, c.replicated})
			if v != c.want || (in != nil) != (v == Conflict) {
				t.Errorf("got %v, %v", v, in)
			}
			if got := stored(t, g).Lease.Renewed; got != at.Now().UnixMilli() {
				t.Errorf("the lease was not renewed: %d", got)
			}
		})
	}
	g, _ := quiet(t, Config{})
	if v, _ := g.Heartbeat("SVC", "i", Beat{}); v != Missing {
		t.Errorf("unknown instance: %v", v)
	}
	for _, replicated := range []bool{false, true} {
		place(g, eureka.Unknown, eureka.Unknown, 5)
		if v, _ := g.Heartbeat("SVC", "i", Beat{Replicated: replicated}); v != Missing {
			t.Errorf("UNKNOWN instance: %v", v)
		}
	}
}

func TestAPeersOverrideIsRememberedBeforeThe404(t *testing.T) {
	g, _ := quiet(t, Config{})
	place(g, eureka.Up, eureka.Unknown, 5)
	if v, _ := g.Heartbeat("SVC", "i", Beat{new(int64(6)), eureka.OutOfService, true}); v != Missing {
		t.Fatal(v)
	}
	version := g.All().Version
	if v, _ := g.Heartbeat("SVC", "i", Beat{}); v != Renewed {
		t.Fatal(v)
	}
	a := g.All()
	if in := stored(t, g); in.Status != eureka.OutOfService || a.Hash != "OUT_OF_SERVICE_1_" || a.Version <= version {
		t.Errorf("%s, hash %s, version %d", in.Status, a.Hash, a.Version)
	}
}

// T12
func TestTheStatusAnInstanceHasIsNoOverride(t *testing.T) {
	g, _ := quiet(t, Config{})
	l := place(g, eureka.Up, eureka.Unknown, 5)
	version := g.All().Version
	if !g.SetStatus("SVC", "i", eureka.Up, new(int64(9))) || l.override != eureka.Unknown || g.All().Version != version {
		t.Errorf("override %s, version %d was %d", l.override, g.All().Version, version)
	}
	if in := stored(t, g); in.LastDirty != 5 {
		t.Errorf("time stamp %d", in.LastDirty)
	}
	if !g.SetStatus("SVC", "i", eureka.Down, new(int64(9))) {
		t.Fatal("unknown")
	}
	if in := stored(t, g); in.Status != eureka.Down || in.Overridden != eureka.Down || in.LastDirty != 9 || in.Action != eureka.Modified {
		t.Errorf("got %+v", in)
	}
	if !g.SetStatus("SVC", "i", eureka.Starting, new(int64(3))) || stored(t, g).LastDirty != 9 {
		t.Error("an older time stamp was taken")
	}
}

// T13
func TestRemovingAnOverrideMakesTheClientRegisterWithItsTrueStatus(t *testing.T) {
	g, _ := quiet(t, Config{})
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 5), false)
	g.SetStatus("SVC", "i", eureka.OutOfService, new(int64(50)))
	if !g.ClearStatus("SVC", "i", eureka.Unknown, nil) {
		t.Fatal("unknown")
	}
	if in := stored(t, g); in.Status != eureka.Unknown || in.Overridden != eureka.Unknown {
		t.Errorf("got %s, %s", in.Status, in.Overridden)
	}
	if v, _ := g.Heartbeat("SVC", "i", Beat{}); v != Missing {
		t.Errorf("heartbeat: %v", v)
	}
	if ok, err := g.AddMetadata("SVC", "i", map[string]string{"between": "both"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 5), false) // older than the 50 above, on purpose
	if in := stored(t, g); in.Status != eureka.Up {
		t.Errorf("after registering again: %s", in.Status)
	}
	if v, _ := g.Heartbeat("SVC", "i", Beat{}); v != Renewed {
		t.Errorf("heartbeat: %v", v)
	}
	version := g.All().Version
	if !g.ClearStatus("SVC", "i", eureka.Unknown, nil) || g.All().Version != version {
		t.Error("removing no override changed something")
	}
}

// T14
func TestAnOverrideLivesAsLongAsTheLease(t *testing.T) {
	g, _ := quiet(t, Config{})
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 5), false)
	mustRegister(t, g, instance("OTHER", "i", eureka.Up, 5), false)
	g.SetStatus("SVC", "i", eureka.OutOfService, nil)
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 6), false)
	if in := stored(t, g); in.Status != eureka.OutOfService || in.Overridden != eureka.OutOfService {
		t.Errorf("after registering again: %s, %s", in.Status, in.Overridden)
	}
	if in, _ := g.Instance("OTHER", "i"); in.Status != eureka.Up {
		t.Errorf("another application's instance of the same id is %s", in.Status)
	}
	mustRegister(t, g, instance("SVC", "i", eureka.Down, 7), false)
	if in := stored(t, g); in.Status != eureka.Down {
		t.Errorf("DOWN shows as %s", in.Status)
	}
	g.Cancel("SVC", "i")
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 8), false)
	if in := stored(t, g); in.Status != eureka.Up || in.Overridden != eureka.Unknown {
		t.Errorf("after cancelling: %s, %s", in.Status, in.Overridden)
	}
	carried := instance("SVC", "j", eureka.Up, 8)
	carried.Overridden = eureka.OutOfService
	mustRegister(t, g, carried, false)
	if in, _ := g.Instance("SVC", "j"); in.Status != eureka.OutOfService {
		t.Errorf("an override that came with a registration: %s", in.Status)
	}
}

// T15
func TestANewerStoredInstanceIsKept(t *testing.T) {
	for dirty, want := range map[int64]string{4: "old", 5: "new", 6: "new"} {
		g, at := quiet(t, Config{})
		first := instance("SVC", "i", eureka.Up, 5)
		first.HostName = "old"
		mustRegister(t, g, first, false)
		at.Advance(time.Minute)
		second := instance("SVC", "i", eureka.Up, dirty)
		second.HostName = "new"
		mustRegister(t, g, second, false)
		in := stored(t, g)
		if in.HostName != want {
			t.Errorf("%d: %s", dirty, in.HostName)
		}
		if in.Lease.Registered != at.Now().UnixMilli() || in.Lease.ServiceUp != at.Now().Add(-time.Minute).UnixMilli() {
			t.Errorf("%d: registered %d, up %d", dirty, in.Lease.Registered, in.Lease.ServiceUp)
		}
	}
}

// T16
func TestMetadataIsAddedAndCountsAsARegistration(t *testing.T) {
	g, at := quiet(t, Config{})
	first := instance("SVC", "i", eureka.Up, 5)
	first.Metadata = map[string]string{"a": "1", "b": "2"}
	mustRegister(t, g, first, false)
	before := stored(t, g)
	at.Advance(time.Minute)
	if ok, err := g.AddMetadata("svc", "i", map[string]string{"b": "3", "c": "4"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	in := stored(t, g)
	if fmt.Sprint(in.Metadata) != "map[a:1 b:3 c:4]" || in.LastDirty != 5 || in.Action != eureka.Added || in.Lease.Registered != at.Now().UnixMilli() {
		t.Errorf("got %+v", in)
	}
	if fmt.Sprint(before.Metadata) != "map[a:1 b:2]" {
		t.Errorf("a reader's copy changed: %v", before.Metadata)
	}
}

// T17
func TestTheDeltaFoldsChangesAndForgetsThemInTime(t *testing.T) {
	g, at := quiet(t, Config{})
	actions := func() string {
		var s strings.Builder
		for _, app := range g.Delta().Apps {
			for _, in := range app.Instances {
				s.WriteString(app.Name + "/" + in.ID + " " + string(in.Action) + ";")
			}
		}
		return s.String()
	}
	expect := func(want string) {
		t.Helper()
		if got := actions(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	expect("")
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	expect("SVC/i ADDED;")
	g.SetStatus("SVC", "i", eureka.Down, nil)
	expect("SVC/i MODIFIED;")
	g.Cancel("SVC", "i")
	expect("SVC/i DELETED;")
	mustRegister(t, g, instance("SVC", "j", eureka.Up, 1), false)
	expect("SVC/j ADDED;SVC/i DELETED;") // deletions last
	mustRegister(t, g, instance("SVC", "i", eureka.Up, 1), false)
	expect("SVC/i ADDED;SVC/j ADDED;")
	at.Advance(100 * time.Second)
	g.Cancel("SVC", "j")
	d := g.Delta()
	if d.Hash != "UP_1_" || d.Version != g.All().Version {
		t.Errorf("hash %s, version %d", d.Hash, d.Version)
	}
	for _, app := range d.Apps {
		for _, in := range app.Instances {
			if in.Action == eureka.Deleted && in.Lease.Evicted != at.Now().UnixMilli() {
				t.Errorf("evictionTimestamp %d", in.Lease.Evicted)
			}
		}
	}
	at.Advance(81 * time.Second)
	expect("SVC/j DELETED;")
	trimmed := g.Delta().Version
	if trimmed <= d.Version {
		t.Error("the delta changed and its version did not (rule 18)")
	}
	at.Advance(100 * time.Second)
	expect("")
	if v := g.Delta().Version; v <= trimmed {
		t.Error("the delta changed and its version did not (rule 18)")
	}
	if v := g.Delta().Version; v != g.All().Version {
		t.Error("versions differ")
	}
}

// T18
func TestTheHashCountsMixedStatuses(t *testing.T) {
	g, _ := quiet(t, Config{})
	for i, s := range append(eureka.Statuses(), eureka.Up, eureka.OutOfService, eureka.Up) {
		mustRegister(t, g, instance("SVC", fmt.Sprint(i), s, 1), false)
	}
	const want = "DOWN_1_OUT_OF_SERVICE_2_STARTING_1_UNKNOWN_1_UP_3_"
	if got := g.All().Hash; got != want {
		t.Error(got)
	}
	if got := g.Delta().Hash; got != want {
		t.Error(got)
	}
}

func TestTheDeltaIsBoundedUnderAFlood(t *testing.T) {
	g, at := quiet(t, Config{MaxInstances: 10, MaxBytes: 40_000})
	for i := range 1000 {
		id := fmt.Sprint(i)
		mustRegister(t, g, instance("SVC", id, eureka.Up, 1), false)
		g.Cancel("SVC", id)
	}
	if n := len(g.log.entries); n > 20 || g.log.bytes > 10_000 || g.log.bytes < 0 {
		t.Errorf("%d entries of %d bytes", n, g.log.bytes)
	}
	at.Advance(181 * time.Second)
	if d := g.Delta(); len(d.Apps) != 0 || g.log.bytes != 0 || len(g.log.entries) != 0 {
		t.Errorf("after the window: %v, %d bytes", d, g.log.bytes)
	}
	if g.size != 0 || g.bytes != 0 || g.perMin != 0 || len(g.apps) != 0 {
		t.Errorf("left: %d instances, %d bytes, %v heartbeats, %d applications", g.size, g.bytes, g.perMin, len(g.apps))
	}
}
