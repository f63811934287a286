package console

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/spreadsheet"
	"ccms/internal/page"
	"ccms/internal/problem"
)

func (s *Service) exportRegistrations(w http.ResponseWriter, r *http.Request, d Desk) error {
	form := s.forms.Registrations(r.URL.Query())
	q := forms.Asked(forms.Chosen(r.URL.Query(), form), form)
	if err := refusedFilter(form); err != nil {
		return err
	}
	q.Set("limit", "100")
	return spreadsheet.Send(w, spreadsheet.File{
		Name:   fileName("registrations", d, s.now()),
		Header: []string{"registration_id", "mode", "status", "reason", "flags", "brand", "last4", "expiry", "token", "cvv_status", "reference", "registered_by", "created_at", "decided_at"},
		Page: func(cursor string) ([][]string, string, error) {
			list, err := s.ask.Registrations(r, d.caller(), onward(q, cursor))
			return spreadsheet.Rows(list.Data, registrationCells), list.Next, err
		},
	})
}

func fileName(what string, d Desk, now time.Time) string {
	return what + "-" + d.Mode + "-" + now.UTC().Format("20060102-1504") + ".csv"
}

// onward adds a cursor to a query.
func onward(q url.Values, cursor string) url.Values {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}

func registrationCells(v backend.Registration) []string {
	return []string{
		v.ID, v.Mode, v.Status, v.Reason, strings.Join(v.Flags, " "), v.Brand, v.Last4, v.Expiry, v.Token, v.CVVStatus,
		v.Reference, v.By, spreadsheet.Stamp(v.CreatedAt), spreadsheet.Stamp(v.DecidedAt),
	}
}

// refusedFilter is what is wrong with a filter, nil when nothing is.
func refusedFilter(form *page.Form) error {
	if wrong := form.Wrong(); len(wrong) > 0 {
		return problem.Validation(wrong[0].Error + ".")
	}
	return nil
}
