package webhook_test

import (
	"errors"
	"strings"
	"testing"

	"ccms/internal/problem"
	"ccms/internal/webhook"
)

// addresses are what an attacker would have us call. They are literals, so they
// are seen when a URL is parsed as well as when it is dialled.
var addresses = []struct {
	name, host      string
	public, private bool // reachable always; reachable with AllowPrivate
}{
	{"a public address", "93.184.215.14", true, true},
	{"a public address of IPv6", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]", true, true},
	{"a public address mapped into IPv6", "[::ffff:93.184.215.14]", true, true},
	{"loopback", "127.0.0.1", false, true},
	{"another loopback", "127.255.255.254", false, true},
	{"loopback of IPv6", "[::1]", false, true},
	{"loopback mapped into IPv6", "[::ffff:127.0.0.1]", false, true},
	{"loopback mapped into IPv6, in hexadecimal", "[::ffff:7f00:1]", false, true},
	{"loopback in the deprecated compatible form", "[::127.0.0.1]", false, false},
	{"private 10", "10.1.2.3", false, true},
	{"private 172.16", "172.16.0.1", false, true},
	{"the end of private 172.16", "172.31.255.255", false, true},
	{"past private 172.16", "172.32.0.1", true, true},
	{"private 192.168", "192.168.1.1", false, true},
	{"private mapped into IPv6", "[::ffff:10.1.2.3]", false, true},
	{"unique local of IPv6", "[fd00:ec2::254]", false, true},
	{"unique local fc00", "[fc00::1]", false, true},
	{"link-local, a cloud's metadata", "169.254.169.254", false, false},
	{"link-local mapped into IPv6", "[::ffff:169.254.169.254]", false, false},
	{"link-local of IPv6", "[fe80::1]", false, false},
	{"link-local of IPv6 with a zone", "[fe80::1%25lo]", false, false},
	{"loopback of IPv6 with a zone", "[::1%25lo]", false, false},
	{"site-local of IPv6, deprecated", "[fec0::1]", false, false},
	{"shared addresses", "100.64.0.1", false, false},
	{"a cloud's metadata among the shared addresses", "100.100.100.200", false, false},
	{"the end of the shared addresses", "100.127.255.255", false, false},
	{"past the shared addresses", "100.128.0.1", true, true},
	{"a cloud's platform services", "168.63.129.16", false, false},
	{"unspecified", "0.0.0.0", false, false},
	{"this network", "0.1.2.3", false, false},
	{"unspecified of IPv6", "[::]", false, false},
	{"unspecified mapped into IPv6", "[::ffff:0.0.0.0]", false, false},
	{"NAT64 of loopback", "[64:ff9b::7f00:1]", false, false},
	{"NAT64 of a public address", "[64:ff9b::5db8:d70e]", false, false},
	{"local NAT64", "[64:ff9b:1::a00:1]", false, false},
	{"6to4 of loopback", "[2002:7f00:1::]", false, false},
	{"6to4 of a public address", "[2002:5db8:d70e::1]", false, false},
	{"6to4 relays", "192.88.99.1", false, false},
	{"Teredo", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", false, false},
	{"ORCHID", "[2001:20::1]", false, false},
	{"benchmarks", "198.18.0.1", false, false},
	{"the end of benchmarks", "198.19.255.255", false, false},
	{"benchmarks of IPv6", "[2001:2::1]", false, false},
	{"documentation 1", "192.0.2.1", false, false},
	{"documentation 2", "198.51.100.1", false, false},
	{"documentation 3", "203.0.113.1", false, false},
	{"documentation of IPv6", "[2001:db8::1]", false, false},
	{"new documentation of IPv6", "[3fff::1]", false, false},
	{"protocol assignments", "192.0.0.192", false, false},
	{"multicast", "224.0.0.1", false, false},
	{"the end of multicast", "239.255.255.250", false, false},
	{"multicast of IPv6", "[ff02::1]", false, false},
	{"global multicast of IPv6", "[ff0e::1]", false, false},
	{"reserved", "240.0.0.1", false, false},
	{"broadcast", "255.255.255.255", false, false},
	{"discard of IPv6", "[100::1]", false, false},
	{"segment routing", "[5f00::1]", false, false},
	{"not assigned", "[4000::1]", false, false},
	{"given back", "[3ffe::1]", false, false},
	{"AS112", "192.175.48.1", false, false},
	{"mapped into IPv6 by translation", "[::ffff:0:127.0.0.1]", false, false},
}

func TestAddresses(t *testing.T) {
	for _, tt := range addresses {
		t.Run(tt.name, func(t *testing.T) {
			for allow, want := range map[bool]bool{false: tt.public, true: tt.private} {
				c := webhook.NewClient(webhook.ClientConfig{AllowPrivate: allow})
				if _, err := c.ParseURL("live", "https://"+tt.host+"/hook"); (err == nil) != want {
					t.Errorf("as a literal, private allowed %v: %v", allow, err)
				}
				if strings.Contains(tt.host, "%25") {
					continue // written so in a URL alone
				}
				if err := c.Dials(tt.host); (err == nil) != want {
					t.Errorf("when dialled, private allowed %v: %v", allow, err)
				}
			}
		})
	}
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		name, raw        string
		live, test, open bool // accepted in live; in test; in test with AllowPrivate
	}{
		{"https", "https://firm.example/hook?key=1", true, true, true},
		{"port 443", "https://firm.example:443/", true, true, true},
		{"port 8443", "https://firm.example:8443", true, true, true},
		{"an international name in ASCII", "https://xn--bcher-kva.example/", true, true, true},
		{"a name with an underscore", "https://a_b.example/", true, true, true},
		{"upper case", "HTTPS://FIRM.EXAMPLE/", true, true, true},
		{"another port", "https://firm.example:9000/", false, true, true},
		{"http", "http://firm.example/", false, false, true},
		{"http on port 443", "http://firm.example:443/", false, false, true},
		{"localhost, which the dialler judges", "https://localhost/", true, true, true},
		{"an empty port", "https://firm.example:/", false, false, false},
		{"port 0", "https://firm.example:0/", false, false, false},
		{"port 65536", "https://firm.example:65536/", false, false, false},
		{"a port that is no number", "https://firm.example:https/", false, false, false},
		{"another scheme", "ftp://firm.example/", false, false, false},
		{"a file", "file:///etc/passwd", false, false, false},
		{"no scheme", "firm.example/hook", false, false, false},
		{"a path alone", "/hook", false, false, false},
		{"opaque", "https:firm.example", false, false, false},
		{"no host", "https:///hook", false, false, false},
		{"a port alone", "https://:443/", false, false, false},
		{"a user", "https://user@firm.example/", false, false, false},
		{"user and password", "https://user:word@firm.example/", false, false, false},
		{"an empty user", "https://@firm.example/", false, false, false},
		{"a fragment", "https://firm.example/#a", false, false, false},
		{"an empty fragment", "https://firm.example/#", false, false, false},
		{"a decimal address", "https://2130706433/", false, false, false},
		{"a hexadecimal address", "https://0x7f000001/", false, false, false},
		{"an octal address", "https://0177.0.0.1/", false, false, false},
		{"a short address", "https://127.1/", false, false, false},
		{"an address with hexadecimal parts", "https://0x7f.0.0.0x1/", false, false, false},
		{"an address with a point at its end", "https://127.0.0.1./", false, false, false},
		{"a name with a point at its end", "https://firm.example./", false, false, false},
		{"two points", "https://firm..example/", false, false, false},
		{"a name that is not ASCII", "https://bücher.example/", false, false, false},
		{"digits that are not ASCII", "https://１２７.0.0.1/", false, false, false},
		{"a point that is not ASCII", "https://127。0。0。1/", false, false, false},
		{"an escaped host", "https://%6c%6f%63alhost/", false, false, false},
		{"a host with a space", "https://firm .example/", false, false, false},
		{"a backslash", `https://firm.example\@127.0.0.1/`, false, false, false},
		{"a line break", "https://firm.example/\r\nHost: x", false, false, false},
		{"nothing", "", false, false, false},
		{"a host past its length", "https://" + longHost + "/", false, false, false},
		{"a URL past its length", "https://firm.example/" + longPath, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			strict, open := webhook.NewClient(webhook.ClientConfig{}), webhook.NewClient(webhook.ClientConfig{AllowPrivate: true})
			for _, w := range []struct {
				client *webhook.Client
				mode   string
				want   bool
			}{{strict, "live", tt.live}, {strict, "", tt.live}, {open, "live", tt.live}, {strict, "test", tt.test}, {open, "test", tt.open}} {
				u, err := w.client.ParseURL(w.mode, tt.raw)
				if (err == nil) != w.want || (u == nil) != (err != nil) {
					t.Errorf("mode %q: %v, %v", w.mode, u, err)
				}
				if err != nil && !errors.Is(err, problem.Validation("")) {
					t.Errorf("mode %q: %v is no validation error", w.mode, err)
				}
			}
		})
	}
}

// FuzzParseURL checks that what passes is what it seems to be: it reads again
// as the same URL, and its host is a name or an address that may be called.
func FuzzParseURL(f *testing.F) {
	for _, raw := range []string{"https://firm.example:8443/a?b=c", "https://[::ffff:7f00:1]/", "https://user@x/", "https://0x7f.1/", "https://a%2fb/"} {
		f.Add(raw)
	}
	c := webhook.NewClient(webhook.ClientConfig{})
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := c.ParseURL("live", raw)
		if err != nil {
			return
		}
		again, err := c.ParseURL("live", u.String())
		if err != nil || again.String() != u.String() || again.Host != u.Host {
			t.Errorf("%q reads as %q, then as %v, %v", raw, u, again, err)
		}
		if u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			t.Errorf("%q passes as %q", raw, u)
		}
		if isAddress(u.Hostname()) && c.Dials(u.Host) != nil {
			t.Errorf("%q leads to an address that is not public", raw)
		}
	})
}
