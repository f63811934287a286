package reports

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/problem"
)

// chunkTime is how long a chunk of a file may take to reach the person.
const (
	chunk     = 32 << 10
	chunkTime = time.Minute
)

// file is one that can be taken home.
type file struct{ Path, Text, Format string }

// formats are those of the card service, with what they are called.
var formats = [...]struct{ name, text string }{{"csv", "CSV"}, {"ndjson", "NDJSON"}, {"json", "JSON"}}

// files are what can be had of a query: its figures, and each registration.
func files(d frame.Desk, q query) []file {
	var all []file
	for _, what := range []struct{ name, text string }{{"figures", "The figures"}, {"registrations", "Each registration"}} {
		for _, f := range formats {
			asked := url.Values{"what": {what.name}, "format": {f.name}, "by": {q.by}, "from": {q.form.Field("from").Value}, "to": {q.form.Field("to").Value}}
			all = append(all, file{frame.WithQuery(d.Base()+"/reports/file", asked), what.text, f.text})
		}
	}
	return all
}

// file passes a report on as it comes, however long it is. What fails before its
// first byte is answered as an error; after it the connection breaks, so that
// nobody takes a part for the whole.
func (s *service) file(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	q := s.read(r, d)
	if err := forms.Refused(q.form); err != nil {
		return err
	}
	asked, what, format := q.asked(), r.URL.Query().Get("what"), r.URL.Query().Get("format")
	switch what {
	case "figures":
		asked.Set("group", q.group())
	case "registrations":
	default:
		return problem.Validation("Choose the figures or the registrations.")
	}
	asked.Set("format", format)
	res, err := s.ask.Report(r, d.Caller(), asked)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	h := w.Header()
	h.Set("Content-Type", res.Header.Get("Content-Type"))
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", what+"-"+d.Mode+"-"+q.first.Format("20060102")+"-"+q.last.Format("20060102")+"."+format))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return pass(w, res.Body)
}

// pass copies from to w, chunk by chunk.
func pass(w http.ResponseWriter, from io.Reader) error {
	clock, buffer := http.NewResponseController(w), make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_ = clock.SetWriteDeadline(time.Now().Add(chunkTime)) // of the connection: the real clock's
			if _, gone := w.Write(buffer[:n]); gone != nil {
				return nil // nobody is left to tell
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			panic(http.ErrAbortHandler)
		}
	}
}
