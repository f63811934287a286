package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"ccms/internal/login"
	"ccms/internal/outbox"
	"ccms/internal/store"
)

// Letter is a mail that waits or was given up, without what it says and to
// whom.
type Letter struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	State    string    `json:"state"` // "queued", "sending" or "dead"
	Created  time.Time `json:"created"`
	Attempts int       `json:"attempts"`
	Next     time.Time `json:"next,omitzero"`
	Failure  string    `json:"failure,omitzero"` // class of the last one, "recipient 550 5.1.1"
}

// listMail returns what waits, the oldest first, then what was given up.
func (d Desk) listMail(ctx context.Context, _ struct{}) ([]Letter, error) {
	q, err := d.Mail(ctx)
	if err != nil {
		return nil, err
	}
	items, err := q.List(ctx, login.KindMail)
	letters := make([]Letter, 0, len(items))
	for _, i := range items {
		l := Letter{ID: i.ID, Kind: i.Kind, State: i.State, Created: i.Created, Attempts: i.Tries, Next: i.Due, Failure: i.Failure}
		if i.Leased && i.Due.After(time.Now()) {
			l.State, l.Next = "sending", time.Time{}
		}
		letters = append(letters, l)
	}
	return letters, err
}

// retry names the mails to try again: one, or all.
type retry struct {
	ID  string `json:"id,omitzero"`
	All bool   `json:"all,omitzero"`
}

// retried says how many mails are due now.
type retried struct {
	Retried int `json:"retried"`
}

// retryMail makes mails due now. The queue of the running process finds them
// within a second.
func (d Desk) retryMail(ctx context.Context, which retry) (retried, error) {
	q, err := d.Mail(ctx)
	if err != nil {
		return retried{}, err
	}
	if !which.All {
		switch err := q.Retry(ctx, login.KindMail, which.ID); {
		case errors.Is(err, store.ErrNotFound):
			return retried{}, fmt.Errorf("there is no mail %q: ccms mail list shows those that wait or were given up", which.ID)
		case errors.Is(err, outbox.ErrBusy):
			return retried{}, fmt.Errorf("mail %s is being sent right now", which.ID)
		case err != nil:
			return retried{}, err
		}
		return retried{1}, nil
	}
	items, err := q.List(ctx, login.KindMail)
	var done retried
	for _, i := range items {
		err := q.Retry(ctx, login.KindMail, i.ID)
		if err == nil {
			done.Retried++
		} else if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, outbox.ErrBusy) { // sent meanwhile, or about to be
			return done, err
		}
	}
	return done, err
}

// Letters returns the mails that wait or were given up.
func (c Client) Letters(ctx context.Context) (letters []Letter, err error) {
	err = c.Ask(ctx, listMail, struct{}{}, &letters)
	return letters, err
}

// ListMail writes the mails that wait or were given up, as text or JSON.
func (c Client) ListMail(ctx context.Context) error {
	letters, err := c.Letters(ctx)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(letters)
	}
	if len(letters) == 0 {
		_, err := fmt.Fprintln(c.Out, "no mail waits, none was given up")
		return err
	}
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ID\tKIND\tSTATE\tAGE\tATTEMPTS\tNEXT\tLAST FAILURE") // Flush reports errors
	for _, l := range letters {
		next := "-"
		if !l.Next.IsZero() {
			next = "in " + max(time.Until(l.Next), 0).Round(time.Second).String()
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, l.Kind, l.State, time.Since(l.Created).Round(time.Second), l.Attempts, next, cmp.Or(l.Failure, "-"))
	}
	return t.Flush()
}

// RetryMail makes a mail due now, all of them when id is "", and writes how
// many, as text or JSON.
func (c Client) RetryMail(ctx context.Context, id string) error {
	var done retried
	if err := c.Ask(ctx, retryMail, retry{ID: id, All: id == ""}, &done); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(done)
	}
	_, err := fmt.Fprintf(c.Out, "mails to be tried again: %d\n", done.Retried)
	return err
}
