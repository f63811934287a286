package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// check finds what is wrong between settings that are each right alone.
func check(s *Settings, src Sources) []error {
	var errs []error
	fail := func(key, wrong, right string) {
		errs = append(errs, &Error{key, s.Source(key), wrong, right})
	}
	checkTLS(s, src, fail)
	if src.Service == "" {
		checkPorts(s, fail)
	}
	if s.Login.JWTAlgorithm == "HS256" && !s.Given("login.jwt-secret-file") {
		fail("login.jwt-algorithm", "HS256 needs a secret", "set login.jwt-secret-file to a file of at least 32 random bytes")
	}
	checkMail(s, fail)
	return errs
}

type failure func(key, wrong, right string)

// service is one service and where it listens.
type service struct{ name, addr string }

func services(s *Settings) []service {
	return []service{{"eureka", s.Eureka.Addr}, {"login", s.Login.Addr}, {"creditcard", s.CreditCard.Addr}, {"portal", s.Portal.Addr}}
}

// checkTLS applies decision F2: plain HTTP on loopback only.
func checkTLS(s *Settings, src Sources, fail failure) {
	cert, key := s.Given("tls.cert-file"), s.Given("tls.key-file")
	if cert && !key {
		fail("tls.cert-file", "stands without its private key", "set tls.key-file too")
	}
	if key && !cert {
		fail("tls.key-file", "stands without its certificate", "set tls.cert-file too")
	}
	if cert || key || src.OwnTLS {
		return
	}
	for _, sv := range services(s) {
		if loopback(sv.addr) || src.Service != "" && src.Service != sv.name {
			continue
		}
		proxied := sv.name == "portal" || sv.name == "eureka"
		switch {
		case proxied && s.InsecureHTTP:
		case proxied:
			fail(sv.name+".addr", quoted(sv.addr, "would serve plain HTTP off loopback").Error(),
				"set tls.cert-file and tls.key-file, or insecure-http where a proxy in front ends TLS")
		default:
			fail(sv.name+".addr", quoted(sv.addr, "would serve plain HTTP off loopback").Error(),
				"set tls.cert-file and tls.key-file")
		}
	}
}

// loopback reports whether only this machine reaches addr.
func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// checkPorts finds two services of one process on one address.
func checkPorts(s *Settings, fail failure) {
	all := services(s)
	for i, sv := range all {
		_, port, _ := net.SplitHostPort(sv.addr)
		taken := slices.IndexFunc(all[:i], func(o service) bool { return o.addr == sv.addr })
		if port == "0" || taken < 0 {
			continue
		}
		key, other := sv.name+".addr", all[taken].name+".addr"
		if !s.Given(key) {
			key, other = other, key
		}
		fail(key, fmt.Sprintf("%q is also %s", sv.addr, other), "give each service a port of its own")
	}
}

func checkMail(s *Settings, fail failure) {
	if !s.Given("mail.smtp-password-file") {
		return
	}
	u, err := url.Parse(s.Mail.SMTPURL.Reveal())
	if s.Mail.SMTPURL.IsZero() || err != nil || u.User.Username() == "" {
		fail("mail.smtp-password-file", "is a password of nobody", "set mail.smtp-url with the user, smtp://USER@HOST:587")
		return
	}
	if _, twice := u.User.Password(); twice {
		fail("mail.smtp-password-file", "is a second password beside that of mail.smtp-url", "keep one of them")
	}
}
