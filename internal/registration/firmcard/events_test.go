package firmcard_test

import (
	"context"
	"testing"

	"ccms/internal/webhook"
)

// TestAFirmIsToldWhatBecomesOfACard would fail if an act were not told, or one
// that changes nothing or failed were.
func TestAFirmIsToldWhatBecomesOfACard(t *testing.T) {
	w := newWorld(t)
	var told []webhook.Event
	w.announce = func(_ context.Context, e webhook.Event) (func(), error) {
		return func() { told = append(told, e) }, nil
	}
	w.service, w.handler = w.process()
	c := w.put(acme, "test", visa)
	path := "/v1/cards/" + c.Token
	for _, r := range []request{
		{acmeTest, "PATCH", "", `{"status":"enabled"}`}, // as it is
		{acmeTest, "PATCH", "", `{"status":"disabled"}`},
		{acmeTest, "POST", "/reveal", `{"reason":"x"}`}, // refused: it is disabled
		{acmeTest, "PATCH", "", `{"status":"disabled"}`},
		{acmeTest, "PATCH", "", `{"status":"enabled"}`},
		{acmeTest, "POST", "/reveal", `{"reason":"chargeback"}`},
		{otherTest, "DELETE", "", ""},
		{acmeTest, "DELETE", "", ""},
		{acmeTest, "DELETE", "", ""},
	} {
		w.do(r.as, r.method, path+r.path, r.body)
	}
	want := []string{webhook.CardDisabled, webhook.CardEnabled, webhook.CardRevealed, webhook.CardDeleted}
	if len(told) != len(want) {
		t.Fatalf("told %+v", told)
	}
	ids := map[string]bool{}
	for i, e := range told {
		ids[e.ID] = true
		if e.Type != want[i] || e.FirmID != acme || e.Mode != "test" || e.Data.Token != c.Token || e.Data.Brand != "Visa" || e.Data.Last4 != "1111" || e.Data.Mode != "test" {
			t.Errorf("told %+v, want %s", e, want[i])
		}
	}
	if len(ids) != len(want) || told[0].Data.Status != "disabled" || told[2].Data.Reason != "chargeback" || told[3].Data.Status != "deleted" {
		t.Errorf("told %+v", told)
	}
	for i, happened := range []bool{false, false, true, true} { // now that it is deleted
		if got, err := w.service.Happened(t.Context(), told[i]); got != happened || err != nil {
			t.Errorf("%s happened: %v, %v", told[i].Type, got, err)
		}
	}
}
