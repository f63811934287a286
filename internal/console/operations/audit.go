package operations

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/console/frame"
	"ccms/internal/upstream"
)

// check is what the last check of a service's audit log found.
type check struct {
	Name    string `json:"-"`
	Service string `json:"service"`
	Task
	Records     int64   `json:"records"`
	Checkpoints int64   `json:"checkpoints"`
	Broken      *broken `json:"broken"`
}

// broken is the first place that was altered.
type broken struct {
	Chain  string `json:"chain"`
	Number int64  `json:"number"`
	What   string `json:"what"`
}

// auditData is the data of audit-log.html.
type auditData struct {
	frame.Sheet
	Checks []check
}

func (s *service) audit(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := auditData{Sheet: frame.Sheet{Desk: d, Done: frame.Done(r, map[string]string{
		"verify": "The check has begun. A large log takes minutes; look here again.",
	})}}
	for _, h := range holders() {
		c := check{Name: h.name}
		if err := s.ask(r, d, h, upstream.Call{Method: http.MethodGet, Path: "/audit", Out: &c}); err != nil {
			return err
		}
		data.Checks = append(data.Checks, c)
	}
	return d.Show(w, r, frame.Shown{Title: "Audit log", Page: "audit-log.html", Data: data})
}

func (s *service) verify(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	return s.begin(w, r, d, func(holder) (upstream.Call, string) {
		return upstream.Call{Method: http.MethodPost, Path: "/audit/verify"}, path("audit", url.Values{"done": {"verify"}})
	})
}

// heads sends where all logs end, as the file that ccms audit verify --head reads.
func (s *service) heads(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	var all []jsontext.Value
	for _, h := range holders() {
		var one jsontext.Value
		if err := s.ask(r, d, h, upstream.Call{Method: http.MethodGet, Path: "/audit/head", Out: &one}); err != nil {
			return err
		}
		all = append(all, one)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode heads: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit-heads-`+s.c.Now().UTC().Format(time.DateOnly)+`.json"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n')) // the reader may have gone
	return nil
}

// backup is the last one.
type backup struct {
	At        time.Time `json:"at"`
	By        string    `json:"by"`
	Size      int64     `json:"size"`
	Documents int64     `json:"documents"`
}

// Count writes the documents for people, Megabytes the size.
func (b backup) Count() string     { return count(b.Documents) }
func (b backup) Megabytes() string { return fmt.Sprintf("%.1f MB", float64(b.Size)/1e6) }

// backupsData is the data of backups.html.
type backupsData struct {
	frame.Sheet
	Last *backup
	Old  bool // longer ago than a day
}

func (s *service) backups(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	data := backupsData{Sheet: frame.Sheet{Desk: d}}
	out := struct {
		Last **backup `json:"last"`
	}{&data.Last}
	if err := s.ask(r, d, holders()[0], upstream.Call{Method: http.MethodGet, Path: "/backup", Out: &out}); err != nil {
		return err
	}
	data.Old = data.Last != nil && s.c.Now().Sub(data.Last.At) > 24*time.Hour
	return d.Show(w, r, frame.Shown{Title: "Backups", Page: "backups.html", Data: data})
}
