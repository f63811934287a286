package cardform

import (
	"errors"
	"net/http"

	"ccms/internal/page"
	"ccms/internal/problem"
)

// endedData is the data of ended.html: a page for a link on which no card can be
// entered any more, or never could.
type endedData struct {
	Text  []string
	Good  bool   // a card was registered
	Go    string // URL that leads on, "" for none
	Label string // of it
	Frame frame
}

// ended shows what became of a link. That it was used is the page people see
// right after they used it, too.
func (s *Service) ended(w http.ResponseWriter, r *http.Request, k link) error {
	l := s.language(r)
	firm := isolate(k.Firm)
	d := endedData{Frame: frame{k.Origin, k.State, k.Registration}}
	key, status := "hosted."+k.State, http.StatusGone
	switch {
	case k.State == "used":
		status = http.StatusOK
		key += "." + became(k.Registration)
		d.Good = became(k.Registration) != "rejected"
		d.Text = []string{l.T(key+".text", firm), l.T("hosted.used.once")}
	case k.framed:
		d.Text = []string{l.T("hosted.reload")}
	default:
		d.Text = []string{l.T("hosted.ask", firm)}
	}
	if k.ReturnURL != "" && !k.framed {
		d.Go, d.Label = k.returnWith(k.Registration), l.T("hosted.return", isolate(hostOf(k.ReturnURL)))
	}
	v := page.View{Language: l, Title: l.T(key, firm), Here: r.URL.Path, Hosted: true, Data: d}
	return s.pages.Render(w, status, "ended.html", framed(r, v, k))
}

// became sorts what a registration can become into what a person is told.
func became(o *outcome) string {
	if o == nil {
		return "verified"
	}
	switch o.Status {
	case "pending":
		return "pending"
	case "rejected", "failed":
		return "rejected"
	}
	return "verified"
}

// refused shows why there is no link to show. It names no firm: who is at the
// page may hold no more than a guess.
func (s *Service) refused(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*problem.Error](err)
	key, status := "hosted.unknown", http.StatusNotFound
	switch {
	case ok && e.Code == "LINK_WITHDRAWN":
		key, status = "hosted.withdrawn", http.StatusGone
	case !ok || e.Kind != problem.NotFound:
		return err
	}
	l := s.language(r)
	v := page.View{Language: l, Title: l.T(key), Here: r.URL.Path, Hosted: true, Data: endedData{Text: []string{l.T(key + ".text")}}}
	return s.pages.Render(w, status, "ended.html", v)
}
