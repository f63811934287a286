package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"ccms/internal/inventory"
)

// takeInventory lists algorithms, keys and certificates (PCI DSS 12.3.3).
func (d Desk) takeInventory(ctx context.Context, _ struct{}) ([]inventory.Entry, error) {
	if d.Inventory == nil {
		return nil, errors.New("no keys are kept here: name the data folder of a login or card service with --data")
	}
	cfg, err := d.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	return inventory.Take(ctx, cfg)
}

// Inventory writes algorithms, keys and certificates, with when each is to be
// looked at again.
func (c Client) Inventory(ctx context.Context) error {
	entries := []inventory.Entry{}
	if err := c.Ask(ctx, cryptoInventory, struct{}{}, &entries); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(entries)
	}
	now := time.Now()
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "KIND\tPURPOSE\tALGORITHM\tBITS\tID\tVERSION\tSTATE\tSINCE\tUNTIL\tREVIEW\tRULE") // Flush reports errors
	for _, e := range entries {
		review := e.Review.Format(time.DateOnly)
		if e.Due(now) {
			review += " DUE"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Kind, e.Purpose, e.Algorithm, count(e.Bits), cmp.Or(e.ID, "-"),
			count(int(e.Version)), cmp.Or(e.State, "-"), day(e.Created), day(e.Ends), review, e.Rule)
	}
	return t.Flush()
}

func count(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}
