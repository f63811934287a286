package backend

import (
	"net/http"
	"net/url"

	"ccms/internal/upstream"
)

// Count is a line of a report that counts; what is not counted by is "".
type Count struct {
	Day    string `json:"day"` // 2026-11-30, of UTC
	Brand  string `json:"brand"`
	Status string `json:"status"`
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

func reportPath(q url.Values) string { return query("/v1/reports/registrations", q) }

// Counts returns the lines of a report of registrations, of which q says from, to
// and group.
func (b *Backend) Counts(r *http.Request, c Caller, q url.Values) ([]Count, error) {
	var out Page[Count]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: reportPath(q), Out: &out})
	return out.Data, err
}

// Report opens a report, in the format q says, to be passed on as it comes. The
// caller closes its Body.
func (b *Backend) Report(r *http.Request, c Caller, q url.Values) (*http.Response, error) {
	return b.up.Open(r, c.cards(upstream.Call{Method: http.MethodGet, Path: reportPath(q)}))
}
