package hosted_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
	"ccms/internal/registration"
	"ccms/internal/registration/hosted"
	"ccms/internal/registration/ledger"
	"ccms/internal/registration/link"
)

const visa = "4111111111111111"

// world plays links and registrations: one link, whose secret is "s".
type world struct {
	state    link.State
	submit   error
	status   ledger.Status
	statused error
	taken    []registration.Submission
	typed    []string // what was in them, before it was wiped
}

func (w *world) Open(_ context.Context, secret string) (link.View, error) {
	if secret != "s" {
		return link.View{}, problem.NoResource()
	}
	v := link.View{ID: "link_1", FirmID: "firm_1", Mode: "test", Kind: link.Embed, State: w.state, Reference: "order 7", Origin: "https://shop.example"}
	if w.state == link.Used {
		v.RegistrationID = "r-1"
	}
	return v, nil
}

func (w *world) Submit(ctx context.Context, secret string, register func(context.Context, link.Submission) error) error {
	v, err := w.Open(ctx, secret)
	if err != nil {
		return err
	}
	return register(ctx, link.Submission{View: v, RegistrationID: "r-1"})
}

// registrations are the other half of the world.
type registrations struct{ *world }

func (r registrations) Submit(_ context.Context, in registration.Submission) error {
	r.taken = append(r.taken, in)
	r.typed = append(r.typed, string(bytes.Clone(in.Number.Reveal()))+" "+string(bytes.Clone(in.Name.Reveal()))+" "+in.Expiry)
	return r.submit
}

func (r registrations) Status(_ context.Context, firm, mode, id string) (ledger.Status, error) {
	if firm != "firm_1" || mode != "test" || id != "r-1" {
		return ledger.Status{}, ledger.NotFound()
	}
	return r.status, r.statused
}

func (registrations) Accepts(context.Context, string, string) ([]string, error) {
	return []string{"visa"}, nil
}

func (w *world) start(t *testing.T) string {
	t.Helper()
	mux := httpserver.NewMux(slog.New(slog.DiscardHandler))
	hosted.New(hosted.Config{
		Links: w, Registrations: registrations{w},
		FirmName: func(context.Context, string) (string, error) { return "Acme", nil },
	}).Routes(mux)
	s, err := httpserver.Listen(t.Context(), httpserver.Config{
		Name: "test", Addr: "127.0.0.1:0", Handler: mux, Log: slog.New(slog.DiscardHandler),
		Prove: func(r *http.Request) string { return r.Header.Get("CCMS-Proof") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { stop(); http.DefaultClient.CloseIdleConnections(); <-done })
	return s.URL()
}

func post(t *testing.T, url, body, proof string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("CCMS-Proof", proof)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const (
	openPath   = "/internal/links/open"
	submitPath = "/internal/links/submit"
	entered    = `{"secret":"s","card_number":"` + visa + `","expiry_date":"12/2040","cvv":"737","cardholder_name":"Jane Doe"}`
)

func TestALinkSaysWhatThePageNeeds(t *testing.T) {
	w := &world{state: link.Ready, status: ledger.Status{ID: "r-1", Status: "verified", Token: "tok_1", Brand: "Visa", Last4: "1111", Expiry: "12/2040"}}
	base := w.start(t)
	const view = `{"firm":"Acme","mode":"embed","environment":"test","state":"open","reference":"order 7","origin":"https://shop.example","brands":["visa"]}`
	if status, body := post(t, base+openPath, `{"secret":"s"}`, "internal"); status != 200 || body != view {
		t.Errorf("%d %s", status, body)
	}
	w.state = link.Used
	used := strings.Replace(strings.Replace(view, "open", "used", 1), `,"brands":["visa"]}`, `,"registration":{"registration_id":"r-1","status":"verified"}}`, 1)
	if status, body := post(t, base+openPath, `{"secret":"s"}`, "internal"); status != 200 || body != used {
		t.Errorf("who opens it later sees more, or less: %d %s", status, body)
	}
	w.statused = ledger.NotFound() // the firm deleted it
	if status, body := post(t, base+openPath, `{"secret":"s"}`, "internal"); status != 200 || strings.Contains(body, "registration_id") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := post(t, base+openPath, `{"secret":"x"}`, "internal"); status != 404 {
		t.Errorf("an unknown link: %d", status)
	}
}

func TestACardIsRegisteredForTheLink(t *testing.T) {
	w := &world{state: link.Ready, status: ledger.Status{ID: "r-1", Status: "verified", Token: "tok_1", Brand: "Visa", Last4: "1111", Expiry: "12/2040", CVVStatus: "unchecked"}}
	base := w.start(t)
	const made = `{"registration_id":"r-1","status":"verified","brand":"Visa","last4":"1111","expiry":"12/2040"}`
	if status, body := post(t, base+submitPath, entered, "internal"); status != 200 || body != made {
		t.Errorf("%d %s", status, body)
	}
	in := w.taken[0]
	if w.typed[0] != visa+" Jane Doe 12/2040" || in.ID != "r-1" || in.FirmID != "firm_1" || in.Mode != "test" || in.Actor != "link_1" || in.Reference != "order 7" || in.From == "" {
		t.Errorf("registered %+v, %v", in, w.typed)
	}
	if in.Number.Len()+in.Name.Len() != 0 {
		t.Error("the number or the name was not wiped")
	}
}

func TestACardThatIsRegisteredIsNeverSaidToHaveFailed(t *testing.T) {
	w := &world{state: link.Ready, statused: problem.Database(io.ErrUnexpectedEOF)}
	if status, body := post(t, w.start(t)+submitPath, entered, "internal"); status != 200 || body != `{"registration_id":"r-1","status":"pending"}` {
		t.Errorf("%d %s", status, body)
	}
}

func TestARefusalComesBackAsItIs(t *testing.T) {
	w := &world{state: link.Ready, submit: problem.Throttled(0)}
	if status, body := post(t, w.start(t)+submitPath, entered, "internal"); status != 429 || strings.Contains(body, visa) {
		t.Errorf("%d %s", status, body)
	}
}

func TestOnlyOurOwnServicesGetIn(t *testing.T) {
	w := &world{state: link.Ready}
	base := w.start(t)
	for _, proof := range []string{"", "forward", "registry"} {
		for _, path := range []string{openPath, submitPath} {
			if status, _ := post(t, base+path, entered, proof); status != 403 {
				t.Errorf("%s with proof %q: %d", path, proof, status)
			}
		}
	}
	if len(w.taken) != 0 {
		t.Error("a card was taken")
	}
}
