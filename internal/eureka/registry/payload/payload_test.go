package payload

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

func table() *lease.Table {
	at := time.UnixMilli(1_800_000_000_000)
	return lease.New(lease.Config{Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }})
}

func instance(app, id string, s eureka.Status) *eureka.Instance {
	return &eureka.Instance{
		App: app, ID: id, HostName: id, IPAddr: "10.0.0.1", Status: s, Overridden: eureka.Unknown, CountryID: 1,
		Port: eureka.Port{Number: 8080, Enabled: true}, SecurePort: eureka.Port{Number: 443},
		DataCenter: &eureka.DataCenter{Name: eureka.MyOwn},
		Lease:      eureka.Lease{RenewalInterval: 30, Duration: 90},
		Metadata:   map[string]string{"management.port": "8080", "zone": "z1"},
		VIPAddress: new("svc"), SecureVIPAddress: new("svc"),
		HomePageURL:    new("http://" + id + ":8080/"),
		StatusPageURL:  new("http://" + id + ":8080/actuator/info"),
		HealthCheckURL: new("http://" + id + ":8080/actuator/health"),
	}
}

func register(t interface{ Fatal(...any) }, g *lease.Table, in *eureka.Instance) {
	if err := g.Register(in, false); err != nil {
		t.Fatal(err)
	}
}

// unpack reads the first member only, as some clients do, and wants nothing
// behind it.
func unpack(t interface{ Fatal(...any) }, b []byte) string {
	in := bytes.NewReader(b)
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	out, err := io.ReadAll(z)
	if err != nil || in.Len() != 0 {
		t.Fatal(fmt.Sprint(err, ", bytes left: ", in.Len()))
	}
	return string(out)
}

func forms() []eureka.Form {
	return []eureka.Form{{}, {XML: true}, {Compact: true}, {XML: true, Compact: true}}
}

// Whatever happened, and whatever was asked before, the spliced document is the
// plain one.
func TestASplicedDocumentIsThePlainOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := table()
		s := New(g)
		for range rapid.IntRange(0, 10).Draw(rt, "steps") {
			app := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(rt, "app")
			id := fmt.Sprint(rapid.IntRange(0, 5).Draw(rt, "id"))
			switch rapid.IntRange(0, 3).Draw(rt, "act") {
			case 0, 1:
				register(rt, g, instance(app, id, rapid.SampledFrom(eureka.Statuses()).Draw(rt, "status")))
			case 2:
				g.Cancel(app, id)
			case 3:
				g.SetStatus(app, id, eureka.Down, nil)
			}
			f := rapid.SampledFrom(forms()).Draw(rt, "form")
			delta := rapid.Bool().Draw(rt, "delta")
			if got, want := unpack(rt, s.Packed(f, delta)), string(s.Plain(f, delta)); got != want {
				rt.Fatalf("%+v, delta %t:\n%s\n%s", f, delta, got, want)
			}
		}
		for _, f := range forms() {
			if got, want := unpack(rt, s.Packed(f, false)), string(f.Applications(nil, g.All())); got != want {
				rt.Fatalf("%+v:\n%s\n%s", f, got, want)
			}
			if got, want := unpack(rt, s.Packed(f, true)), string(f.Applications(nil, g.Delta())); got != want {
				rt.Fatalf("delta %+v:\n%s\n%s", f, got, want)
			}
		}
	})
}

// A large application is in pieces too: one instance that changes, comes or goes
// makes one of them anew.
func TestOnlyAPieceOfALargeApplicationIsPackedAgain(t *testing.T) {
	g := table()
	s := New(g)
	for i := range 600 {
		register(t, g, instance("A", fmt.Sprint(i), eureka.Up))
	}
	pieces := func(delta bool) map[*piece]bool {
		held := map[*piece]bool{}
		xml := eureka.Form{XML: true, Compact: true}
		if got, want := unpack(t, s.Packed(xml, delta)), string(s.Plain(xml, delta)); len(got) != len(want) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
		var a eureka.Applications
		a, err := eureka.ParseApplications(false, []byte(unpack(t, s.Packed(eureka.Form{}, delta))))
		if err != nil || a.Hash != g.All().Hash {
			t.Fatal(err, a.Hash)
		}
		seen, gone := map[string]bool{}, false
		for _, in := range a.Apps[0].Instances {
			gone = gone || in.Action == eureka.Deleted
			if seen[in.ID] || gone && in.Action != eureka.Deleted {
				t.Errorf("%s twice, or behind a deleted one", in.ID)
			}
			seen[in.ID] = true
		}
		for _, p := range s.docs[kind{delta: delta}].apps["A"].pieces {
			held[p] = true
		}
		return held
	}
	for what, change := range map[string]func(){
		"changes": func() { g.SetStatus("A", "500", eureka.Down, nil) },
		"comes":   func() { register(t, g, instance("A", "new", eureka.Up)) },
		"goes":    func() { g.Cancel("A", "501") },
	} {
		before := map[bool]map[*piece]bool{false: pieces(false), true: pieces(true)}
		change()
		for delta, before := range before {
			fresh := 0
			for p := range pieces(delta) {
				if !before[p] {
					fresh++
				}
			}
			if len(before) < 8 || fresh < 1 || fresh > 2 {
				t.Errorf("one %s, delta %t: %d of %d pieces are new", what, delta, fresh, len(before))
			}
		}
	}
}

