package config

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// URL is an address that may hold a password. It prints without it under every
// verb and encoder; only Reveal gives the whole. The zero value is none.
type URL struct{ p *string } // a pointer, so that fmt cannot look inside

// NewURL returns text as a URL, unchecked.
func NewURL(text string) URL {
	if text == "" {
		return URL{}
	}
	return URL{&text}
}

// Reveal is the URL with its password, "" when there is none.
func (u URL) Reveal() string {
	if u.p == nil {
		return ""
	}
	return *u.p
}

// IsZero reports whether no URL was given.
func (u URL) IsZero() bool { return u.p == nil }

// Scheme is what stands before the first colon.
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(u.Reveal(), ":")
	return strings.ToLower(scheme)
}

// String is the URL with asterisks for its password.
func (u URL) String() string { return redact(u.Reveal()) }

// GoString implements fmt.GoStringer.
func (u URL) GoString() string { return u.String() }

// Format implements fmt.Formatter for every verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// MarshalText implements encoding.TextMarshaler.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// URLs is a list of them.
type URLs []URL

// Reveal gives each URL with its password.
func (us URLs) Reveal() []string {
	all := make([]string, 0, len(us))
	for _, u := range us {
		all = append(all, u.Reveal())
	}
	return all
}

const hidden = "*****"

// secretParam matches the query parameters of connection strings that hold
// secrets; what they hold is hidden too.
var secretParam = regexp.MustCompile(`(?i)([?&;][^=&;]*(?:password|passwd|secret|token|key|credential|mechanismproperties)[^=&;]*=)[^&;#]*`)

// redact hides the password of a URL. It looks for the last @ and not for the
// end of the authority, because a password with a raw slash would end that
// too early; a MongoDB URL with several hosts is no URL to net/url.
func redact(text string) string {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return text
	}
	rest, query := cutQuery(rest)
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, _, withPassword := strings.Cut(rest[:at], ":")
		if withPassword {
			rest = user + ":" + hidden + rest[at:]
		}
	}
	return scheme + "://" + rest + secretParam.ReplaceAllString(query, "${1}"+hidden)
}

// cutQuery cuts before the ? that begins the query: the first one after the
// last @, since a careless password may hold one too.
func cutQuery(rest string) (before, query string) {
	from := strings.LastIndexByte(rest, '@') + 1
	if i := strings.IndexByte(rest[from:], '?'); i >= 0 {
		return rest[:from+i], rest[from+i:]
	}
	return rest, ""
}

// hasPassword reports whether any URL of a list holds a password.
func hasPassword(list string) bool {
	for _, text := range splitList(list) {
		if redact(text) != text {
			return true
		}
	}
	return redact(list) != list
}

// urlKind takes the URLs that parse does, and shows them without passwords.
func urlKind(want string, parse func(text string) (URL, error)) kind[URL] {
	return kind[URL]{name: "URL", want: want, parse: parse, show: func(u URL) any { return u.String() }}
}

var storeURL = urlKind("sqlite:, mongodb://HOST/CCMS or mongodb+srv://HOST/CCMS", func(text string) (URL, error) {
	if text == "sqlite:" {
		return NewURL(text), nil
	}
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "mongodb" && scheme != "mongodb+srv" {
		return URL{}, errors.New("has another scheme")
	}
	rest, _ = cutQuery(rest)
	hosts, database, _ := strings.Cut(rest[strings.LastIndexByte(rest, '@')+1:], "/")
	if hosts == "" {
		return URL{}, errors.New("names no host")
	}
	if database == "" || strings.ContainsAny(database, `/\. "$`) {
		return URL{}, errors.New("names no database")
	}
	return NewURL(text), nil
})

var smtpURL = optional(netURL("smtp://USER@HOST:587 or smtps://USER@HOST:465", "smtp", "smtps"))

var collectorURL = optional(netURL("http://HOST:4318 or https://HOST", "http", "https"))

// netURL takes URLs with a host and one of the schemes.
func netURL(want string, schemes ...string) kind[URL] {
	return urlKind(want, func(text string) (URL, error) {
		u, err := url.Parse(text)
		if err != nil {
			return URL{}, errors.New("is no URL") // err would quote a password
		}
		if u.Hostname() == "" {
			return URL{}, errors.New("names no host")
		}
		if slices.Contains(schemes, u.Scheme) {
			return NewURL(text), nil
		}
		return URL{}, errors.New("has another scheme")
	})
}

var registryURL = netURL("", "http", "https")

var registryURLs = kind[URLs]{
	name: "URLs", want: "URLs such as http://localhost:8761/eureka/, separated by commas",
	parse: func(text string) (URLs, error) {
		var all URLs
		for _, part := range splitList(text) {
			u, err := registryURL.parse(part)
			if err != nil {
				return nil, err
			}
			all = append(all, u)
		}
		if all == nil {
			return nil, errors.New("names no registry")
		}
		return all, nil
	},
	show: func(all URLs) any {
		texts := make([]string, 0, len(all))
		for _, u := range all {
			texts = append(texts, u.String())
		}
		return texts
	},
}

var anyScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:.`)

var (
	keyURL    = optional(anyURL("file:PATH or the URL of a key service"))
	bucketURL = optional(anyURL("s3://BUCKET?region=REGION, gs://BUCKET, azblob://CONTAINER or file:///FOLDER"))
)

// anyURL checks the shape only: which services there are is known to who opens
// them.
func anyURL(want string) kind[URL] {
	return urlKind(want, func(text string) (URL, error) {
		if !anyScheme.MatchString(text) {
			return URL{}, errors.New("has no scheme")
		}
		return NewURL(text), nil
	})
}
