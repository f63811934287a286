package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	firmside "ccms/client"
)

// importLinesEnv makes the imported file longer than a quick test's.
const importLinesEnv = "CCMS_E2E_IMPORT_LINES"

// importResult is a line of the results, importSummary what -o json prints.
type importResult struct {
	Line    int    `json:"line"`
	Outcome string `json:"outcome"`
	ID      string `json:"registration_id"`
	Code    string `json:"errorCode"`
	Card    string `json:"card"`
}

type importSummary struct {
	Lines, Registered, Refused, Before int
	Complete                           bool
	Seconds                            float64
}

// TestAnImportRegistersEachLineOnce runs ccms cards import on a file with bad
// lines in it, kills it with kill -9 three times, tries to go on with another
// file in its place, and lets it end. It would fail if a line were registered
// twice or not at all, if its result were another's, or if a number came into
// what the command writes.
func TestAnImportRegistersEachLineOnce(t *testing.T) {
	t.Parallel()
	lines := 1000
	if text := os.Getenv(importLinesEnv); text != "" {
		lines, _ = strconv.Atoi(text)
	}
	p := start(t, "--log.level", "warn")
	c := newClient(t)
	firm := newFirm(t, c, p, "--live")
	dir := t.TempDir()
	file, numbers := writeCards(t, dir, lines)
	run := importer{t: t, file: file, args: clientFlags(t, dir, p, firm)}

	for _, until := range []int{1, lines / 3, lines / 2} {
		run.killAfter(until)
	}
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(original, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run.command().CombinedOutput(); err == nil || !strings.Contains(string(out), "is not the one") {
		t.Errorf("another file was gone on with: %s", out)
	}
	if err := os.WriteFile(file, original, 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	sum, text, exit := run.finish()
	t.Logf("the last of four runs: %d lines in %s", sum.Lines-sum.Before, time.Since(began).Round(time.Millisecond))
	if exit != 1 || sum.Lines != lines || sum.Refused != lines/100 || sum.Registered != lines-lines/100 || sum.Before < lines/2 || !sum.Complete {
		t.Errorf("exit %d, %+v\n%s", exit, sum, text)
	}
	checkImported(t, importReader(t, p, firm), file, numbers)
	if _, _, exit := run.finish(); exit != 1 {
		t.Errorf("a run after the last: exit %d", exit)
	}
	for _, name := range []string{file + ".results.ndjson", file + ".results.ndjson.run"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
	}
	for _, run := range regexp.MustCompile(`[0-9]{16}`).FindAllString(text, -1) {
		if slices.Contains(numbers, run) {
			t.Fatalf("a number was written: %s", text)
		}
	}
}

// writeCards writes a file of cards of which each hundredth is refused, and
// returns their numbers.
func writeCards(t testing.TB, dir string, lines int) (file string, numbers []string) {
	t.Helper()
	var text strings.Builder
	text.WriteString("card_number,expiry_date,cvv,cardholder_name,reference\r\n")
	for i := range lines {
		number, columns := randomCard(t), ",12/2040,123,Ann Example,order-"+strconv.Itoa(i)
		switch i % 200 {
		case 99: // the Luhn check
			number = number[:15] + string('0'+(number[15]-'0'+1)%10)
		case 199:
			columns = ",12/2040"
		}
		numbers = append(numbers, number)
		text.WriteString(number + columns + "\r\n")
	}
	file = filepath.Join(dir, "cards.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, numbers
}

// clientFlags are the flags that name service and client.
func clientFlags(t testing.TB, dir string, p *process, firm firmClient) []string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"client_id": firm.id, "client_secret": firm.secret})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "client.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{"--url", p.Portal, "--client-file", filepath.Join(dir, "client.json"), "--data", p.dir}
}

// importer runs the command on a file.
type importer struct {
	t    testing.TB
	file string
	args []string
}

func (i importer) command() *exec.Cmd {
	return exec.Command(binary, append([]string{"cards", "import", i.file, "-o", "json"}, i.args...)...)
}

