package boot

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ccms/internal/firm/directory"
)

// TestWhoIsSuspended would fail if the events of a firm that is suspended, or of
// one that is no more, were sent.
func TestWhoIsSuspended(t *testing.T) {
	away := errors.New("away")
	id := "firm_" + strings.Repeat("A", 26)
	for name, c := range map[string]struct {
		answer    directory.Firm
		err, want error
		suspended bool
	}{
		"a firm":                {directory.Firm{ID: id}, nil, nil, false},
		"a suspended one":       {directory.Firm{ID: id, Suspended: true}, nil, nil, true},
		"one that is unknown":   {directory.Firm{}, nil, nil, true},
		"one nobody can ask of": {directory.Firm{}, away, away, false},
	} {
		d := directory.New(directory.Config{Call: func(_ context.Context, _, _ string, out any) error {
			*out.(*directory.Firm) = c.answer
			return c.err
		}})
		if is, err := suspendedIn(d)(t.Context(), id); is != c.suspended || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, is, err)
		}
	}
}
