package access

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/console/spreadsheet"
	"ccms/internal/page"
)

const (
	// auditPages bounds how many pages of the record one page here looks at when
	// a filter leaves most of it out.
	auditPages = 10
	auditRows  = 50
)

// auditData is the data of audit.html.
type auditData struct {
	frame.Sheet
	Log         string // people or cards
	Logs        []page.Link
	Rows        []record
	Next, First string // paths
	Export      string
}

// record is a line of the page.
type record struct {
	backend.Record
	Who string // his address or the client's name, else Actor
}

// auditLog is one of the two records: of people and clients, which the login
// service keeps, and of cards, which the card service does.
func (s *service) auditLog(r *http.Request, d frame.Desk) (name string, list func(url.Values) (backend.Page[backend.Record], error)) {
	if r.URL.Query().Get("log") == "people" || !d.Member() {
		return "people", func(q url.Values) (backend.Page[backend.Record], error) { return s.ask.FirmRecords(r, d.Caller(), q) }
	}
	return "cards", func(q url.Values) (backend.Page[backend.Record], error) { return s.ask.CardRecords(r, d.Caller(), q) }
}

// matching are the records whose act begins with act.
func matching(all []backend.Record, act string) []backend.Record {
	var kept []backend.Record
	for _, v := range all {
		if strings.HasPrefix(v.Act, act) {
			kept = append(kept, v)
		}
	}
	return kept
}

func (s *service) audit(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	log, list := s.auditLog(r, d)
	data := auditData{Log: log, Logs: logs(d, log), Sheet: frame.Sheet{Desk: d, Form: d.NewForm(forms.Audit(r.URL.Query(), s.now())...)}}
	path, q, act := d.Base()+"/audit", forms.AuditQuery(data.Form), data.Form.Field("act").Value
	chosen := url.Values{"log": {log}, "act": {act}, "from": {data.Form.Field("from").Value}, "to": {data.Form.Field("to").Value}}
	data.Export = frame.WithQuery(path+".csv", chosen)
	cursor := r.URL.Query().Get("cursor")
	if cursor != "" {
		data.First = frame.WithQuery(path, chosen)
	}
	if data.Good() {
		rows, next, err := search(list, frame.Onward(q, cursor), act)
		if err := data.Refused(err, nil); err != nil {
			return err
		}
		if next != "" {
			chosen.Set("cursor", next)
			data.Next = frame.WithQuery(path, chosen)
		}
		names, err := s.names(r, d)
		if err != nil {
			return err
		}
		data.Rows = lined(rows, names)
	}
	return d.Show(w, r, frame.Shown{Title: "Audit", Page: "audit.html", Data: data, Status: data.Status()})
}

// logs are the records there are for whom the desk is.
func logs(d frame.Desk, log string) []page.Link {
	if !d.Member() || d.Firm.Role == "viewer" {
		return nil // he sees one of them
	}
	path := d.Base() + "/audit"
	return []page.Link{
		{Text: "Cards", Path: path, Here: log == "cards"},
		{Text: "People and clients", Path: path + "?log=people", Here: log == "people"},
	}
}

// search reads a log until a page is full, or it looked far enough.
func search(list func(url.Values) (backend.Page[backend.Record], error), q url.Values, act string) (rows []backend.Record, next string, err error) {
	for range auditPages {
		got, err := list(q)
		if err != nil {
			return nil, "", err
		}
		rows, next = append(rows, matching(got.Data, act)...), got.Next
		if next == "" || len(rows) >= auditRows {
			break
		}
		q.Set("cursor", next)
	}
	return rows, next, nil
}

// names are those of the people and clients of a firm, by id.
func (s *service) names(r *http.Request, d frame.Desk) (map[string]string, error) {
	names := map[string]string{}
	people, err := s.ask.Members(r, d.Caller())
	if err != nil {
		return nil, err
	}
	for _, m := range people {
		names[m.ID] = m.Email
	}
	if !d.Member() {
		return names, nil
	}
	clients, err := s.ask.Clients(r, d.Caller())
	for _, c := range clients {
		names[c.ID] = c.Name
	}
	return names, err
}

// lined are the rows with names, without those written before an act whose
// outcome is among them.
func lined(rows []backend.Record, names map[string]string) []record {
	ended := map[string]bool{}
	for _, v := range rows {
		if v.Begin != "" {
			ended[v.Begin] = true
		}
	}
	var all []record
	for _, v := range rows {
		if !ended[v.Record] {
			all = append(all, record{v, cmp.Or(names[v.Actor], v.Actor)})
		}
	}
	return all
}

func (s *service) exportAudit(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	log, list := s.auditLog(r, d)
	form := d.NewForm(forms.Audit(r.URL.Query(), s.now())...)
	q, act := forms.AuditQuery(form), form.Field("act").Value
	if err := forms.Refused(form); err != nil {
		return err
	}
	return spreadsheet.Send(w, spreadsheet.File{
		Name:   spreadsheet.Name("audit-"+log+"-"+d.Mode, s.now()),
		Header: []string{"time", "act", "result", "actor", "object", "reason", "from", "request", "record"},
		Page: func(cursor string) ([][]string, string, error) {
			got, err := list(frame.Onward(q, cursor))
			return spreadsheet.Rows(matching(got.Data, act), recordCells), got.Next, err
		},
	})
}

func recordCells(v backend.Record) []string {
	return []string{spreadsheet.Stamp(v.Time), v.Act, v.Result, v.Actor, v.Object, v.Reason, v.From, v.Request, v.Record}
}
