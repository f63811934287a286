package registration_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"ccms/internal/store/storetest"
)

func settingsCall(method, as, body string) call {
	return call{method: method, path: "/v1/settings", as: as, body: body}
}

// TestSettingsTakeBackWhatTheyGive also would fail if the signing secret came
// twice, or were lost with what was put back.
func TestSettingsTakeBackWhatTheyGive(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	if got := w.do(settingsCall("GET", as, "")); got.body != `{"verification":{"velocity":"flag","bin_walk":"flag"}}` {
		t.Errorf("a firm that set nothing has %s", got.body)
	}
	in := `{"verification":{"brands":["Visa"],"bin_deny":["400000"],"velocity":"refuse","bin_walk":"flag","endpoint":{"url":"https://firm.example/verify"}}}`
	first := w.do(settingsCall("PUT", as, in))
	want(t, first, 200, "")
	if strings.Count(first.body, `"signing_secret":"whsec_`) != 1 {
		t.Fatalf("no signing secret in %s", first.body)
	}
	got := w.do(settingsCall("GET", as, ""))
	want(t, got, 200, "")
	if strings.Contains(got.body, "whsec_") || strings.Contains(got.body, "signing_secret") || !strings.Contains(got.body, `"secret_version":1`) {
		t.Errorf("given %s", got.body)
	}
	again := w.do(settingsCall("PUT", as, got.body))
	if want(t, again, 200, ""); again.body != got.body {
		t.Errorf("%s became %s", got.body, again.body)
	}
	raised := w.do(settingsCall("PUT", as, strings.Replace(got.body, `"secret_version":1`, `"secret_version":2`, 1)))
	if want(t, raised, 200, ""); strings.Count(raised.body, `"signing_secret":"whsec_`) != 1 {
		t.Errorf("a raised version gave %s", raised.body)
	}
	for _, forgot := range []string{`{}`, `{"verification":null}`} {
		want(t, w.do(settingsCall("PUT", as, forgot)), 400, "VALIDATION_ERROR")
	}
	want(t, w.do(settingsCall("PUT", as, `{"verification":{}}`)), 200, "")
	if got := w.do(settingsCall("GET", as, "")); strings.Contains(got.body, "endpoint") || strings.Contains(got.body, "Visa") {
		t.Errorf("emptied, they are %s", got.body)
	}
	if strings.Contains(w.logged.String(), "whsec_") {
		t.Error("a secret is in the log")
	}
}

func TestSettingsThatAreNone(t *testing.T) {
	w := newWorld(t)
	for _, body := range []string{
		`[]`, `{"verification":1}`, `{"verification":{"brands":["Nobody"]}}`, `{"verification":{"bin_deny":["41"]}}`, `{"verification":{"bin_allow":["4111111111111111"]}}`,
		`{"verification":{"velocity":"ignore"}}`, `{"verification":{"endpoint":{"url":"ftp://firm.example"}}}`, `{"verification":{"endpoint":{"url":"http://169.254.169.254/"}}}`,
		`{"verification":{"endpoint":{"url":"https://firm.example","send_code":true}}}`, `{"verification":{},"signing_secret":"x"}`, `{"verification":{"unknown":1}}`,
	} {
		a := w.do(settingsCall("PUT", client("firm_a", "test"), body))
		want(t, a, 400, "VALIDATION_ERROR")
		w.secretive(t, a, "4111111111111111", "169.254")
	}
	want(t, w.do(settingsCall("PUT", client("firm_a", "live"), `{"verification":{"endpoint":{"url":"http://firm.example/"}}}`)), 400, "VALIDATION_ERROR")
}

// TestTestSettingsDoNotReachLive would fail if a test client could change what
// holds for live cards.
func TestTestSettingsDoNotReachLive(t *testing.T) {
	w := newWorld(t)
	want(t, w.do(settingsCall("PUT", client("firm_a", "test"), `{"verification":{"brands":["Mastercard"]}}`)), 200, "")
	live := client("firm_a", "live")
	if got := w.statusOf(live, w.register(live, anyNumber())); got.Status != "verified" {
		t.Errorf("got %+v", got)
	}
}

// TestAChangeHoldsAtOnceHereAndSoonElsewhere is about what processes remember.
func TestAChangeHoldsAtOnceHereAndSoonElsewhere(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	here := w.handler
	_, there := w.process()
	register := func(what string, want string) {
		t.Helper()
		if got := w.statusOf(as, w.register(as, visa)); got.Status != want {
			t.Errorf("%s: %+v", what, got)
		}
	}
	w.handler = there
	register("before", "verified")
	w.handler = here
	want(t, w.do(settingsCall("PUT", as, `{"verification":{"bin_deny":["411111"]}}`)), 200, "")
	register("here", "rejected")
	w.clock.Advance(1e9)
	w.handler = there
	register("elsewhere", "rejected")
}

func TestSettingsOfManyAtOnce(t *testing.T) {
	w := newWorld(t)
	as := client("firm_a", "test")
	var group sync.WaitGroup
	for _, brand := range []string{"Visa", "Mastercard", "Elo", "JCB"} {
		for range 5 {
			group.Go(func() {
				if a := w.do(settingsCall("PUT", as, `{"verification":{"brands":["`+brand+`"]}}`)); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			})
		}
	}
	group.Wait()
	if got := w.do(settingsCall("GET", as, "")); strings.Count(got.body, `"brands":[`) != 1 {
		t.Errorf("got %s", got.body)
	}
}

func TestSettingsThatCannotBeReadStopARegistration(t *testing.T) {
	w := newWorld(t)
	w.db.Add(storetest.Rule{Collection: "FirmSettings", Err: errors.New("disk")})
	want(t, w.do(registerCall(client("firm_a", "test"), visa)), 503, "DATABASE_ERROR")
	want(t, w.do(settingsCall("GET", client("firm_a", "test"), "")), 503, "DATABASE_ERROR")
}
