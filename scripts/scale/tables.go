package main

import (
	"fmt"
	"strings"
)

// point is a row of docs/performance.md.
type point struct {
	route     string
	clients   int
	rate, cpu float64
	empty     float64 // requests a second of an empty handler in the same run
}

func measured() []point {
	return []point{
		{register, 1, 808, 1012, 21700}, {register, 16, 2297, 537, 50400}, {register, 64, 3489, 377, 49200},
		{reveal, 1, 2001, 447, 22400}, {reveal, 16, 7251, 187, 51000}, {reveal, 64, 9361, 161, 52400},
		{grant, 1, 1624, 547, 21600}, {grant, 16, 3769, 327, 40600}, {grant, 64, 5683, 282, 42600},
		{introspect, 1, 8373, 114, 18200}, {introspect, 16, 12131, 83, 31500}, {introspect, 64, 21417, 63, 47200},
	}
}

// The machine when nothing disturbed it, in requests a second of an empty
// handler: some of the measured rows were made while something did.
const (
	emptyAlone    = 21_500 // one client
	emptyTogether = 50_500 // many
)

// model is the rate of p by the model, on the machine as it was in that run.
func (p point) model() float64 {
	speed := p.empty / emptyTogether
	if p.clients == 1 {
		speed = p.empty / emptyAlone
	}
	return machine(fitted(), p.route, p.clients).rate * speed
}

type table struct {
	name string // it follows <!-- scale: in the page
	text string
}

func (t *table) row(cells ...any) {
	for i, c := range cells {
		if f, ok := c.(float64); ok {
			cells[i] = number(f)
		}
	}
	t.text += "|" + strings.Repeat(" %v |", len(cells)) + "\n"
	t.text = fmt.Sprintf(t.text, cells...)
}

// head begins a table; % must not stand in it, nor in a row.
func head(name string, columns ...string) *table {
	return &table{name, "| " + strings.Join(columns, " | ") + " |\n|" + strings.Repeat(" --- |", len(columns)) + "\n"}
}

// number has two or three digits that mean something.
func number(f float64) string {
	switch {
	case f < 10:
		return fmt.Sprintf("%.1f", f)
	case f < 1000:
		return fmt.Sprintf("%.0f", f)
	}
	text := fmt.Sprintf("%.0f", f)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// tables are all of the page.
func tables() []*table {
	return []*table{validation(), growth(), volume(), records(), distance(), limits()}
}

func validation() *table {
	t := head("validation", "route", "clients", "measured/s", "model/s", "off by")
	for _, p := range measured() {
		m := p.model()
		t.row("`"+p.route+"`", p.clients, p.rate, m, fmt.Sprintf("%+.0f percent", 100*(m/p.rate-1)))
	}
	return t
}

const (
	shards  = 3
	seconds = 3 // of a simulated load
)

// growth simulates the mix at ever higher rates.
func growth() *table {
	t := head("growth", "requests/s", "card services of 4 cores", "login services of 4 cores", "further cores for hashes",
		"busiest database server", "register p50 / p99 ms", "reveal p50 / p99 ms", "read a card p50 / p99 ms")
	a := assumptions()
	for _, rate := range []float64{100, 1000, 3000, 10_000} {
		s := newSite(a, rate, shards)
		s.load(rate, seconds)
		busiest := 0.0
		for _, sh := range s.shards {
			busiest = max(busiest, sh.on.spent/(seconds*1e6*float64(a.server)))
		}
		t.row(rate, len(s.cards), len(s.logins), rate*.01*a.hash/1e6, fmt.Sprintf("%.1f percent", 100*busiest),
			s.times.of(register), s.times.of(reveal), s.times.of(readCard))
	}
	return t
}

type answers map[string][]float64

func (t answers) of(route string) string {
	return fmt.Sprintf("%.1f / %.1f", quantile(t[route], .5)/1000, quantile(t[route], .99)/1000)
}

// Bytes of a document with its id, as BSON, and of the embedded store's file, for
// one registration of a card that is new; measured.
const (
	cardBytes         = 1040
	registrationBytes = 371
	recordBytes       = 741 // before and after
	fileBytes         = 3461
)

// volume is what cards take.
func volume() *table {
	t := head("volume", "cards", "Card GB", "Registration GB", "their records GB", "embedded store GB")
	for _, n := range []float64{1e6, 1e7, 1e8} {
		t.row(n, n*cardBytes/1e9, n*registrationBytes/1e9, n*recordBytes/1e9, n*fileBytes/1e9)
	}
	return t
}

// records is what the record of acts grows by.
func records() *table {
	t := head("records", "requests/s", "records MB/s", "GB a day", "TB a year")
	for _, rate := range []float64{100, 1000, 10_000} {
		mb := rate * recorded() / 1e6
		t.row(rate, fmt.Sprintf("%.2f", mb), mb*86400/1e3, mb*86400*365/1e6)
	}
	return t
}

// recorded are the bytes of record for one request of the mix.
func recorded() (sum float64) {
	for _, s := range mix() {
		sum += s.part * s.record
	}
	return sum
}

// distance is what a majority further away does.
func distance() *table {
	t := head("distance", "a majority is durable after ms", "register p50 / p99 ms", "reveal p50 / p99 ms", "records/s of one process at most")
	for _, ms := range []float64{3, 10, 30, 75, 150} {
		a := assumptions()
		a.majority = ms * 1000
		s := newSite(a, 1000, shards)
		s.load(1000, seconds)
		t.row(fmt.Sprintf("%.0f", ms), s.times.of(register), s.times.of(reveal), mostRecords*1e6/(a.majority+a.network+a.document))
	}
	return t
}

// limits are the rates of the mix at which something that cannot be doubled by
// another instance is used up.
func limits() *table {
	t := head("limits", "what cannot be multiplied", "its limit", "reached at requests/s of the mix")
	a := assumptions()
	documents := float64(a.server) * 1e6 / a.document
	reads, writes := 0.0, 0.0
	for _, s := range mix() {
		switch s.route {
		case readCard, reveal:
			reads += s.part
		case register:
			writes += s.part
		}
	}
	t.row("the collection Card, on one shard", number(documents)+" documents/s read or written", documents/(reads+writes))
	t.row("the collection Customer, on one shard", number(documents)+" documents/s", documents/(.01*3))
	const disk, kept = 30.0, 365.0 // TB, days (PCI DSS 10.5.1)
	t.row("the record of a year, on three shards", "30 TB each", shards*disk*1e12/(recorded()*86400*kept))
	t.row("the record of a year, on one server", "30 TB", disk*1e12/(recorded()*86400*kept))
	return t
}
