package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/frame"
	"ccms/internal/console/overview"
)

// maxCounted bounds how many registrations the overview counts: its cost does
// not grow with how many there are.
const maxCounted = 1000

// homeData is the data of home.html.
type homeData struct {
	frame.Sheet
	Days     int // 7 or 30
	Figures  overview.Figures
	Steps    []step
	Troubled []backend.Webhook // those that take nothing, or were switched off for it
	Complete bool              // all of the period were counted
	Counted  int
}

func (s *service) home(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := homeData{Sheet: frame.Sheet{Desk: d}, Days: 7}
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
		data.Figures, data.Counted, data.Complete = overview.Count(rows, from, data.Days), len(rows), complete
		if data.Steps, err = s.steps(r, d); err != nil {
			return err
		}
		if data.Troubled, err = s.troubled(r, d); err != nil {
			return err
		}
	}
	return d.Show(w, r, frame.Shown{Title: d.Firm.Name, Page: "home.html", Data: data})
}

// recent returns the registrations since from, the newest first, at most
// maxCounted, and whether those are all.
func (s *service) recent(r *http.Request, d frame.Desk, from time.Time) (rows []backend.Registration, complete bool, err error) {
	q := url.Values{"from": {from.Format(time.DateOnly)}, "limit": {"100"}}
	for cursor := ""; len(rows) < maxCounted; {
		list, err := s.ask.Registrations(r, d.Caller(), frame.Onward(q, cursor))
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

// troubled are the webhooks somebody has to look after; whoever may not sees none.
func (s *service) troubled(r *http.Request, d frame.Desk) ([]backend.Webhook, error) {
	if !d.Manages() {
		return nil, nil
	}
	all, err := s.ask.Webhooks(r, d.Caller())
	return slices.DeleteFunc(all, func(h backend.Webhook) bool { return h.Reason == "" && (!h.Enabled() || h.Failing.IsZero()) }), err
}

// step is one of those that lead to live cards.
type step struct {
	Text, Path string
	Done       bool
}

// steps is the list of what to do before a firm takes live cards.
func (s *service) steps(r *http.Request, d frame.Desk) ([]step, error) {
	clients, err := s.ask.Clients(r, d.Caller())
	if err != nil {
		return nil, err
	}
	people, err := s.ask.Members(r, d.Caller())
	if err != nil {
		return nil, err
	}
	trial := d.Caller()
	trial.Mode = frame.Test
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
	test, live := frame.Base(d.Firm.ID, frame.Test), frame.Base(d.Firm.ID, frame.Live)
	return []step{
		{"Make a test client", test + "/clients", active(frame.Test, any)},
		{"Register a published test number", test + "/registrations", len(tried.Data) > 0},
		{"Have a second owner or admin, so that nobody is locked out", test + "/people", looking > 1},
		{"Make a live client, with no more scopes than it needs", live + "/clients", active(frame.Live, any)},
		{"Use the live client once", live + "/clients", active(frame.Live, func(c backend.Client) bool { return !c.LastUsed.IsZero() })},
	}, nil
}
