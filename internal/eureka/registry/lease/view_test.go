package lease

import (
	"slices"
	"testing"
	"time"

	"ccms/internal/eureka"
)

func names(a eureka.Applications) []string {
	var all []string
	for _, app := range a.Apps {
		for _, in := range app.Instances {
			all = append(all, app.Name+"/"+in.ID+" "+string(in.Action))
		}
	}
	return all
}

func TestSinceAVersionOnlyWhatCameAfterItIsSaid(t *testing.T) {
	g, at := quiet(t, Config{})
	mustRegister(t, g, instance("A", "1", eureka.Up, 1), false)
	mustRegister(t, g, instance("A", "2", eureka.Up, 1), false)
	held := g.Version()
	mustRegister(t, g, instance("B", "3", eureka.Up, 1), false)
	g.SetStatus("B", "3", eureka.Down, nil)
	g.Cancel("A", "1")
	mustRegister(t, g, instance("A", "9", eureka.Up, 1), false)
	a, ok := g.Since(held)
	if want := []string{"A/9 ADDED", "A/1 DELETED", "B/3 MODIFIED"}; !ok || !slices.Equal(names(a), want) {
		t.Errorf("%t %v, want %v", ok, names(a), want)
	}
	if a, ok := g.Since(g.Version()); !ok || len(a.Apps) != 0 || a.Hash != "DOWN_1_UP_2_" {
		t.Errorf("since now: %t %+v", ok, a)
	}
	if _, ok := g.Since(g.Version() + 1); ok {
		t.Error("knows what will happen")
	}
	at.Advance(181 * time.Second)
	g.Trim()
	if _, ok := g.Since(held); ok {
		t.Error("claims to know changes it dropped")
	}
}

func TestWhoWaitsForAChangeIsWokenByAChangeOnly(t *testing.T) {
	g, at := quiet(t, Config{})
	mustRegister(t, g, instance("A", "1", eureka.Up, 1), false)
	v := g.Version()
	next, already := g.Changes(v)
	if already {
		t.Fatal("nothing changed yet")
	}
	g.Heartbeat("A", "1", Beat{})
	at.Advance(181 * time.Second)
	g.Trim() // the window moves, the registry does not
	if _, already := g.Changes(v); already || g.Version() == v {
		t.Error("a window that moved passes for a change")
	}
	select {
	case <-next:
		t.Error("woken without a change")
	default:
	}
	g.Cancel("A", "1")
	<-next
	if _, already := g.Changes(v); !already {
		t.Error("a change is not seen")
	}
	if _, already := g.Changes(1 << 60); !already {
		t.Error("waits for a version of another registry")
	}
}

func TestAPictureLeavesOutWhatTheCallerKnows(t *testing.T) {
	g, _ := quiet(t, Config{})
	mustRegister(t, g, instance("A", "1", eureka.Up, 1), false)
	mustRegister(t, g, instance("B", "1", eureka.Up, 1), false)
	versions := map[string]int64{}
	for _, p := range g.Look(false, nil).Parts {
		versions[p.Name] = p.Version
	}
	g.SetStatus("B", "1", eureka.Down, nil)
	for _, delta := range []bool{false, true} {
		p := g.Look(delta, func(name string) int64 { return versions[name] })
		if len(p.Parts) != 2 || !p.Parts[0].Known || p.Parts[1].Known || len(p.Parts[1].Application().Instances) != 1 {
			t.Errorf("delta %t: %+v", delta, p.Parts)
		}
	}
}

func TestTheLastThousandWhoCameAndWentAreKnown(t *testing.T) {
	g, at := quiet(t, Config{})
	for i := range 1500 {
		in := instance("A", "i", eureka.Up, int64(i+1))
		mustRegister(t, g, in, false)
		at.Advance(time.Millisecond)
	}
	g.Cancel("A", "i")
	came, went := g.LastRegistered(), g.LastCancelled()
	if len(came) != 1000 || came[0].At-came[999].At != 999 || len(went) != 1 || went[0].ID != "i" {
		t.Errorf("%d came, %v to %v, %v went", len(came), came[0], came[len(came)-1], went)
	}
}
