// Package report owns what a firm may count and take home of its registrations:
// GET /v1/reports/registrations (decisions D6 and D7), as JSON, CSV or one JSON
// object a line. It holds no more of a report in memory than a page, however
// long the report. Which registrations there are is package ledger's; who may
// ask is told by the function handed in as Require.
package report

import (
	"bufio"
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/registration/ledger"
	"ccms/internal/tenant"
)

// Route is the pattern of the only route.
const Route = "GET /v1/reports/registrations"

const (
	// actRead is the name of the act in the audit record: what leaves here in one
	// piece is worth a line.
	actRead = "report.read"
	// stretch is how many rows are written before the client is given stretchTime
	// again.
	stretch     = 1000
	stretchTime = 60 * time.Second
	buffer      = 32 << 10
)

// Audit records that a report was read; *audit.Log does.
type Audit interface {
	Note(ctx context.Context, e audit.Entry, result string) error
}

// Config is what New needs.
type Config struct {
	// During yields registrations of a period, masked; ledger.Ledger's.
	During func(ctx context.Context, p ledger.Period, now time.Time) iter.Seq2[ledger.Row, error]
	Audit  Audit
	// Require makes the check of a route: who sent a request, and that he holds
	// the scope; tenant.Guard's.
	Require func(scope string) httpserver.Authenticate
	// Log is told what nobody else hears of; default slog.Default().
	Log *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Service makes reports.
type Service struct{ c Config }

// New returns a Service.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c}
}

// Routes registers Route.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle(Route, httpserver.As(s.c.Require(identity.ScopeReports), s.handle))
}

// handle counts or lists. Nothing is written before the first page was read, so
// that a store that is away is told as one.
func (s *Service) handle(w http.ResponseWriter, r *http.Request) error {
	p := identity.FromContext(r.Context())
	q, err := parse(ledger.Shelf{Firm: p.FirmID, Modes: tenant.Modes(p.Mode)}, r.URL.Query(), s.c.Now())
	if err != nil {
		return err
	}
	err = s.c.Audit.Note(r.Context(), audit.Entry{
		Act: actRead, Actor: tenant.Actor(p), Object: p.FirmID, Owner: p.FirmID,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}, audit.Success)
	if err != nil {
		return err
	}
	found := s.c.During(r.Context(), q.period, s.c.Now())
	rows := listed(found)
	if len(q.group) > 0 {
		counts, err := count(found, q.group)
		if err != nil {
			return err
		}
		rows = counts.rows()
	}
	return s.write(w, r, rows, q)
}

// row is a line of a report, in both of its forms.
type row struct {
	value any             // as JSON
	cells func() []string // as CSV
}

// write sends the rows as they come. A failure before the first of them is
// answered as one; a later one breaks the connection off, so that nobody takes a
// part for the whole.
func (s *Service) write(w http.ResponseWriter, r *http.Request, rows iter.Seq2[row, error], q query) error {
	out := bufio.NewWriterSize(w, buffer)
	form := forms[q.format]
	clock := http.NewResponseController(w)
	n := 0
	for line, err := range rows {
		switch {
		case err != nil && n == 0:
			return err
		case err != nil:
			s.c.Log.LogAttrs(r.Context(), slog.LevelError, "report broke off", slog.String("error.message", card.MaskRuns(err.Error())))
			panic(http.ErrAbortHandler)
		case n == 0:
			begin(w, form, q)
			form.head(out, q)
		}
		if n%stretch == 0 {
			_ = clock.SetWriteDeadline(time.Now().Add(stretchTime)) // of the connection: the real clock's
		}
		if err := form.row(out, line, n); err != nil {
			return nil // the client has gone; nobody is left to tell
		}
		n++
	}
	if n == 0 {
		begin(w, form, q)
		form.head(out, q)
	}
	form.tail(out)
	_ = out.Flush()
	return nil
}

func begin(w http.ResponseWriter, f form, q query) {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if q.format != formatJSON {
		h.Set("Content-Disposition", `attachment; filename="registrations.`+q.format+`"`)
	}
}
