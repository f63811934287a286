package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecretsAreNowhere uses values that occur nowhere else and then looks for
// them in every log line, answer, metric, span, file, database page and
// write-ahead log. It would fail if a number, code, password or token were kept or shown
// in the clear anywhere; that it can see at all is shown by the username,
// which is kept in the clear.
func TestSecretsAreNowhere(t *testing.T) {
	spans := new(lockedBuffer)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(spans, r.Body) }))
	t.Cleanup(collector.Close)
	p := start(t, "--log.format", "json", "--trace.url", collector.URL, "--trace.percent", "100")
	c := newClient(t)
	who := signUp(t, c, p, "canary-holder")
	number, second := randomCard(t), randomCard(t)
	const code = "7391"
	amex := "378282246310005"

	var answers bytes.Buffer
	step := func(method, url string, in any) {
		_, body, err := c.send(method, url, in, who.auth()...)
		if err != nil {
			t.Fatal(err)
		}
		answers.Write(body)
	}
	cards := p.CreditCard + "/api/customer/creditcard"
	step("POST", cards, newCard(number, "739"))
	step("POST", cards, newCard(amex, code))
	step("POST", p.Portal+"/api/customer/creditcard", newCard(second, "739"))
	step("POST", cards, newCard(number, "738"))                     // exists
	step("POST", cards, `{"cardNumber":"`+number+`","cvv":"`)       // broken
	step("POST", cards, `{"`+number+`":1}`)                         // unknown member
	step("GET", cards+"/"+number, nil)                              // wrong method
	step("PUT", cards+"/"+number+"/toggle", nil)                    // by number
	step("PUT", p.Portal+"/api/customer/creditcard/"+number, nil)   // unknown path
	step("DELETE", cards+"/"+second, nil)                           // by number
	step("DELETE", cards+"/"+number[:8]+"%20"+number[8:]+"/x", nil) // unknown path, split
	step("GET", p.Login+"/api/customer/jwt/validate?token="+who.token, nil)
	step("POST", p.Login+"/api/customer/login", map[string]string{"email": who.email, "password": who.password + "x"})
	step("POST", p.Login+"/api/customer/login", `{"email":"`+who.email+`","password":"`+who.password+`",}`)
	step("POST", p.Login+"/api/customer/forgot-password", map[string]string{"email": who.email})
	mail, err := awaitMail(p.dir, who.email, "(?i)reset|password")
	if err != nil {
		t.Fatal(err)
	}
	reset := linkShape.FindStringSubmatch(mail)[1]
	step("POST", p.Login+"/api/customer/forgot-password/reset-password", map[string]string{"token": reset, "newPassword": "weak-" + who.password, "confirmPassword": "other"})
	step("GET", p.Portal+"/reset-password?token="+reset, nil)
	step("GET", p.Portal+"/verify?token="+who.link, nil)
	for _, service := range []string{p.Eureka, p.Login, p.CreditCard, p.Portal} {
		step("GET", service+"/actuator/prometheus", nil)
		step("GET", service+"/actuator/metrics/http.server.requests", nil)
	}

	secrets := map[string]string{
		"card number": number, "second card number": second, "grouped number": number[:4] + " " + number[4:8],
		"password": who.password, "token": who.token, "token's signature": who.token[strings.LastIndexByte(who.token, '.')+1:],
		"verification token": who.link, "reset token": reset,
	}
	if places := expectNowhere(t, p, answers.Bytes(), who.name, secrets); !bytes.Contains(places["log"], []byte("/api/customer/creditcard/************"+number[12:])) {
		t.Error("the log does not show the masked path")
	}
	checkLimits(t, p)
	if err := p.stop(); err != nil { // with which the last spans leave
		t.Error(err)
	}
	sent := []byte(spans.String())
	expectNot(t, "the spans", sent, secrets)
	expectNot(t, "the spans", sent, map[string]string{"address": who.email, "username": who.name, "path": "************"})
	for _, route := range []string{"/api/customer/creditcard", "/api/customer/login", "/verify"} {
		if !bytes.Contains(sent, []byte(`"`+route+`"`)) {
			t.Errorf("no span tells of %s, so this says little: %.500s", route, sent)
		}
	}
}

// expectNowhere looks for the secrets, and for codeShape, in the answers, the
// log and every file of p, and returns where it looked. It finds kept, which is
// kept in the clear.
func expectNowhere(t *testing.T, p *process, answers []byte, kept string, secrets map[string]string) map[string][]byte {
	t.Helper()
	places := map[string][]byte{"answers": answers, "log": []byte(p.output.String())}
	collect(t, p.dir, places)
	if !bytes.Contains(places["ccms.db"], []byte(kept)) && !bytes.Contains(places["ccms.db-wal"], []byte(kept)) {
		t.Fatalf("the search does not even find %s in the store", kept)
	}
	for where, content := range places {
		expectNot(t, where, content, secrets)
	}
	return places
}

// expectNot looks for the secrets, and for codeShape, in content.
func expectNot(t *testing.T, where string, content []byte, secrets map[string]string) {
	t.Helper()
	for what, value := range secrets {
		for _, form := range forms(value) {
			if at := bytes.Index(content, []byte(form)); at >= 0 {
				t.Errorf("%s in %s: …%s…", what, where, around(content, at))
			}
		}
	}
	if at := codeShape.FindIndex(content); at != nil {
		t.Errorf("a security code in %s: …%s…", where, around(content, at[0]))
	}
}

// codeShape is the code of the test in any shape in which it could be kept
// beside its name.
var codeShape = regexp.MustCompile(`(?i)cvv[^a-z0-9]{0,12}7391|"7391"`)

// collect reads every file below dir but mails, which hold one-time links.
func collect(t *testing.T, dir string, places map[string][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) == ".eml" {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		places[name] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// forms are the encodings a value could hide in.
func forms(value string) []string {
	raw := []byte(value)
	return []string{value, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)}
}

func around(content []byte, at int) string {
	return fmt.Sprintf("%q", content[max(0, at-40):min(len(content), at+40)])
}

// checkLimits reads what the kernel says: no core dump of this process.
func checkLimits(t *testing.T, p *process) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID))
	if err != nil {
		return // no such file on this system
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "Max core file size") && !regexp.MustCompile(`size\s+0\s+0\s`).MatchString(line) {
			t.Errorf("core dumps are allowed: %s", line)
		}
	}
}
