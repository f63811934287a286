package registration_test

import (
	"strings"
	"testing"

	"ccms/internal/card"
	"ccms/internal/problem"
	"ccms/internal/registration"
	"ccms/internal/secret"
)

func typed(id, number string) registration.Submission {
	return registration.Submission{
		ID: id, FirmID: "firm_a", Mode: "test", Actor: "link_x", From: "192.0.2.7",
		Number: secret.NewString(number), Expiry: "12/30", Code: card.NewCode("123"), Name: secret.NewString("John Doe"), Reference: "order 7",
	}
}

func TestASubmissionIsARegistration(t *testing.T) {
	w := newWorld(t)
	id := w.service.NewID()
	exists := func(want bool) {
		t.Helper()
		if got, err := w.service.Exists(t.Context(), "firm_a", "test", id); err != nil || got != want {
			t.Errorf("it is there: %v, %v", got, err)
		}
	}
	exists(false)
	for range 2 {
		must(t, w.service.Submit(t.Context(), typed(id, visa)))
		exists(true)
	}
	as := client("firm_a", "test")
	if got := w.statusOf(as, id); got.Status != "verified" || got.Last4 != "1111" {
		t.Errorf("got %+v", got)
	}
	if all := w.listAll(as, ""); len(all) != 1 || all[0].By != "link_x" || all[0].Reference != "order 7" {
		t.Errorf("listed %+v", all)
	}
	if on := w.acts(t, "registration.create", "success"); on[0].Actor != "link_x" || on[0].From != "192.0.2.7" || on[0].Object != id {
		t.Errorf("on record: %+v", on)
	}
	for _, other := range [][2]string{{"firm_b", "test"}, {"firm_a", "live"}} {
		if got, err := w.service.Exists(t.Context(), other[0], other[1], id); err != nil || got {
			t.Errorf("it is there for %q: %v, %v", other, got, err)
		}
	}
}

func TestASubmissionIsHeldToTheSameRules(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*registration.Submission)
		code   string
	}{
		"no number":           {func(s *registration.Submission) { s.Number = secret.Bytes{} }, "INVALID_CARD"},
		"a live number":       {func(s *registration.Submission) { s.Number = secret.NewString(anyNumber()) }, "INVALID_CARD"},
		"bytes for a number":  {func(s *registration.Submission) { s.Number = secret.NewString("4111\xff") }, "INVALID_CARD"},
		"a month that passed": {func(s *registration.Submission) { s.Expiry = "12/20" }, "INVALID_EXPIRY"},
		"a short code":        {func(s *registration.Submission) { s.Code = card.NewCode("1") }, "INVALID_CVV"},
		"no name":             {func(s *registration.Submission) { s.Name = secret.Bytes{} }, "VALIDATION_ERROR"},
		"a number as a name":  {func(s *registration.Submission) { s.Name = secret.NewString(visa) }, "VALIDATION_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			s := typed(w.service.NewID(), visa)
			c.change(&s)
			err := w.service.Submit(t.Context(), s)
			if problem.From(err).Code != c.code || strings.Contains(err.Error(), "4111") {
				t.Errorf("got %v", err)
			}
		})
	}
}
