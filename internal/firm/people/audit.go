package people

import (
	"net/http"
	"net/url"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// getAudit lists who did what to the firm, the oldest first. A page may be short,
// even empty, and not the last.
func (s *Service) getAudit(r *http.Request, _ httpserver.None) (list[audit.Row], error) {
	out := list[audit.Row]{Data: []audit.Row{}}
	w, err := s.stand(r, mayAudit())
	if err != nil {
		return out, err
	}
	f, err := parsePeriod(r.URL.Query())
	if err != nil {
		return out, err
	}
	rows, next, err := s.firms.Records(r.Context(), firm.CallerOf(r), w.Firm.ID, f)
	out.Data, out.Next = append(out.Data, rows...), next
	return out, err
}

// parsePeriod reads from and to, each a day or a time, and where to go on.
func parsePeriod(q url.Values) (f audit.Filter, err error) {
	if f.From, err = parseTime(q.Get("from")); err == nil {
		f.To, err = parseTime(q.Get("to"))
	}
	f.After = q.Get("cursor")
	return f, err
}

// parseTime reads a time in RFC 3339, or a day, which begins at midnight UTC;
// nothing is the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, problem.Validation("Send from and to as 2026-11-30 or 2026-11-30T08:00:00Z.")
}
