// Package record owns how a firm reads its part of the card service's audit log:
// GET /v1/audit (PCI DSS 10.2.2 and A1.2.1). What is in the log, and that it was
// not altered, is package audit's; who may read is decided before.
package record

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/listing"
	"ccms/internal/problem"
)

// Bounds of a page.
const (
	defaultLimit = 50
	maxLimit     = 100
)

// Log is the audit log; *audit.Log is one.
type Log interface {
	Page(ctx context.Context, f audit.Filter) ([]audit.Row, string, error)
	Note(ctx context.Context, e audit.Entry, result string) error
}

// Config is what New needs.
type Config struct {
	// Audit is required.
	Audit Log
	// Require authenticates who has a scope, a firm's client or member.
	// Required.
	Require func(scope string) httpserver.Authenticate
}

// Service serves a firm's audit records.
type Service struct{ c Config }

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Routes registers GET /v1/audit.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /v1/audit", httpserver.As(s.c.Require(identity.ScopeReports), httpserver.JSON(s.list)))
}

// page is the answer: the oldest first. The next cursor is null on the last.
type page struct {
	Data []audit.Row `json:"data"`
	Next *string     `json:"next_cursor"`
}

// list answers with a page. That somebody begins to read the log is on record
// itself, before he gets anything (PCI DSS 10.2.1.3).
func (s *Service) list(r *http.Request, _ httpserver.None) (page, error) {
	who := identity.FromContext(r.Context())
	list := "record/" + who.FirmID
	f, err := parse(list, r.URL.Query())
	if err != nil {
		return page{}, err
	}
	f.Owner = who.FirmID
	if f.After == "" {
		if err := s.c.Audit.Note(r.Context(), entry(r, who), audit.Success); err != nil {
			return page{}, err
		}
	}
	rows, next, err := s.c.Audit.Page(r.Context(), f)
	if errors.Is(err, audit.ErrPlace) {
		err = listing.NotGiven()
	}
	p := page{Data: append([]audit.Row{}, rows...)}
	if next != "" {
		p.Next = new(listing.Cursor(list, next))
	}
	return p, err
}

func entry(r *http.Request, who identity.Principal) audit.Entry {
	actor := who.ClientID
	if actor == "" {
		actor = who.Subject
	}
	return audit.Entry{
		Act: "audit.read", Actor: actor, Object: who.FirmID, Owner: who.FirmID,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}
}

// parse reads from, to, cursor and limit of a list, each at most once.
func parse(list string, query url.Values) (f audit.Filter, err error) {
	for name, values := range query {
		if len(values) > 1 {
			return f, unknownParameter()
		}
		switch text := values[0]; name {
		case "from":
			f.From, err = parseTime(text)
		case "to":
			f.To, err = parseTime(text)
		case "cursor":
			f.After, err = listing.Place(list, text)
		case "limit":
			f.Limit, err = parseLimit(text)
		default:
			err = unknownParameter()
		}
		if err != nil {
			return f, err
		}
	}
	if f.Limit == 0 {
		f.Limit = defaultLimit
	}
	return f, nil
}

func unknownParameter() error {
	return problem.Validation("Use only the query parameters the API description names, each once.")
}

// parseTime reads a time in RFC 3339, or a day, which begins at midnight UTC.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, problem.Validation("Send from and to as 2026-11-30 or 2026-11-30T08:00:00Z.")
}

func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, problem.Validation("Send a limit from 1 to 100.")
	}
	return n, nil
}
