package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// How many rotations, and at how many requests a second; the full figures are
// CCMS_ROTATIONS=20 CCMS_ROTATION_RATE=200.
const (
	rotationsEnv    = "CCMS_ROTATIONS"
	rotationRateEnv = "CCMS_ROTATION_RATE"
)

func setting(t *testing.T, env string, otherwise int) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(env), strconv.Itoa(otherwise)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// operator runs a command beside the product on a folder.
func operator(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	out, err := ccms(dir, args...)
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, out)
	}
	return out
}

func ccms(dir string, args ...string) ([]byte, error) {
	var said bytes.Buffer
	command := exec.Command(binary, append(args, "--data", dir)...)
	command.Stderr = &said
	out, err := command.Output()
	return append(out, said.Bytes()...), err
}

// keyVersion is a row of ccms keys status.
type keyVersion struct {
	Use     string `json:"use"`
	Name    string `json:"name"`
	Version int    `json:"version"`
	State   string `json:"state"`
	Values  int    `json:"values"`
}

// sealedUnder is how many values lie under each version of all key-encryption
// keys, and how many under retired ones or none.
func sealedUnder(t *testing.T, dir string) (versions map[int]int, stale int) {
	t.Helper()
	var all []struct {
		Keys    []keyVersion `json:"keys"`
		Orphans int          `json:"orphans"`
	}
	if err := json.Unmarshal(operator(t, dir, "keys", "status", "-o", "json"), &all); err != nil {
		t.Fatal(err)
	}
	versions = map[int]int{}
	for _, s := range all {
		stale += s.Orphans
		for _, k := range s.Keys {
			if k.Use == "owner" && k.Values > 0 {
				versions[k.Version] += k.Values
				if k.State != "active" {
					stale += k.Values
				}
			}
		}
	}
	return versions, stale
}

// filed is a firm's card, and its number.
type filed struct{ id, number string }

// steady works on cards of a person and a firm at a fixed rate until stop is
// called, which returns how many requests there were and the cards registered.
func steady(t *testing.T, p *process, firm firmClient, rate int) (stop func() (int64, []filed)) {
	t.Helper()
	c := newClient(t)
	who := signUp(t, c, p, "steady")
	add := func() (int, []byte, error) {
		return c.send("POST", p.CreditCard+"/api/customer/creditcard", newCard(randomCard(t), "123"), who.auth()...)
	}
	if status, body, err := add(); status != 201 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	var sent atomic.Int64
	var mu sync.Mutex
	var cards []filed
	register := func() (int, []byte, error) {
		number := randomCard(t)
		status, body, err := c.send("POST", p.CreditCard+"/register", newRegistration(number, "123", "Ann Example"), firm.auth()...)
		var made struct {
			ID string `json:"registration_id"`
		}
		if json.Unmarshal(body, &made) == nil && made.ID != "" {
			mu.Lock()
			cards = append(cards, filed{made.ID, number})
			mu.Unlock()
		}
		return status, body, err
	}
	work := []func() (int, []byte, error){
		register,
		func() (int, []byte, error) {
			return c.send("GET", p.CreditCard+"/api/customer/creditcard", nil, who.auth()...)
		},
		func() (int, []byte, error) { return c.send("GET", p.Portal+"/v1/cards", nil, firm.auth()...) },
		func() (int, []byte, error) {
			return c.send("GET", p.Login+"/api/customer/jwt/validate", nil, who.auth()...)
		},
	}
	end := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		pace := time.NewTicker(time.Second / time.Duration(rate))
		defer pace.Stop()
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			case <-pace.C:
			}
			do := work[n%len(work)]
			if n%97 == 0 && n < 97*80 {
				do = add // a person has at most 100 cards
			}
			load.Go(func() {
				sent.Add(1)
				if status, body, err := do(); err != nil || status >= 300 {
					t.Errorf("request %d: %d %s %v", n, status, body, err)
				}
			})
		}
	})
	return func() (int64, []filed) {
		close(end)
		load.Wait()
		return sent.Load(), cards
	}
}

