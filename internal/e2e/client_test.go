package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// client speaks JSON to a running product. Its transport is its own, so that
// no test inherits another's connections.
type client struct {
	http *http.Client
}

func newClient(t testing.TB) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{http: &http.Client{Transport: transport, Timeout: within}}
}

// send returns status and body of one request; in is nil, text or a value.
func (c *client) send(method, url string, in any, header ...string) (int, []byte, error) {
	req, err := newRequest(method, url, in, header...)
	if err != nil {
		return 0, nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// newRequest makes a request; in is nil, text or a value.
func newRequest(method, url string, in any, header ...string) (*http.Request, error) {
	var body io.Reader
	switch v := in.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req, nil
}

// must is send for steps that cannot fail; out may be nil.
func (c *client) must(t testing.TB, want int, method, url string, in, out any, header ...string) {
	t.Helper()
	status, body, err := c.send(method, url, in, header...)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d, want %d: %s %v", method, url, status, want, body, err)
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, body)
		}
	}
}

// customer is a person with a verified account and a session.
type customer struct {
	name, email, password string
	link                  string // one-time token of the verification mail
	token                 string
}

func (c customer) auth() []string { return []string{"Authorization", "Bearer " + c.token} }

// signUp makes a customer the way a person becomes one.
func signUp(t testing.TB, c *client, p *process, name string) customer {
	t.Helper()
	who := customer{name: name, email: name + "@example.com", password: "Pw1-" + rand.Text()}
	c.must(t, 201, "POST", p.Login+"/api/customer/signup", map[string]any{
		"username": who.name, "name": map[string]string{"first": "Ann", "last": "Example"}, "email": who.email, "password": who.password,
	}, nil)
	mail, err := awaitMail(p.dir, who.email, "(?i)confirm|verif")
	if err != nil {
		t.Fatal(err)
	}
	at := linkShape.FindStringSubmatch(mail)
	if at == nil {
		t.Fatalf("no link in %q", mail)
	}
	who.link = at[1]
	c.must(t, 200, "GET", p.Login+"/api/customer/verify?token="+who.link, nil, nil)
	who.token = logIn(t, c, p, who)
	return who
}

func logIn(t testing.TB, c *client, p *process, who customer) string {
	t.Helper()
	var in struct {
		Token string `json:"token"`
	}
	status, body, err := c.send("POST", p.Login+"/api/customer/login/subsequent", map[string]string{"email": who.email, "password": who.password})
	if err != nil || status != 200 {
		t.Fatalf("log in: %d %s %v", status, body, err)
	}
	// The answer has more members than we name.
	if err := json.Unmarshal(body, &in); err != nil || in.Token == "" {
		t.Fatalf("log in: %s %v", body, err)
	}
	return in.Token
}

// firmClient is a machine of a firm, with a token.
type firmClient struct {
	firm, id, secret string
	token            string
}

func (f firmClient) auth() []string { return []string{"Authorization", "Bearer " + f.token} }

// newFirm makes a firm with a client by ccms firm create, and gets a token.
func newFirm(t testing.TB, c *client, p *process, flags ...string) firmClient {
	t.Helper()
	command := exec.Command(binary, append([]string{"firm", "create", "--data", p.dir, "-o", "json", "--name", "Acme"}, flags...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Firm   string `json:"firm_id"`
		Client string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	f := firmClient{firm: made.Firm, id: made.Client, secret: made.Secret}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.id}, "client_secret": {f.secret}}
	var got struct {
		Token string `json:"access_token"`
	}
	c.must(t, 200, "POST", p.Login+"/oauth2/token", form.Encode(), &got, "Content-Type", "application/x-www-form-urlencoded")
	f.token = got.Token
	return f
}

// newRegistration is the body of POST /register.
func newRegistration(number, code, name string) map[string]any {
	return map[string]any{"card_number": number, "cvv": code, "cardholder_name": name, "expiry_date": fmt.Sprintf("12/%d", time.Now().Year()+3)}
}

// randomCard makes a valid Visa number for this run alone.
func randomCard(t testing.TB) string { return randomNumber(t, "4", 16) }

// randomNumber makes a number with a prefix that passes the Luhn check.
func randomNumber(t testing.TB, prefix string, length int) string {
	left := length - len(prefix) - 1
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(left)), nil))
	if err != nil {
		t.Fatal(err)
	}
	digits := fmt.Sprintf("%s%0*d", prefix, left, n)
	sum := 0
	for i, d := range []byte(digits) { // the last of these and every second one before it is doubled
		v := int(d - '0')
		if (len(digits)-i)%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}

// newCard is the body of an add.
func newCard(number, code string) map[string]any {
	return map[string]any{"cardNumber": number, "cvv": code, "expiryMonth": 12, "expiryYear": time.Now().Year() + 3}
}
