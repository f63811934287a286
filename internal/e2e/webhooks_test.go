package e2e

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hooked is a firm's server that checks what it is sent and remembers it.
type hooked struct {
	url string

	mu       sync.Mutex
	hook     *webhooks.Webhook
	verified map[string]int // by registration
	bad      []string
}

func newHooked(t *testing.T) *hooked {
	h := &hooked{verified: map[string]int{}}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

// ServeHTTP implements http.Handler.
func (h *hooked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	var e struct {
		Type string `json:"type"`
		Data struct {
			ID string `json:"registration_id"`
		} `json:"data"`
	}
	if err := cmp.Or(h.hook.Verify(body, r.Header), json.Unmarshal(body, &e)); err != nil || e.Type != "registration.verified" {
		h.bad = append(h.bad, fmt.Sprintf("%s %v", body, err))
		return
	}
	h.verified[e.Data.ID]++
}

func (h *hooked) seen(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verified[id] > 0
}

// TestAKilledProductLosesNoEvent kills the product while cards are registered,
// again and again on the same data. It would fail if an event of an acknowledged
// registration, or of any that is there, never came, or if one came of a
// registration there is not. CCMS_TEST_KILLS is how often, by default 3.
func TestAKilledProductLosesNoEvent(t *testing.T) {
	t.Parallel()
	const writers = 8
	kills, _ := strconv.Atoi(cmp.Or(os.Getenv("CCMS_TEST_KILLS"), "3"))
	dir, at, c := t.TempDir(), newHooked(t), newClient(t)
	p, err := up(dir, "--webhook.allow-private")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	f := newFirm(t, c, p)
	var made struct {
		Secret string `json:"secret"`
	}
	c.must(t, 201, "POST", p.CreditCard+"/v1/webhooks", map[string]any{"url": at.url}, &made, f.auth()...)
	if at.hook, err = webhooks.NewWebhook(made.Secret); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]bool{}
	for range kills {
		var group sync.WaitGroup
		var mu sync.Mutex
		for range writers {
			group.Go(func() {
				for {
					status, body, err := c.send("POST", p.CreditCard+"/register", newRegistration("4111111111111111", "123", "Ann"), f.auth()...)
					if err != nil || status != 201 {
						return
					}
					mu.Lock()
					acknowledged[member(body, "registration_id")] = true
					mu.Unlock()
				}
			})
		}
		<-time.After(time.Duration(50+rand.IntN(400)) * time.Millisecond)
		p.kill()
		group.Wait()
		if p, err = up(dir, "--webhook.allow-private"); err != nil {
			t.Fatal(err)
		}
		f.renew(t, c, p)
	}
	there := f.registrations(t, c, p)
	for id := range acknowledged {
		if !there[id] {
			t.Errorf("%s was acknowledged and is gone", id)
		}
	}
	missing := func() (n int) {
		for id := range there {
			if !at.seen(id) {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(within); missing() > 0 && time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	twice := 0
	for id, n := range at.verified {
		if !there[id] {
			t.Errorf("%s came and is not there", id)
		}
		twice += min(n-1, 1)
	}
	if len(at.verified) < len(there) || len(at.bad) > 0 || len(acknowledged) == 0 {
		t.Errorf("%d of %d events came, %d wrong ones: %.1q", len(at.verified), len(there), len(at.bad), at.bad)
	}
	t.Logf("%d kills, %d registrations acknowledged, %d there, %d events, %d of them more than once", kills, len(acknowledged), len(there), len(at.verified), twice)
}

// member is a string in a JSON object.
func member(body []byte, name string) string {
	var all map[string]any
	_ = json.Unmarshal(body, &all)
	v, _ := all[name].(string)
	return v
}

// renew gets another token.
func (f *firmClient) renew(t testing.TB, c *client, p *process) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.id}, "client_secret": {f.secret}}
	var got struct {
		Token string `json:"access_token"`
	}
	c.must(t, 200, "POST", p.Login+"/oauth2/token", form.Encode(), &got, "Content-Type", "application/x-www-form-urlencoded")
	f.token = got.Token
}

// registrations are all the firm has, by a report.
func (f *firmClient) registrations(t testing.TB, c *client, p *process) map[string]bool {
	t.Helper()
	var report struct {
		Data []map[string]any `json:"data"`
	}
	c.must(t, 200, "GET", p.CreditCard+"/v1/reports/registrations", nil, &report, f.auth()...)
	all := map[string]bool{}
	for _, r := range report.Data {
		id, _ := r["registration_id"].(string)
		all[id] = true
	}
	return all
}
