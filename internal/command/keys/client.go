package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/rotation"
)

// Client asks for commands and writes their answers.
type Client struct {
	// Ask has a command done at a desk and decodes its answer into out.
	Ask    func(ctx context.Context, name string, args, out any) error
	Out    io.Writer
	Format string // "json", else text
	// Bar is the terminal to show progress on; nil shows it as lines in Out.
	Bar io.Writer
}

// The errors of work that is not as it should be at its end.
var (
	ErrStopped = errors.New("it stopped before its end, see above: start it again to go on")
	ErrFailed  = errors.New("some values could not be moved: they were altered, or their key is destroyed or unknown")
)

func (c Client) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = c.Out.Write(append(b, '\n'))
	return err
}

// Status writes all keys, and what is due.
func (c Client) Status(ctx context.Context) error {
	var all []rotation.Status
	if err := c.Ask(ctx, Status, struct{}{}, &all); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(all)
	}
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "SERVICE\tUSE\tNAME\tVERSION\tSTATE\tCREATED\tRETIRED\tVALUES\tDUE") // Flush reports errors
	for _, s := range all {
		for _, k := range s.Keys {
			values := "-"
			if k.Values != nil {
				values = strconv.FormatInt(*k.Values, 10)
				if s.Partial {
					values += "+"
				}
			}
			version := "-"
			if k.Version > 0 {
				version = strconv.FormatInt(k.Version, 10)
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.Service, k.Use, k.Name, version, k.State,
				day(k.Created), day(k.Retired), values, cmp.Or(k.Due, "-"))
		}
		if s.Orphans > 0 {
			_, _ = fmt.Fprintf(t, "%s: %d values lie under no key there is\n", s.Service, s.Orphans)
		}
	}
	return t.Flush()
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}

// Rotate makes new versions of all keys that wrap record keys, and writes which.
func (c Client) Rotate(ctx context.Context) error { return c.rotate(ctx, Which{}) }

// RotateSigning makes new keys that sign tokens, and writes in which services.
func (c Client) RotateSigning(ctx context.Context) error { return c.rotate(ctx, Which{Signing: true}) }

func (c Client) rotate(ctx context.Context, which Which) error {
	var all []rotation.Rotated
	if err := c.Ask(ctx, Rotate, which, &all); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(all)
	}
	for _, r := range all {
		line := fmt.Sprintf("%s: %s is at version %d", r.Service, r.Key, r.Version)
		if which.Signing {
			line = r.Service + ": tokens are signed by a new key"
		}
		if _, err := fmt.Fprintln(c.Out, line); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return nil
	}
	none := "no key wraps cards' keys yet, so there is none to rotate"
	if which.Signing {
		none = "no key here signs tokens"
	}
	_, err := fmt.Fprintln(c.Out, none)
	return err
}

// Destroy ends retired versions that hold nothing, and writes which.
func (c Client) Destroy(ctx context.Context) error {
	return c.destroy(ctx, Doomed{}, "nothing to destroy: no retired version is without values and old enough")
}

// DestroyFirm ends all keys of a firm, and writes which.
func (c Client) DestroyFirm(ctx context.Context, firm string) error {
	return c.destroy(ctx, Doomed{firm}, "nothing to destroy: no such firm has keys here")
}

func (c Client) destroy(ctx context.Context, which Doomed, none string) error {
	var all []rotation.Destroyed
	if err := c.Ask(ctx, Destroy, which, &all); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(all)
	}
	for _, d := range all {
		if _, err := fmt.Fprintf(c.Out, "%s: %s version %d is destroyed\n", d.Service, d.Key, d.Version); err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return nil
	}
	_, err := fmt.Fprintln(c.Out, none)
	return err
}

// The steps in which progress is shown.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// Rewrap begins to move sealed values to the active versions and shows how far
// it is until it is over. When ctx ends the process that does it goes on.
func (c Client) Rewrap(ctx context.Context) error { return c.follow(ctx, Rewrap) }

// RotateLookup does the same with the exchange of look-up keys.
func (c Client) RotateLookup(ctx context.Context) error { return c.follow(ctx, Lookup) }

// follow begins work in the background and shows how far it is.
func (c Client) follow(ctx context.Context, work string) error {
	var all []rotation.Progress
	if err := c.Ask(ctx, work, struct{}{}, &all); err != nil {
		return err
	}
	if len(all) == 0 && c.Format != "json" {
		_, err := fmt.Fprintln(c.Out, "nothing is sealed here: name the data folder of a card service with --data")
		return err
	}
	ask := time.NewTicker(barEvery)
	defer ask.Stop()
	shown := time.Now()
	for !over(all) {
		c.bar(all)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ask.C:
		}
		if err := c.Ask(ctx, Progress, struct{}{}, &all); err != nil {
			return err
		}
		if c.Bar == nil && time.Since(shown) >= lineEvery && !over(all) {
			shown = time.Now()
			if err := c.write(all); err != nil {
				return err
			}
		}
	}
	if c.Bar != nil {
		_, _ = io.WriteString(c.Bar, "\r\x1b[K") // a terminal that is gone shows nothing
	}
	if err := c.write(all); err != nil {
		return err
	}
	return outcome(all)
}

func over(all []rotation.Progress) bool {
	for _, p := range all {
		if !p.Over() {
			return false
		}
	}
	return true
}

func outcome(all []rotation.Progress) error {
	failed := false
	for _, p := range all {
		if p.State != rotation.Done {
			return ErrStopped
		}
		failed = failed || p.Failed > 0
	}
	if failed {
		return ErrFailed
	}
	return nil
}

func (c Client) write(all []rotation.Progress) error {
	if c.Format == "json" {
		return c.json(all)
	}
	for _, p := range all {
		if _, err := fmt.Fprintln(c.Out, line(p)); err != nil {
			return err
		}
	}
	return nil
}

// line says in one line how far it is.
func line(p rotation.Progress) string {
	text := fmt.Sprintf("%s: %s, %d of %d values looked at, %d %s, %d failed", p.Service, p.State, p.Passed, p.Values, p.Moved, moved(p.Job), p.Failed)
	if p.Renewed > 0 {
		text += fmt.Sprintf(", %d keys moved to the newest version of the root key", p.Renewed)
	}
	if p.Until != "" {
		text += ", until " + p.Until + " for every process to know the new key"
	}
	if p.Hitch != "" {
		text += ", trying again: " + p.Hitch
	}
	if p.Error != "" {
		text += ": " + p.Error
	}
	return text
}

// moved is what became of values that were moved.
func moved(job string) string {
	if job == rotation.JobLookup {
		return "found by the new key"
	}
	return "re-wrapped"
}

// bar draws how far all of it is.
func (c Client) bar(all []rotation.Progress) {
	if c.Bar == nil {
		return
	}
	var sum rotation.Progress
	for _, p := range all {
		sum.Job, sum.Until = p.Job, max(sum.Until, p.Until)
		sum.Values += p.Values
		sum.Passed += p.Passed
		sum.Moved += p.Moved
	}
	const width = 40
	full := int64(0)
	if sum.Values > 0 {
		full = min(width*sum.Passed/sum.Values, width)
	}
	_, _ = fmt.Fprintf(c.Bar, "\r\x1b[K[%s%s] %d of %d values, %d %s",
		strings.Repeat("#", int(full)), strings.Repeat(".", int(width-full)), sum.Passed, sum.Values, sum.Moved, moved(sum.Job))
	if sum.Until != "" {
		_, _ = fmt.Fprintf(c.Bar, ", waiting until %s", sum.Until)
	}
}
