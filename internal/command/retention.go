package command

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"ccms/internal/retention"
)

// Kept is a class of data as it is told.
type Kept struct {
	Class         string     `json:"class"`
	Justification string     `json:"justification"`
	KeepSeconds   int64      `json:"keep_seconds"`
	Stored        int64      `json:"stored"`
	Overdue       int64      `json:"overdue"`
	Oldest        *time.Time `json:"oldest,omitzero"` // since when the oldest is no longer needed, if one is not
}

// ErrOverdue is returned by VerifyRetention when something is still there.
var ErrOverdue = errors.New("data is kept longer than it may be, see above")

// verifyRetention counts every class (PCI DSS 3.2.1).
func (d Desk) verifyRetention(ctx context.Context, _ struct{}) ([]Kept, error) {
	if d.Retention == nil {
		return nil, errors.New("nothing is kept here: name the data folder of a login or card service with --data")
	}
	sources, err := d.Retention(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	all := make([]Kept, 0, len(sources))
	for _, count := range sources {
		c, err := count(ctx, now)
		if err != nil {
			return nil, err
		}
		all = append(all, keptOf(c, now))
	}
	return all, nil
}

func keptOf(c retention.Class, now time.Time) Kept {
	k := Kept{Class: c.Name, Justification: c.Justification, KeepSeconds: int64(c.Keep.Seconds()), Stored: c.Kept, Overdue: c.Overdue}
	if !c.Oldest.IsZero() && c.Oldest.Before(now) {
		k.Oldest = new(c.Oldest.UTC())
	}
	return k
}

// VerifyRetention writes what is kept, how long and why, and returns ErrOverdue
// when something should be gone.
func (c Client) VerifyRetention(ctx context.Context) error {
	classes := []Kept{}
	if err := c.Ask(ctx, verifyRetention, struct{}{}, &classes); err != nil {
		return err
	}
	overdue := int64(0)
	for _, k := range classes {
		overdue += k.Overdue
	}
	if err := c.writeKept(classes); err != nil {
		return err
	}
	if overdue > 0 {
		return ErrOverdue
	}
	return nil
}

func (c Client) writeKept(classes []Kept) error {
	if c.Format == "json" {
		return c.json(classes)
	}
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\tCLASS\tKEPT FOR\tSTORED\tOVERDUE\tOLDEST\tWHY") // Flush reports errors
	for _, k := range classes {
		state, oldest := "ok", "-"
		if k.Overdue > 0 {
			state = "FAIL"
		}
		if k.Oldest != nil {
			oldest = k.Oldest.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", state, k.Class, time.Duration(k.KeepSeconds)*time.Second, k.Stored, k.Overdue, oldest, k.Justification)
	}
	return t.Flush()
}
