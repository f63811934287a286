package config

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is a type of value: how it is read and shown, and what to say about a
// wrong one.
type kind[T any] struct {
	name   string
	want   string // follows "give"
	values []string
	parse  func(text string) (T, error) // the error completes "the value …"; never quotes a secret
	show   func(T) any
}

func itself[T any](v T) any { return v }

// quoted says what is wrong with a value that is no secret.
func quoted(text, wrong string) error { return fmt.Errorf("%q %s", text, wrong) }

var boolean = kind[bool]{
	name: "boolean", want: "true or false", values: []string{"true", "false"},
	parse: func(text string) (bool, error) {
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, quoted(text, "is neither true nor false")
	},
	show: itself[bool],
}

// between takes integers from low to high, both included.
func between(low, high int) kind[int] {
	return kind[int]{
		name: "integer", want: fmt.Sprintf("a whole number from %d to %d", low, high),
		parse: func(text string) (int, error) {
			n, err := strconv.Atoi(text)
			if err != nil {
				return 0, quoted(text, "is no whole number")
			}
			if n < low || n > high {
				return 0, quoted(text, "is out of range")
			}
			return n, nil
		},
		show: itself[int],
	}
}

var duration = kind[time.Duration]{
	name: "duration", want: "a time above 0 such as 90s, 15m or 2160h",
	parse: func(text string) (time.Duration, error) {
		d, err := parseDuration(text)
		if err == nil && d <= 0 {
			return 0, quoted(text, "is not above 0")
		}
		return d, err
	},
	show: showDuration,
}

// durationOrOff also takes 0, which turns something off.
var durationOrOff = kind[time.Duration]{
	name: "duration", want: "a time such as 90s, 15m or 2160h, or 0 to turn it off",
	parse: func(text string) (time.Duration, error) {
		d, err := parseDuration(text)
		if err == nil && d < 0 {
			return 0, quoted(text, "is below 0")
		}
		return d, err
	},
	show: showDuration,
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, quoted(text, "is no time")
	}
	return d, nil
}

// showDuration leaves out the zero units that time.Duration prints.
func showDuration(d time.Duration) any {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// oneOf takes one of the given words.
func oneOf(words ...string) kind[string] {
	return kind[string]{
		name: "word", want: strings.Join(words, " or "), values: words,
		parse: func(text string) (string, error) {
			if !slices.Contains(words, text) {
				return "", quoted(text, "is not known")
			}
			return text, nil
		},
		show: itself[string],
	}
}

var level = kind[slog.Level]{
	name: "word", want: "debug, info, warn or error", values: []string{"debug", "info", "warn", "error"},
	parse: func(text string) (slog.Level, error) {
		var l slog.Level
		if !slices.Contains([]string{"debug", "info", "warn", "error"}, text) || l.UnmarshalText([]byte(text)) != nil {
			return 0, quoted(text, "is no level")
		}
		return l, nil
	},
	show: func(l slog.Level) any { return strings.ToLower(l.String()) },
}

var path = kind[string]{
	name: "path", want: "a path",
	parse: func(text string) (string, error) {
		if text == "" || strings.ContainsRune(text, 0) {
			return "", quoted(text, "is no path")
		}
		return text, nil
	},
	show: itself[string],
}

// file is the path of a file that is there, or none.
var file = optional(kind[string]{
	name: "file", want: "the path of a readable file",
	parse: func(text string) (string, error) {
		info, err := os.Stat(text)
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			return "", quoted(text, "cannot be read: "+e.Err.Error())
		}
		if err == nil && info.IsDir() {
			return "", quoted(text, "is a folder")
		}
		return text, err
	},
	show: itself[string],
})

// optional lets a value be empty.
func optional[T any](k kind[T]) kind[T] {
	parse := k.parse
	k.parse = func(text string) (v T, err error) {
		if text == "" {
			return v, nil
		}
		return parse(text)
	}
	return k
}

var address = kind[string]{
	name: "address", want: "HOST:PORT such as 127.0.0.1:8081, the port from 0 to 65535",
	parse: func(text string) (string, error) {
		host, port, err := net.SplitHostPort(text)
		if err != nil {
			return "", quoted(text, "is no HOST:PORT")
		}
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", quoted(text, "has no port from 0 to 65535")
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "" && !hostName.MatchString(host) {
			return "", quoted(text, "names no host")
		}
		return text, nil
	},
	show: itself[string],
}

// hostName is looser than RFC 1123: names of containers have underscores.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

var prefixes = kind[[]netip.Prefix]{
	name: "networks", want: "addresses or networks such as 10.0.0.0/8, separated by commas",
	parse: func(text string) ([]netip.Prefix, error) {
		var all []netip.Prefix
		for _, part := range splitList(text) {
			p, err := netip.ParsePrefix(part)
			if a, addrErr := netip.ParseAddr(part); addrErr == nil && a.Zone() == "" {
				a = a.Unmap()
				p, err = netip.PrefixFrom(a, a.BitLen()), nil
			}
			if err != nil {
				return nil, quoted(part, "is neither an address nor a network")
			}
			all = append(all, p.Masked())
		}
		return all, nil
	},
	show: func(all []netip.Prefix) any {
		texts := make([]string, 0, len(all))
		for _, p := range all {
			texts = append(texts, p.String())
		}
		return texts
	},
}

// splitList cuts at commas and drops what is empty.
func splitList(text string) []string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

var mailbox = kind[string]{
	name: "mailbox", want: "one address such as CCMS <no-reply@example.com>",
	parse: func(text string) (string, error) {
		if _, err := mail.ParseAddress(text); err != nil {
			return "", quoted(text, "is no e-mail address")
		}
		return text, nil
	},
	show: itself[string],
}

var publicURL = optional(kind[*url.URL]{
	name: "URL", want: "https://HOST, without path or user",
	parse: func(text string) (*url.URL, error) {
		u, err := url.Parse(strings.TrimSuffix(text, "/"))
		if err != nil {
			return nil, errors.New("is no URL") // err would quote a password
		}
		if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			return nil, errors.New("is no http or https URL with a host")
		}
		if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
			return nil, errors.New("has more than scheme, host and port")
		}
		return u, nil
	},
	show: func(u *url.URL) any {
		if u == nil {
			return ""
		}
		return u.String()
	},
})
