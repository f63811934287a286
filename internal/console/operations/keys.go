package operations

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ccms/internal/console/frame"
	"ccms/internal/page"
	"ccms/internal/problem"
	"ccms/internal/upstream"
)

// key is a version of a key.
type key struct {
	Use     string     `json:"use"`
	Name    string     `json:"name"`
	Version int64      `json:"version"`
	State   string     `json:"state"`
	Created *time.Time `json:"created"`
	Retired *time.Time `json:"retired"`
	Values  *int64     `json:"values"`
	Due     string     `json:"due"`
}

// What says in words what the key is for.
func (k key) What() string {
	switch k.Use {
	case "owner":
		return "wraps the card keys of " + k.Name
	case "secret":
		return "secret for " + k.Name
	case "values":
		return "seals " + k.Name
	case "signing":
		return "signs tokens, " + k.Name
	}
	return k.Use + " " + k.Name
}

// progress is how far work on all values is: a move to the newest keys, or an
// exchange of look-up keys, which a command begins.
type progress struct {
	Job    string `json:"job"`
	State  string `json:"state"`
	Values int64  `json:"values"`
	Passed int64  `json:"passed"`
	Moved  int64  `json:"moved"`
	Failed int64  `json:"failed"`
}

// Running reports whether it goes on.
func (p progress) Running() bool {
	return p.State == "counting" || p.State == "waiting" || p.State == "running"
}

// Says says in words how far it is, "" when there never was any.
func (p progress) Says() string {
	of := fmt.Sprintf("%s of %s looked at, %s moved.", count(p.Passed), count(p.Values), count(p.Moved))
	lookup := p.Job == "lookup"
	switch {
	case p.Running() && lookup:
		return "Numbers are being filed under new look-up keys: " + of
	case p.Running():
		return "Values are being moved: " + of
	case p.State == "done" && lookup:
		return "Numbers were filed under new look-up keys: " + of
	case p.State == "done":
		return fmt.Sprintf("Values were moved: %s of %s.", count(p.Moved), count(p.Values))
	case p.State == "stopped" && lookup:
		return "Filing numbers under new look-up keys stopped before its end: begin it again with ccms keys rotate --lookup."
	case p.State == "stopped":
		return "Moving values stopped before its end: begin it again."
	}
	return ""
}

// ring is the keys of a service.
type ring struct {
	Name     string   `json:"-"`
	Service  string   `json:"service"`
	Keys     []key    `json:"keys"`
	Partial  bool     `json:"partial"`
	Orphans  int64    `json:"orphans"`
	Rotation Task     `json:"rotation"`
	Rewrap   progress `json:"rewrap"`
	Hidden   int      `json:"-"` // keys beyond a page
}

// Signs and Seals say which keys the service has that can be rotated.
func (g ring) Signs() bool { return g.Service == upstream.Login }
func (g ring) Seals() bool { return g.Service == upstream.Cards }

// Due is how many keys something is to be done with.
func (g ring) Due() int {
	n := 0
	for _, k := range g.Keys {
		if k.Due != "" {
			n++
		}
	}
	return n
}

// keysData is the data of keys.html.
type keysData struct {
	frame.Sheet
	Rings []ring
}

func (s *service) keys(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := keysData{Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{
		"rotate": "The new versions are being made. What is there stays readable; move it to them next.",
		"rewrap": "Everything sealed is being moved to the newest versions.",
	})}}
	for _, h := range holders() {
		g := ring{Name: h.name}
		if err := s.ask(r, d, h, upstream.Call{Method: http.MethodGet, Path: "/keys", Out: &g, Limit: listLimit}); err != nil {
			return err
		}
		slices.SortStableFunc(g.Keys, func(a, b key) int { return len(b.Due) - len(a.Due) }) // what is due first
		g.Hidden = max(0, len(g.Keys)-onePage)
		g.Keys = g.Keys[:len(g.Keys)-g.Hidden]
		data.Rings = append(data.Rings, g)
	}
	return d.Show(w, r, frame.Shown{Title: "Keys", Page: "keys.html", Data: data})
}

// rotate begins to rotate the keys of the service that was chosen.
func (s *service) rotate(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	which := map[string]string{upstream.Login: "signing", upstream.Cards: "values"}
	return s.begin(w, r, d, func(h holder) (upstream.Call, string) {
		return upstream.Call{Method: http.MethodPost, Path: "/keys/rotate", Body: upstream.Object(upstream.Field("keys", which[h.service]))}, path("keys", url.Values{"done": {"rotate"}})
	})
}

func (s *service) rewrap(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.begin(w, r, d, func(holder) (upstream.Call, string) {
		return upstream.Call{Method: http.MethodPost, Path: "/keys/rewrap"}, path("keys", url.Values{"done": {"rewrap"}})
	})
}

// begin has the service that a form names begin something, and goes on to a page.
func (s *service) begin(w http.ResponseWriter, r *http.Request, d frame.Desk, call func(holder) (upstream.Call, string)) error {
	posted, err := page.ReadPosted(w, r)
	if err != nil {
		return err
	}
	defer posted.Wipe()
	h, known := of(posted.Text("service"))
	if !known {
		return problem.NoResource()
	}
	c, then := call(h)
	if err := s.ask(r, d, h, c); err != nil {
		return err
	}
	return page.Redirect(w, then)
}

// count writes a number with commas between thousands.
func count[N int | int64](n N) string {
	t := strconv.FormatInt(int64(n), 10)
	for i := len(t) - 3; i > 0 && t[i-1] != '-'; i -= 3 {
		t = t[:i] + "," + t[i:]
	}
	return t
}