// TestKeysRotateUnderLoadAndNoRequestFails would fail if a value were sealed
// under a version that another part of the process cannot open yet, or if
// re-wrapping lost what was written meanwhile.
func TestKeysRotateUnderLoadAndNoRequestFails(t *testing.T) {
	rotations, rate := setting(t, rotationsEnv, 3), setting(t, rotationRateEnv, 50)
	p := start(t, busy...)
	firm := newFirm(t, newClient(t), p, "--live", "--scope", "cards:register,cards:read,cards:manage,cards:reveal")
	stop := steady(t, p, firm, rate)
	began := time.Now()
	end, rewrapped := rewrapping(t, p.dir)
	for range rotations {
		operator(t, p.dir, "keys", "rotate")
		operator(t, p.dir, "keys", "rotate", "--jwt")
		<-time.After(400 * time.Millisecond)
	}
	took := time.Since(began)
	sent, cards := stop()
	close(end)
	t.Logf("re-wrapped %d times meanwhile", <-rewrapped)
	operator(t, p.dir, "keys", "rewrap")
	if versions, stale := sealedUnder(t, p.dir); len(versions) == 0 || stale != 0 {
		t.Errorf("re-wrapped, values lie under %v, %d of them under no active version", versions, stale)
	}
	revealAll(t, p, firm, cards)
	operator(t, p.dir, "audit", "verify")
	t.Logf("%d rotations in %s during %d requests, %d registrations", rotations, took.Round(time.Millisecond), sent, len(cards))
}

// rewrapping re-wraps again and again, as fast as it goes, until end is closed, and
// tells how often.
func rewrapping(t *testing.T, dir string) (end chan struct{}, times <-chan int) {
	end = make(chan struct{})
	n := make(chan int, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				n <- i
				return
			default:
			}
			if out, err := ccms(dir, "keys", "rewrap"); err != nil {
				t.Errorf("re-wrap: %v: %s", err, out)
				<-end
				n <- i
				return
			}
		}
	}()
	return end, n
}

// revealAll checks that every card opens and is what was registered.
func revealAll(t *testing.T, p *process, firm firmClient, cards []filed) {
	t.Helper()
	c := newClient(t)
	if len(cards) == 0 {
		t.Error("no card was registered")
	}
	for _, f := range cards {
		var is struct {
			Status string `json:"status"`
			Token  string `json:"token"`
		}
		for deadline := time.Now().Add(within); is.Token == "" && time.Now().Before(deadline); {
			status, body, err := c.send("GET", p.CreditCard+"/status/"+f.id, nil, firm.auth()...)
			if err != nil || status != 200 || json.Unmarshal(body, &is) != nil {
				t.Fatalf("%d %s %v", status, body, err)
			}
		}
		var shown struct {
			Number string `json:"card_number"`
		}
		c.must(t, 200, "POST", p.CreditCard+"/v1/cards/"+is.Token+"/reveal", map[string]string{"reason": "test"}, &shown, firm.auth()...)
		if shown.Number != f.number {
			t.Fatalf("the card of %s has another number", f.id)
		}
	}
}

// TestRewrappingThatWasKilledGoesOn kills the product in the middle and begins
// again: what was moved stays moved, the rest follows, every card opens.
func TestRewrappingThatWasKilledGoesOn(t *testing.T) {
	const registered = 150
	dir := t.TempDir()
	p, err := up(dir, busy...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:manage,cards:reveal")
	var cards []filed
	for range registered {
		var made struct {
			ID string `json:"registration_id"`
		}
		number := randomCard(t)
		c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration(number, "123", "Ann Example"), &made, firm.auth()...)
		cards = append(cards, filed{made.ID, number})
	}
	revealAll(t, p, firm, cards)
	operator(t, dir, "keys", "rotate")
	done := make(chan string)
	go func() {
		out, err := ccms(dir, "keys", "rewrap")
		done <- fmt.Sprintf("%v: %s", err, out)
	}()
	half := awaitMoved(t, dir)
	p.kill()
	t.Logf("killed with %v moved; the command said %s", half, <-done)
	if p, err = up(dir, busy...); err != nil {
		t.Fatal(err)
	}
	if left, _ := sealedUnder(t, dir); left[1]+left[2] != 2*registered || left[2] < half[2] {
		t.Errorf("after the kill values lie under %v, before it %v", left, half)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	operator(t, dir, "keys", "rewrap") // nobody runs: the command does it itself, on what is left
	if p, err = up(dir, busy...); err != nil {
		t.Fatal(err)
	}
	if all, stale := sealedUnder(t, dir); all[2] != 2*registered || stale != 0 {
		t.Errorf("at last %v, %d under no active version", all, stale)
	}
	revealAll(t, p, firm, cards)
}

// awaitMoved waits until some values lie under version 2.
func awaitMoved(t *testing.T, dir string) map[int]int {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		if versions, _ := sealedUnder(t, dir); versions[2] > 0 {
			return versions
		}
	}
	t.Fatal("nothing was moved")
	return nil
}
