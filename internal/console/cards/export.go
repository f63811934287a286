package cards

import (
	"net/http"
	"strings"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
	"ccms/internal/console/frame"
	"ccms/internal/console/spreadsheet"
)

func (s *service) exportRegistrations(w http.ResponseWriter, r *http.Request, d frame.Desk) error {
	form := d.NewForm(forms.Registrations(r.URL.Query())...)
	q := forms.Asked(forms.Chosen(r.URL.Query(), form), form)
	if err := forms.Refused(form); err != nil {
		return err
	}
	q.Set("limit", "100")
	return spreadsheet.Send(w, spreadsheet.File{
		Name:   spreadsheet.Name("registrations-"+d.Mode, s.now()),
		Header: []string{"registration_id", "mode", "status", "reason", "flags", "brand", "last4", "expiry", "token", "cvv_status", "reference", "registered_by", "created_at", "decided_at"},
		Page: func(cursor string) ([][]string, string, error) {
			list, err := s.ask.Registrations(r, d.Caller(), frame.Onward(q, cursor))
			return spreadsheet.Rows(list.Data, registrationCells), list.Next, err
		},
	})
}

func registrationCells(v backend.Registration) []string {
	return []string{
		v.ID, v.Mode, v.Status, v.Reason, strings.Join(v.Flags, " "), v.Brand, v.Last4, v.Expiry, v.Token, v.CVVStatus,
		v.Reference, v.By, spreadsheet.Stamp(v.CreatedAt), spreadsheet.Stamp(v.DecidedAt),
	}
}
