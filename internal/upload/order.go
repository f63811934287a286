package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
)

// Order is what a person wants copied.
type Order struct {
	URL   string // as in Config
	Files []string
	Out   io.Writer // for what was done, a line for each file
	Err   io.Writer // for what is tried again
	// Format is "json", one array at the end, else text.
	Format string
	// Bar is the terminal to show progress on; nil for none.
	Bar io.Writer
}

// Run copies the files, one after the other. One that fails does not keep the
// others; the error joins all failures.
func (o Order) Run(ctx context.Context) error {
	b, err := Open(ctx, Config{
		URL: o.URL, Progress: o.progress(),
		Again: func(err error, in time.Duration) {
			_, _ = fmt.Fprintf(o.Err, "ccms: %v; trying again in %v\n", err, in)
		},
	})
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	return errors.Join(o.run(ctx, b), b.Close())
}

func (o Order) run(ctx context.Context, b *Bucket) error {
	copies, failed := []Copy{}, []error{}
	for _, file := range o.Files {
		c, err := b.Send(ctx, file)
		o.show("")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			failed = append(failed, err)
			continue
		case o.Format != "json":
			_, err = fmt.Fprintln(o.Out, c)
		}
		copies, failed = append(copies, c), append(failed, err)
	}
	if o.Format == "json" {
		text, err := json.Marshal(copies)
		_, err2 := o.Out.Write(append(text, '\n'))
		failed = append(failed, err, err2)
	}
	return errors.Join(failed...)
}

// String says in words what became of a file.
func (c Copy) String() string {
	if c.There {
		return fmt.Sprintf("%s: there already as %s", c.File, c.Key)
	}
	return fmt.Sprintf("%s: %d bytes copied to %s", c.File, c.Bytes, c.Key)
}

// progress shows how much of a file has passed, ten times a second at most.
func (o Order) progress() func(sent, total int64) {
	var drawn time.Time
	return func(sent, total int64) {
		if time.Since(drawn) >= 100*time.Millisecond {
			drawn = time.Now()
			o.show(fmt.Sprintf("%3d %% of %.1f MiB sent", 100*sent/max(total, 1), float64(total)/(1<<20)))
		}
	}
}

// show writes a line on the terminal over the last one.
func (o Order) show(text string) {
	if o.Bar != nil {
		_, _ = fmt.Fprintf(o.Bar, "\r\x1b[K%s", text) // a terminal that is gone shows nothing
	}
}