func TestANameMayBeLongerThanAStoredBlock(t *testing.T) {
	g := lease.New(lease.Config{Log: slog.New(slog.DiscardHandler)})
	s := New(g)
	for i := range 2 * pieceSize {
		register(t, g, &eureka.Instance{App: strings.Repeat("\x01", 30_000), ID: fmt.Sprint(i), Status: eureka.Up})
	}
	if got := unpack(t, s.Packed(eureka.Form{Compact: true}, false)); len(got) != len(s.Plain(eureka.Form{Compact: true}, false)) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestADocumentIsMadeOnceForAVersion(t *testing.T) {
	g := table()
	s := New(g)
	register(t, g, instance("A", "1", eureka.Up))
	for _, get := range []func(eureka.Form, bool) []byte{s.Packed, s.Plain} {
		for _, delta := range []bool{false, true} {
			first, again := get(eureka.Form{}, delta), get(eureka.Form{}, delta)
			if &first[0] != &again[0] {
				t.Error("made twice")
			}
			g.SetStatus("A", "1", eureka.Down, nil)
			if now := get(eureka.Form{}, delta); &first[0] == &now[0] {
				t.Error("a change is not shown")
			}
			g.SetStatus("A", "1", eureka.Up, nil)
		}
	}
}

// A piece of an application nobody touched stays as it is.
func TestOnlyWhatChangedIsPackedAgain(t *testing.T) {
	g := table()
	s := New(g)
	register(t, g, instance("A", "1", eureka.Up))
	register(t, g, instance("B", "1", eureka.Up))
	s.Packed(eureka.Form{}, false)
	d := s.docs[kind{}]
	a, b := d.apps["A"], d.apps["B"]
	g.SetStatus("B", "1", eureka.Down, nil)
	s.Packed(eureka.Form{}, false)
	if d.apps["A"] != a || d.apps["B"] == b {
		t.Error("the wrong piece was made again")
	}
	g.Cancel("B", "1")
	s.Packed(eureka.Form{}, false)
	if len(d.apps) != 1 {
		t.Error("the piece of an application that left is kept")
	}
}

// T17: whoever's write was answered finds it in every list, however many ask at
// once.
func TestAChangeIsInTheNextListForEveryone(t *testing.T) {
	g := table()
	s := New(g)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				id := fmt.Sprintf("w%d-%d", w, i)
				register(t, g, instance("A", id, eureka.Up))
				for _, delta := range []bool{false, true} {
					if !bytes.Contains([]byte(unpack(t, s.Packed(eureka.Form{}, delta))), []byte(`"`+id+`"`)) {
						t.Errorf("delta %t: %s is not shown", delta, id)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestChecksumsAreCombined(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.SliceOf(rapid.Byte()).Draw(rt, "a"), rapid.SliceOf(rapid.Byte()).Draw(rt, "b")
		got := multiply(shiftOf(len(b)), crc32.ChecksumIEEE(a)) ^ crc32.ChecksumIEEE(b)
		if want := crc32.ChecksumIEEE(append(bytes.Clone(a), b...)); got != want {
			rt.Fatalf("%08x, want %08x", got, want)
		}
	})
}

// filled is n instances, per in each application.
func filled(b *testing.B, n, per int) *lease.Table {
	g := table()
	for i := range n {
		register(b, g, instance(fmt.Sprintf("SVC-%d", i/per), fmt.Sprintf("host-%d.example.org:svc:8080", i), eureka.Up))
	}
	return g
}

func BenchmarkVisible(b *testing.B) {
	for _, c := range []struct{ n, per int }{{1000, 10}, {10_000, 10}, {10_000, 100}, {10_000, 1000}} {
		for _, delta := range []bool{false, true} {
			g := filled(b, c.n, c.per)
			if delta { // an old registry, of which little changed lately
				b.Run(fmt.Sprintf("%d, %d per application, delta", c.n, c.per), func(b *testing.B) { visible(b, g, true) })
			} else {
				b.Run(fmt.Sprintf("%d, %d per application, full", c.n, c.per), func(b *testing.B) { visible(b, g, false) })
			}
		}
	}
}

// visible is a change and the packed list that shows it.
func visible(b *testing.B, g *lease.Table, delta bool) {
	s := New(g)
	status := []eureka.Status{eureka.Up, eureka.Down}
	size := len(s.Packed(eureka.Form{}, delta))
	for i := 0; b.Loop(); i++ {
		g.SetStatus("SVC-1", fmt.Sprintf("host-%d.example.org:svc:8080", 0), status[i%2], nil)
		register(b, g, instance("SVC-1", "moving", status[i%2]))
		s.Packed(eureka.Form{}, delta)
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkPacked(b *testing.B) {
	s := New(filled(b, 10_000, 100))
	for b.Loop() {
		s.Packed(eureka.Form{}, false)
	}
}
