package people

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ccms/internal/firm"
)

func TestAFirmAndItsFirstClient(t *testing.T) {
	t.Parallel()
	h, ctx := open(t), t.Context()
	made, err := h.firms.CreateWithClient(ctx, firm.Administrator(), firm.NewFirm{Name: "Acme"}, firm.NewClient{})
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte{}, made.ClientSecret.Reveal()...)
	c, err := h.firms.Active(ctx, made.ClientID)
	if err != nil || c.FirmID != made.FirmID || c.Mode != firm.Test || strings.Join(c.Scopes, " ") != "cards:register cards:read reports:read webhooks:manage" {
		t.Errorf("%+v, %v", c, err)
	}
	if !c.Matches(text, h.now()) || c.Matches(text[1:], h.now()) || c.Matches(append(text, '0'), h.now()) {
		t.Error("the secret is not the client's alone")
	}
	a := h.want(http.StatusOK, "service", "GET", "/internal/clients/"+c.ID, "")
	if a.text("firm_id") != made.FirmID || a.body["active"] != true {
		t.Error(a.raw)
	}
	for _, suspended := range []bool{true, false} {
		if _, err := h.firms.Suspend(ctx, firm.Administrator(), made.FirmID, suspended); err != nil {
			t.Error(err)
		}
		if _, err := h.firms.Active(ctx, c.ID); errors.Is(err, firm.ErrInactive) != suspended {
			t.Errorf("suspended %t: %v", suspended, err)
		}
		if a := h.want(http.StatusOK, "service", "GET", "/internal/firms/"+made.FirmID, ""); a.body["suspended"] != suspended {
			t.Error(a.raw)
		}
	}
	if _, err := h.firms.Revoke(ctx, firm.Administrator(), c.ID); err != nil {
		t.Error(err)
	}
	if _, err := h.firms.Active(ctx, c.ID); !errors.Is(err, firm.ErrInactive) {
		t.Errorf("a revoked client is active: %v", err)
	}
}

func TestASecretLivesOnForTheOverlap(t *testing.T) {
	t.Parallel()
	h, ctx := open(t), t.Context()
	f := h.firm("Acme", "olga")
	a := h.want(http.StatusCreated, "olga", "POST", "/api/firms/"+f.ID+"/clients", `{"name":"till"}`)
	at, first := "/api/firms/"+f.ID+"/clients/"+a.text("client_id"), a.text("client_secret")
	second := h.want(http.StatusOK, "olga", "POST", at+"/rotate", `{}`).text("client_secret")
	good := func(text string) bool {
		return must(h.firms.Active(ctx, a.text("client_id"))).Matches([]byte(text), h.now())
	}
	if !good(first) || !good(second) || first == second {
		t.Error("not both secrets are good during the overlap")
	}
	third := h.want(http.StatusOK, "olga", "POST", at+"/rotate", `{"overlap":3600}`).text("client_secret")
	if good(first) || !good(second) || !good(third) {
		t.Error("not the newest two are good")
	}
	h.pass(time.Hour)
	if good(second) || !good(third) {
		t.Error("the older secret outlives the overlap")
	}
	fourth := h.want(http.StatusOK, "olga", "POST", at+"/rotate", `{"overlap":0}`).text("client_secret")
	if good(third) || !good(fourth) {
		t.Error("without overlap the older secret lives on")
	}
	if a := h.want(http.StatusOK, "olga", "GET", at, ""); strings.Contains(a.raw, "ccms_secret_") || len(a.body["secrets"].([]any)) != 1 {
		t.Error(a.raw)
	}
	for _, overlap := range []string{"-1", "2592001", "9223372036854775807", "1.5", `"1"`} {
		h.want(http.StatusBadRequest, "olga", "POST", at+"/rotate", `{"overlap":`+overlap+`}`)
	}
}
