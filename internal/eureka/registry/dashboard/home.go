package dashboard

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
	"ccms/internal/eureka/registry/peer"
)

const (
	openUpTo = 60  // so many instances are all shown; of more, applications alone
	pageSize = 200 // instances of one application on a page
)

// home is what the page at "/" shows.
type home struct {
	Status  []Figure
	Banner  *banner
	Peers   []peer.Status
	Info    []Section
	Filter  string
	Only    string // the one application that is looked at
	Total   int    // instances
	Matches int
	Apps    []application
}

// banner says what an operator has to know first.
type banner struct {
	Urgent bool
	Title  string
	Text   string
}

// application is one row of the table, and its instances where they are shown.
type application struct {
	Name      string
	Count     int
	Zones     []Figure
	Statuses  []Figure
	Link      string // to its instances, where they are not shown
	Instances []instance
	Earlier   string // links to other pages of them
	Later     string
	From, To  int
}

// instance is one line.
type instance struct {
	lease.Entry
	Page       string // status page, when it is one a browser may open
	Addresses  string
	Zone       string
	Heartbeat  string
	Late       bool // its lease has run out
	Overridden bool
	Actions    []Figure // label and link
}

func (d *Dashboard) serveHome(w http.ResponseWriter, r *http.Request) error {
	stats, now := d.cfg.Table.Stats(), d.cfg.Now()
	q := r.URL.Query()
	h := home{
		Status: d.status(stats, now), Banner: bannerOf(stats), Peers: d.cfg.Peers(), Info: d.cfg.Info(),
		Filter: strings.TrimSpace(q.Get("q")), Only: q.Get("app"),
	}
	from, _ := strconv.Atoi(q.Get("from"))
	d.list(&h, max(from, 0), now)
	return d.render(w, d.home, "Service registry", h)
}

// status is the reference's table of system status.
func (d *Dashboard) status(s lease.Stats, now time.Time) []Figure {
	return []Figure{
		{"Environment", d.cfg.Environment},
		{"Data center", d.cfg.DataCenter},
		{"Current time", stamp(now)},
		{"Uptime", Uptime(s.Uptime)},
		{"Lease expiration enabled", strconv.FormatBool(s.LeaseExpiration)},
		{"Renews threshold", count(s.RenewThreshold)},
		{"Renews (last min)", count(s.RenewsLastMinute)},
		{"Self-preservation", protectionWord(s)},
	}
}

func protectionWord(s lease.Stats) string {
	switch s.Protection {
	case lease.Off:
		return "off"
	case lease.TooSmall:
		return "from " + plural(s.ProtectFrom, "instance")
	case lease.Early, lease.Holding:
		return "holding evictions back"
	case lease.Left:
		return "ended by an operator"
	}
	return "watching"
}

// bannerOf explains self-preservation in the words its users know, with the
// reason in a sentence. Nil when there is nothing to explain.
func bannerOf(s lease.Stats) *banner {
	numbers := count(s.RenewsLastMinute) + " heartbeats came in the last full minute, and more than " + count(s.RenewThreshold) + " were expected. "
	switch s.Protection {
	case lease.Holding:
		return &banner{true, "Emergency! Eureka may be incorrectly claiming instances are up when they're not.",
			"Renews are lesser than threshold: " + numbers + "So few rather mean a broken network than dead instances, and nobody is evicted until more arrive. The list may hold instances that are gone."}
	case lease.Left:
		return &banner{true, "Renews are lesser than threshold, and an operator ended self-preservation.",
			numbers + "Leases that run out end all the same. Self-preservation returns by itself once enough heartbeats have come."}
	case lease.Off:
		if s.RenewsLastMinute <= s.RenewThreshold && s.RenewThreshold > 0 && s.Uptime > 2*time.Minute {
			return &banner{true, "Renews are lesser than the threshold. The self preservation mode is turned off.",
				numbers + "Instances whose lease runs out are evicted, also when it is the network that failed."}
		}
		return &banner{false, "The self preservation mode is turned off.", "Instances are evicted when their lease runs out, also when it is the network that failed."}
	case lease.Early:
		return &banner{false, "The registry has just started.", "No full minute of heartbeats has been counted yet; until then nobody is evicted."}
	}
	return nil
}

