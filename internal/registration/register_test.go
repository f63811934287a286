package registration_test

import (
	"regexp"
	"testing"
)

func TestARegisteredCardIsVerified(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	id := w.register(as, visa)
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("the id %q is no UUID of version 7", id)
	}
	got := w.statusOf(as, id)
	if got.ID != id || got.Status != "verified" || got.Brand != "Visa" || got.Last4 != "1111" || got.Expiry != "12/2030" ||
		got.CVVStatus != "unchecked" || !regexp.MustCompile(`^tok_[a-z2-7]{26}$`).MatchString(got.Token) {
		t.Errorf("got %+v", got)
	}
}
