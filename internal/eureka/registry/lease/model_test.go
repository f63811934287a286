package lease

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/eureka"
)

// Any sequence of writes and pauses: a client that follows the deltas alone,
// and looks at least once in the time a change is kept, holds the registry
// itself. Only a peer's heartbeat corrects a status beside the delta, and there
// is none here.
func TestAClientThatFollowsTheDeltasHoldsTheRegistry(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g, at := quiet(t, Config{})
		mirror := map[key]*eureka.Instance{}
		unseen := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			app := rapid.SampledFrom([]string{"A", "B"}).Draw(rt, "app")
			id := fmt.Sprint(rapid.IntRange(0, 3).Draw(rt, "id"))
			status := rapid.SampledFrom(eureka.Statuses()).Draw(rt, "status")
			switch rapid.IntRange(0, 7).Draw(rt, "act") {
			case 0, 1, 2:
				mustRegister(t, g, instance(app, id, status, int64(rapid.IntRange(1, 9).Draw(rt, "dirty"))), false)
			case 3:
				g.Cancel(app, id)
			case 4:
				g.SetStatus(app, id, status, nil)
			case 5:
				g.ClearStatus(app, id, eureka.Unknown, nil)
			case 6:
				g.Heartbeat(app, id, Beat{})
			case 7:
				d := time.Duration(rapid.IntRange(1, 60).Draw(rt, "pause")) * time.Second
				at.Advance(d)
				unseen += d
				g.evict(at.Now(), 0)
			}
			if unseen > 100*time.Second || rapid.Bool().Draw(rt, "look") {
				unseen = 0
				follow(rt, g, mirror)
			}
		}
		follow(rt, g, mirror)
	})
}

// follow applies a delta to mirror and compares it with the whole.
func follow(rt *rapid.T, g *Table, mirror map[key]*eureka.Instance) {
	d := g.Delta()
	for _, app := range d.Apps {
		for _, in := range app.Instances {
			k := key{app.Name, in.ID}
			if in.Action == eureka.Deleted {
				delete(mirror, k)
				continue
			}
			mirror[k] = in
		}
	}
	whole, counts := map[key]eureka.Status{}, map[eureka.Status]int{}
	all := g.All()
	for _, app := range all.Apps {
		for _, in := range app.Instances {
			whole[key{app.Name, in.ID}] = in.Status
		}
	}
	held := map[key]eureka.Status{}
	for k, in := range mirror {
		held[k] = in.Status
		counts[in.Status]++
	}
	if !reflect.DeepEqual(held, whole) || eureka.Hash(counts) != d.Hash || d.Hash != all.Hash || d.Version != all.Version {
		rt.Fatalf("held %v\nwhole %v\nhash %s and %s", held, whole, d.Hash, eureka.Hash(counts))
	}
}
