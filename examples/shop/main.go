// Command shop is a sample shop that takes cards with the hosted form of CCMS:
// in a frame on its own page, on the hosted page, or by a link. It shows what a
// firm needs, and no more: a client, three calls, one script, one policy.
// docs/embedding.md explains each.
//
//	ccms client create --firm FIRM --origin http://localhost:7000 \
//	  --return-url http://localhost:7000/thanks -o json > client.json
//	go run ./examples/shop -client client.json
//
// Of a card the shop sees brand, last four digits and expiry, and the token that
// stands for it. It trusts nothing that comes through the browser: what became
// of a registration it asks CCMS.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"
)

//go:embed pages static
var files embed.FS

func main() {
	log.SetFlags(0)
	addr := flag.String("addr", "localhost:7000", "where the shop listens")
	ccms := flag.String("ccms", "http://localhost:5000", "where CCMS is")
	client := flag.String("client", "client.json", "file with client_id and client_secret")
	integrity := flag.String("integrity", "", "of the loader, as the script inventory names it; none unless given")
	flag.Parse()
	if err := run(*addr, *client, shop{ccms: strings.TrimSuffix(*ccms, "/"), Integrity: *integrity}); err != nil {
		log.Fatalf("shop: %v", err)
	}
}

// shop is the shop's server.
type shop struct {
	ccms      string
	self      string // its own origin
	api       *api
	pages     *template.Template
	Integrity string
}

func run(addr, client string, s shop) error {
	var err error
	if s.api, err = newAPI(s.ccms, client); err != nil {
		return err
	}
	if s.pages, err = template.ParseFS(files, "pages/*.html"); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	s.self = "http://" + addr
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("POST /embedded", s.embedded)
	mux.HandleFunc("POST /hosted", s.hosted)
	mux.HandleFunc("GET /thanks", s.thanks)
	mux.Handle("GET /static/", http.FileServerFS(files))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := &http.Server{Addr: addr, Handler: s.guard(mux), ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() { <-ctx.Done(); _ = server.Close() }()
	log.Printf("the shop is open at %s", s.self)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// guard adds the policy under which all of the shop's pages stand. Of CCMS it
// needs the script, the frame, and that a form may lead there.
func (s shop) guard(next http.Handler) http.Handler {
	policy := fmt.Sprintf("default-src 'none'; script-src 'self' %[1]s; frame-src %[1]s; form-action 'self' %[1]s; "+
		"style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'", s.ccms)
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		protected.ServeHTTP(w, r)
	})
}

func (s shop) show(w http.ResponseWriter, page string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := s.pages.ExecuteTemplate(w, page, data); err != nil {
		log.Printf("%s: %v", page, err)
	}
}

func (s shop) home(w http.ResponseWriter, _ *http.Request) { s.show(w, "home.html", nil) }

// embedded shows the form in a frame.
func (s shop) embedded(w http.ResponseWriter, r *http.Request) {
	link, err := s.api.link(r.Context(), map[string]string{"mode": "embed", "origin": s.self, "reference": "order 1042"})
	if err != nil {
		s.failed(w, err)
		return
	}
	s.show(w, "embedded.html", map[string]string{"Link": link, "Loader": s.ccms + "/embed/v1/card-form.js", "Integrity": s.Integrity})
}

// hosted sends the person to the form, which sends him back.
func (s shop) hosted(w http.ResponseWriter, r *http.Request) {
	link, err := s.api.link(r.Context(), map[string]string{"mode": "redirect", "return_url": s.self + "/thanks", "reference": "order 1042"})
	if err != nil {
		s.failed(w, err)
		return
	}
	http.Redirect(w, r, link, http.StatusSeeOther)
}

// thanks is where people come back to. Anybody can open it with any parameters,
// so it asks what became of the registration.
func (s shop) thanks(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("registration_id")
	if id == "" {
		s.show(w, "thanks.html", registration{Status: "cancelled"})
		return
	}
	got, err := s.api.status(r.Context(), id)
	if err != nil {
		s.failed(w, err)
		return
	}
	s.show(w, "thanks.html", got)
}

func (s shop) failed(w http.ResponseWriter, err error) {
	log.Printf("ccms: %v", err)
	http.Error(w, "Our card service does not answer. Try again in a moment.", http.StatusBadGateway)
}

// api is CCMS as the shop calls it.
type api struct {
	base       string
	id, secret string
	client     http.Client
}

func newAPI(base, file string) (*api, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &api{base: base, id: c.ID, secret: c.Secret, client: http.Client{Timeout: 15 * time.Second}}, nil
}

// token is good for ten minutes. A busy shop keeps it that long.
func (a *api) token(ctx context.Context) (string, error) {
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/oauth2/token", form)
	if err != nil {
		return "", err
	}
	r.SetBasicAuth(a.id, a.secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var out struct {
		Token string `json:"access_token"`
	}
	err = a.do(r, &out)
	return out.Token, err
}

// link makes a one-time link and returns its URL.
func (a *api) link(ctx context.Context, of map[string]string) (string, error) {
	body, err := json.Marshal(of)
	if err != nil {
		return "", err
	}
	var out struct {
		URL string `json:"url"`
	}
	r, err := a.request(ctx, http.MethodPost, "/v1/links", string(body))
	if err != nil {
		return "", err
	}
	err = a.do(r, &out)
	return out.URL, err
}

// registration is what the shop is told of a card.
type registration struct {
	ID     string `json:"registration_id"`
	Status string `json:"status"`
	Token  string `json:"token"` // stands for the card: keep this
	Brand  string `json:"brand"`
	Last4  string `json:"last4"`
	Expiry string `json:"expiry"`
}

func (a *api) status(ctx context.Context, id string) (registration, error) {
	var out registration
	r, err := a.request(ctx, http.MethodGet, "/status/"+url.PathEscape(id), "")
	if err != nil {
		return out, err
	}
	return out, a.do(r, &out)
}

// request is a request in the shop's name.
func (a *api) request(ctx context.Context, method, path, body string) (*http.Request, error) {
	token, err := a.token(ctx)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

func (a *api) do(r *http.Request, out any) error {
	res, err := a.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", r.Method, r.URL.Path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(out)
}