// list fills in the applications.
func (d *Dashboard) list(h *home, from int, now time.Time) {
	byApp := map[string][]lease.Entry{}
	for _, e := range d.cfg.Table.Entries() {
		h.Total++
		if h.Only != "" && !strings.EqualFold(e.App, h.Only) || !matches(e, strings.ToLower(h.Filter)) {
			continue
		}
		h.Matches++
		byApp[e.App] = append(byApp[e.App], e)
	}
	for _, name := range slices.Sorted(maps.Keys(byApp)) {
		entries := byApp[name]
		a := application{Name: name, Count: len(entries), Zones: tally(entries, zoneOf), Statuses: tally(entries, statusOf)}
		if h.Matches > openUpTo && h.Only == "" {
			a.Link = link(h.Filter, name, 0)
		} else {
			d.page(&a, entries, from, h.Filter)
			for _, e := range entries[a.From:a.To] {
				a.Instances = append(a.Instances, d.instance(e, now))
			}
		}
		h.Apps = append(h.Apps, a)
	}
}

// page chooses which of many instances are shown.
func (d *Dashboard) page(a *application, entries []lease.Entry, from int, filter string) {
	if from >= len(entries) {
		from = 0
	}
	a.From, a.To = from, min(from+pageSize, len(entries))
	if a.From > 0 {
		a.Earlier = link(filter, a.Name, max(0, a.From-pageSize))
	}
	if a.To < len(entries) {
		a.Later = link(filter, a.Name, a.To)
	}
}

// link leads to the instances of one application on this page.
func link(filter, app string, from int) string {
	q := url.Values{"app": {app}}
	if filter != "" {
		q.Set("q", filter)
	}
	if from > 0 {
		q.Set("from", strconv.Itoa(from))
	}
	return "./?" + q.Encode()
}

// matches looks for text in what an instance goes by.
func matches(e lease.Entry, text string) bool {
	if text == "" {
		return true
	}
	for _, s := range []string{e.App, e.ID, e.HostName, e.IPAddr, string(e.Status), zoneOf(e), deref(e.VIPAddress), deref(e.SecureVIPAddress)} {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func statusOf(e lease.Entry) string { return string(e.Status) }

// zoneOf is where an instance runs: Amazon's zone, or what its metadata say.
func zoneOf(e lease.Entry) string {
	amazon := ""
	if e.DataCenter != nil {
		amazon = e.DataCenter.Metadata["availability-zone"]
	}
	return cmp.Or(amazon, e.Metadata["zone"], "default")
}

// tally counts entries by a word, UP first, then by word.
func tally(entries []lease.Entry, word func(lease.Entry) string) []Figure {
	counts := map[string]int{}
	for _, e := range entries {
		counts[word(e)]++
	}
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		up := func(s string) int {
			if s == string(eureka.Up) {
				return 0
			}
			return 1
		}
		return cmp.Or(up(a)-up(b), strings.Compare(a, b))
	})
	all := make([]Figure, len(words))
	for i, w := range words {
		all[i] = Figure{w, count(counts[w])}
	}
	return all
}

func (d *Dashboard) instance(e lease.Entry, now time.Time) instance {
	in := instance{
		Entry: e, Zone: zoneOf(e), Addresses: addresses(e),
		Heartbeat: ago(now.Sub(time.UnixMilli(e.Renewed))), Late: now.UnixMilli() > e.Expires,
		Overridden: e.Override != eureka.Unknown,
	}
	if u, err := url.Parse(deref(e.StatusPageURL)); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		in.Page = u.String()
	}
	if d.cfg.Console == "" {
		return in
	}
	if in.Overridden {
		in.Actions = append(in.Actions, d.action("Bring back", "bring-back", e))
	} else {
		in.Actions = append(in.Actions, d.action("Take out of service", "out-of-service", e))
	}
	in.Actions = append(in.Actions, d.action("Deregister", "deregister", e))
	return in
}

func (d *Dashboard) action(label, do string, e lease.Entry) Figure {
	q := url.Values{"action": {do}, "app": {e.App}, "id": {e.ID}}
	separator := "?"
	if strings.Contains(d.cfg.Console, "?") {
		separator = "&"
	}
	return Figure{label, d.cfg.Console + separator + q.Encode()}
}

func addresses(e lease.Entry) string {
	text := e.HostName
	if e.IPAddr != e.HostName {
		text += " (" + e.IPAddr + ")"
	}
	if e.Port.Enabled {
		text += ", port " + strconv.Itoa(e.Port.Number)
	}
	if e.SecurePort.Enabled {
		text += ", secure port " + strconv.Itoa(e.SecurePort.Number)
	}
	return text
}
