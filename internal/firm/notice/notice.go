// Package notice owns who of a firm is told when something of it was switched
// off: its owners and admins. It has the internal route by which the card service
// asks for that; who a firm's people are is package firm's, and the letters are
// the login service's, which package boot hands in.
package notice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ccms/internal/firm"
	"ccms/internal/firm/directory"
	"ccms/internal/httpserver"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// Config is what New needs.
type Config struct {
	Firms *firm.Service
	// Tell has an account told, durably; told the same thing twice it writes one
	// letter.
	Tell func(ctx context.Context, account string, d directory.Disabled) error
}

// Notices has people told.
type Notices struct{ c Config }

// New returns Notices.
func New(c Config) *Notices { return &Notices{c} }

// Routes registers what the card service asks (decision A8), through package
// directory.
func (n *Notices) Routes(mux *httpserver.Mux) {
	mux.Handle("POST /internal/firms/{firm}/disabled-endpoints", httpserver.Internal(httpserver.JSON(n.postDisabled)))
}

// postDisabled tells everybody before it answers: an error is tried again. A firm
// that is unknown is no error among ourselves; the answer says so.
func (n *Notices) postDisabled(r *http.Request, _ httpserver.None) (directory.Firm, error) {
	q := r.URL.Query()
	at, err := time.Parse(time.RFC3339Nano, q.Get("at"))
	if err != nil {
		return directory.Firm{}, problem.Validation("Say when it was disabled.")
	}
	d := directory.Disabled{
		FirmID: r.PathValue("firm"), Endpoint: q.Get("endpoint"), Mode: q.Get("mode"), Host: q.Get("host"), Reason: q.Get("reason"), At: at,
	}
	f, err := n.c.Firms.Firm(r.Context(), d.FirmID)
	if errors.Is(err, store.ErrNotFound) {
		return directory.Firm{}, nil
	}
	if err != nil {
		return directory.Firm{}, err
	}
	for _, m := range f.Members {
		if m.Role.Rank() < firm.Admin.Rank() {
			continue
		}
		if err := n.c.Tell(r.Context(), m.Subject, d); err != nil {
			return directory.Firm{}, fmt.Errorf("tell a member of a firm: %w", err)
		}
	}
	return directory.Firm{ID: f.ID, Name: f.Name, Suspended: f.Suspended}, nil
}