// killAfter starts an import and kills it once there are so many results.
func (i importer) killAfter(results int) {
	i.t.Helper()
	command := i.command()
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		i.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if b, _ := os.ReadFile(i.file + ".results.ndjson"); bytes.Count(b, []byte("\n")) >= results {
			break
		}
		select {
		case <-ended:
			i.t.Fatalf("it ended before it could be killed: %s", out.String())
		case <-tick.C:
		}
	}
	_ = command.Process.Kill()
	<-ended
}

// finish lets an import end.
func (i importer) finish() (sum importSummary, stderr string, exit int) {
	i.t.Helper()
	command := i.command()
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		exit = ended.ExitCode()
	} else if err != nil {
		i.t.Fatal(err)
	}
	if err := json.Unmarshal(out, &sum, json.MatchCaseInsensitiveNames(true)); err != nil {
		i.t.Fatalf("%v in %q, %s", err, out, &errs)
	}
	return sum, errs.String() + string(out), exit
}

// importReader is a client that looks at what was registered.
func importReader(t *testing.T, p *process, firm firmClient) *firmside.Client {
	t.Helper()
	c, err := firmside.New(firmside.Config{BaseURL: p.Portal, ClientID: firm.id, Secret: firmside.Text(firm.secret)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkImported compares the results with the file and the service.
func checkImported(t *testing.T, c *firmside.Client, file string, numbers []string) {
	t.Helper()
	text, err := os.ReadFile(file + ".results.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{} // reference by registration
	i := 0
	for line := range strings.Lines(string(text)) {
		var r importResult
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Line != i+2 {
			t.Fatalf("result %d: %s %v", i, line, err)
		}
		outcome, code, card := "registered", "", "************"+numbers[i][12:]
		switch i % 200 {
		case 99:
			outcome, code = "refused", "INVALID_CARD"
		case 199:
			outcome, code, card = "refused", "INVALID_LINE", ""
		}
		if r.Outcome != outcome || r.Code != code || r.Card != card || (r.ID == "") != (outcome == "refused") {
			t.Errorf("result %d is %s", i, line)
		}
		if r.ID != "" {
			want[r.ID] = fmt.Sprint("order-", i)
		}
		i++
	}
	if i != len(numbers) || len(want) != len(numbers)-len(numbers)/100 {
		t.Errorf("%d results, %d registrations, %d lines", i, len(want), len(numbers))
	}
	for r, err := range c.Registrations(t.Context(), firmside.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if want[r.ID] != r.Reference {
			t.Errorf("registration of %s is not in the results, or twice", r.Reference)
		}
		delete(want, r.ID)
	}
	if len(want) > 0 {
		t.Errorf("%d registrations of the results are not there", len(want))
	}
}

// TestTheClientOfFirmsWorksWithTheProduct walks through package client as a
// firm's program would use it.
func TestTheClientOfFirmsWorksWithTheProduct(t *testing.T) {
	t.Parallel()
	p := start(t, "--webhook.allow-private")
	demo := readDemo(t, p.dir)
	c, err := firmside.New(firmside.Config{BaseURL: p.Portal, ClientID: demo.id, Secret: firmside.Text(demo.secret)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	events := receiveEvents(t, newClient(t), p, demo)

	card := firmside.CardData{
		Number: firmside.Text("4111 1111 1111 1111"), Code: firmside.Text("123"), Expiry: "12/2040", Holder: firmside.Text(`Jane "J" Döe`),
		Reference: "order-7", Metadata: map[string]string{"shop": "1"}, IdempotencyKey: "order-7",
	}
	made, err := c.Register(ctx, card)
	if err != nil || made.State != firmside.Pending {
		t.Fatalf("%+v %v", made, err)
	}
	if again, err := c.Register(ctx, card); err != nil || again != made {
		t.Errorf("the same key made %+v after %+v: %v", again, made, err)
	}
	outcome, err := c.Await(ctx, made.ID)
	if err != nil || outcome.State != firmside.Verified || outcome.Brand != "Visa" || outcome.Last4 != "1111" || outcome.Expiry != "12/2040" {
		t.Fatalf("%+v %v", outcome, err)
	}
	if e := <-events; e.Type != "registration.verified" || e.Data.Token != outcome.Token || e.Data.RegistrationID != made.ID || e.Data.Reference != "order-7" || e.ID == "" {
		t.Errorf("told %+v", e)
	}
	for r, err := range c.Registrations(ctx, firmside.Filter{Reference: "order-7", State: firmside.Verified, From: time.Now().Add(-time.Hour)}) {
		if err != nil || r.ID != made.ID || r.Metadata["shop"] != "1" || r.BIN == "" || r.CreatedAt.IsZero() {
			t.Errorf("%+v %v", r, err)
		}
	}
	revealed, err := c.Reveal(ctx, outcome.Token, "test")
	if err != nil || string(revealed.Number.Reveal()) != "4111111111111111" || string(revealed.Holder.Reveal()) != `Jane "J" Döe` || revealed.Expiry != "12/2040" {
		t.Errorf("%d digits, %v", revealed.Number.Len(), err)
	}
	if got, err := c.SetCardStatus(ctx, outcome.Token, firmside.Disabled); err != nil || got.Status != firmside.Disabled {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := c.Card(ctx, outcome.Token); err != nil || got.Status != firmside.Disabled || got.Mode != "test" {
		t.Errorf("%+v %v", got, err)
	}
	link, err := c.CreateLink(ctx, firmside.NewLink{Mode: "link", Reference: "order-8", ExpiresIn: time.Hour})
	if err != nil || !strings.HasPrefix(link.URL, p.Portal) || time.Until(link.ExpiresAt) < 55*time.Minute {
		t.Errorf("%v %v", link.ExpiresAt, err)
	}
	if err := errors.Join(c.DeleteCard(ctx, outcome.Token), c.DeleteRegistration(ctx, made.ID)); err != nil {
		t.Error(err)
	}
	_, err = c.Card(ctx, outcome.Token)
	if e, ok := errors.AsType[*firmside.Error](err); !ok || e.Code != firmside.CodeNotFound || e.RequestID == "" || e.Path == "" || e.Details == "" || time.Since(e.Timestamp).Abs() > time.Minute {
		t.Errorf("%+v", err)
	}
}

// readDemo is the client that the first start makes.
func readDemo(t *testing.T, dir string) firmClient {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "demo-firm.json"))
	var in struct {
		Firm   string `json:"firm_id"`
		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err = cmp.Or(err, json.Unmarshal(text, &in)); err != nil {
		t.Fatal(err)
	}
	return firmClient{firm: in.Firm, id: in.Client, secret: in.Secret}
}

// receiveEvents registers an endpoint that checks what it is sent.
func receiveEvents(t *testing.T, c *client, p *process, firm firmClient) <-chan firmside.Event {
	t.Helper()
	events := make(chan firmside.Event, 100)
	verifier := make(chan *firmside.Verifier, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := <-verifier
		verifier <- v
		body, _ := io.ReadAll(r.Body)
		e, err := v.Verify(r.Header, body)
		if err != nil {
			t.Errorf("%v: %s", err, body)
			http.Error(w, "not believed", http.StatusBadRequest)
			return
		}
		events <- e
	}))
	t.Cleanup(server.Close)
	var got struct {
		Token string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {firm.id}, "client_secret": {firm.secret}}
	c.must(t, 200, "POST", p.Portal+"/oauth2/token", form.Encode(), &got, "Content-Type", "application/x-www-form-urlencoded")
	firm.token = got.Token
	var hook struct {
		Secret string `json:"secret"`
	}
	c.must(t, 201, "POST", p.Portal+"/v1/webhooks", map[string]string{"url": server.URL}, &hook, firm.auth()...)
	v, err := firmside.NewVerifier(firmside.VerifierConfig{Secrets: []firmside.Secret{firmside.Text(hook.Secret)}})
	if err != nil {
		t.Fatal(err)
	}
	verifier <- v
	return events
}
