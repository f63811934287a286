package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ccms/internal/console/backend"
)

// maxCounted bounds how many registrations the overview counts: its cost does
// not grow with how many there are.
const maxCounted = 1000

// homeData is the data of home.html.
type homeData struct {
	sheet
	Days     int // 7 or 30
	Figures  figures
	Steps    []step
	Complete bool // all of the period were counted
	Counted  int
}

func (s *Service) home(w http.ResponseWriter, r *http.Request, d Desk) error {
	data := homeData{sheet: sheet{Desk: d}, Days: 7}
	if r.URL.Query().Get("days") == "30" {
		data.Days = 30
	}
	if d.Member() {
		today := s.now().UTC().Truncate(24 * time.Hour)
		from := today.AddDate(0, 0, 1-data.Days)
		rows, complete, err := s.recent(r, d, from)
		if err != nil {
			return err
		}
		data.Figures, data.Counted, data.Complete = count(rows, from, data.Days), len(rows), complete
		if data.Steps, err = s.steps(r, d); err != nil {
			return err
		}
	}
	return s.show(w, r, shown{desk: &d, title: d.Firm.Name, page: "home.html", data: data})
}

// recent returns the registrations since from, the newest first, at most
// maxCounted, and whether those are all.
func (s *Service) recent(r *http.Request, d Desk, from time.Time) (rows []backend.Registration, complete bool, err error) {
	q := url.Values{"from": {from.Format(time.DateOnly)}, "limit": {"100"}}
	for cursor := ""; len(rows) < maxCounted; {
		list, err := s.ask.Registrations(r, d.caller(), onward(q, cursor))
		if err != nil {
			return nil, false, err
		}
		rows = append(rows, list.Data...)
		if cursor = list.Next; cursor == "" {
			return rows, true, nil
		}
	}
	return rows, false, nil
}

// figures are what the overview shows of a period.
type figures struct {
	Total, Verified, Refused, Pending int
	Share                             string // of those decided, "" while none is
	Days                              []day  // the oldest first
	Reasons                           []reason
}

// day is a bar of the chart and a row of its table.
type day struct {
	Date            time.Time
	Verified, Other int
	X, Width        int // of the bar, in the chart's units
	GoodY, GoodHigh int
	RestY, RestHigh int
	Label           string // below it, "" for none
}

// reason is why some were refused.
type reason struct {
	Name  string
	Count int
}

// count sorts registrations into days days from first.
func count(rows []backend.Registration, first time.Time, days int) figures {
	f := figures{Total: len(rows), Days: make([]day, days)}
	for i := range f.Days {
		f.Days[i].Date = first.AddDate(0, 0, i)
	}
	reasons := map[string]int{}
	for _, v := range rows {
		d := &f.Days[min(max(int(v.CreatedAt.Sub(first)/(24*time.Hour)), 0), days-1)]
		switch v.Status {
		case "verified", "expired": // expired is a verified one whose card ran out since
			f.Verified++
			d.Verified++
			continue
		case "pending":
			f.Pending++
		default:
			f.Refused++
			reasons[cmp.Or(v.Reason, v.Status)]++
		}
		d.Other++
	}
	if decided := f.Verified + f.Refused; decided > 0 {
		f.Share = strconv.FormatFloat(100*float64(f.Verified)/float64(decided), 'f', 1, 64) + " %"
	}
	for _, name := range slices.Sorted(maps.Keys(reasons)) {
		f.Reasons = append(f.Reasons, reason{name, reasons[name]})
	}
	slices.SortStableFunc(f.Reasons, func(a, b reason) int { return b.Count - a.Count })
	draw(f.Days)
	return f
}

// The chart's size in its own units.
const (
	chartWide, chartHigh = 720, 140
	labelEvery           = 7 // days of a chart with many
)

// draw gives the days their bars, the tallest as high as the chart.
func draw(days []day) {
	most := 1
	for _, d := range days {
		most = max(most, d.Verified+d.Other)
	}
	slot := chartWide / len(days)
	for i := range days {
		d := &days[i]
		d.X, d.Width = i*slot+slot/8, slot*3/4
		d.GoodHigh, d.RestHigh = d.Verified*chartHigh/most, d.Other*chartHigh/most
		d.GoodY = chartHigh - d.GoodHigh
		d.RestY = d.GoodY - d.RestHigh
		if len(days) <= labelEvery || i%labelEvery == 0 {
			d.Label = d.Date.Format("2 Jan")
		}
	}
}

// step is one of those that lead to live cards.
type step struct {
	Text, Path string
	Done       bool
}

// steps is the list of what to do before a firm takes live cards.
func (s *Service) steps(r *http.Request, d Desk) ([]step, error) {
	clients, err := s.ask.Clients(r, d.caller())
	if err != nil {
		return nil, err
	}
	people, err := s.ask.Members(r, d.caller())
	if err != nil {
		return nil, err
	}
	trial := d.caller()
	trial.Mode = testMode
	tried, err := s.ask.Registrations(r, trial, url.Values{"limit": {"1"}})
	if err != nil {
		return nil, err
	}
	active := func(mode string, also func(backend.Client) bool) bool {
		return slices.ContainsFunc(clients, func(c backend.Client) bool { return c.Mode == mode && !c.Revoked && also(c) })
	}
	any := func(backend.Client) bool { return true }
	looking := 0
	for _, m := range people {
		if m.Status == "active" && m.Role != "viewer" {
			looking++
		}
	}
	test, live := base(d.Firm.ID, testMode), base(d.Firm.ID, liveMode)
	return []step{
		{"Make a test client", test + "/clients", active(testMode, any)},
		{"Register a published test number", test + "/registrations", len(tried.Data) > 0},
		{"Have a second owner or admin, so that nobody is locked out", test + "/people", looking > 1},
		{"Make a live client, with no more scopes than it needs", live + "/clients", active(liveMode, any)},
		{"Use the live client once", live + "/clients", active(liveMode, func(c backend.Client) bool { return !c.LastUsed.IsZero() })},
	}, nil
}
