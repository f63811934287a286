package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ccms/internal/scan"
	"ccms/internal/store"
)

// The errors of a search that has not shown that there is nothing.
var (
	ErrFound      = errors.New("card numbers were found, see above")
	ErrUnsearched = errors.New("not everything was searched, see above")
)

// maxAnswered is how many findings in the store are told one by one.
const maxAnswered = 10_000

// searched is what of the store to pass over.
type searched struct {
	IgnoreTest bool
}

// storeFindings are what a search of the store gave.
type storeFindings struct {
	Findings []scan.Finding
	Unread   []scan.Unread
	Totals   scan.Totals
}

// searchStore searches every document, whatever the driver.
func (d Desk) searchStore(ctx context.Context, in searched) (storeFindings, error) {
	dumper, ok := d.Store.(store.Dumper)
	if !ok {
		return storeFindings{}, errors.New("the process that runs on this data folder has no store to search: name another with --data")
	}
	var out storeFindings
	s := scan.New(scan.Config{
		IgnoreTest: in.IgnoreTest,
		Found: func(f scan.Finding) {
			if len(out.Findings) < maxAnswered {
				out.Findings = append(out.Findings, f)
			}
		},
		Unread: func(u scan.Unread) {
			if len(out.Unread) < maxAnswered {
				out.Unread = append(out.Unread, u)
			}
		},
	})
	err := s.Documents(ctx, dumper.Dump(ctx))
	out.Totals = s.Totals()
	return out, err
}

// Search is a search for card numbers.
type Search struct {
	// Store searches the documents of the configured store too.
	Store bool
	// FollowLinks and IgnoreTest are those of scan.Config.
	FollowLinks, IgnoreTest bool
	// Progress is where to show how far the search is, a terminal; nil for
	// nowhere.
	Progress io.Writer

	client Client
	err    error // of writing
}

// NewSearch returns a search that tells what it finds to the client's Out: a
// line for each finding, each place that could not be searched, and the totals.
// In JSON each line is an object with one member, "finding", "unread" or
// "totals".
func (c Client) NewSearch() *Search { return &Search{client: c} }

// Run searches files and folders. It returns ErrFound when there is a card
// number, else ErrUnsearched when something could not be searched.
func (s *Search) Run(ctx context.Context, paths []string) error {
	files := scan.New(scan.Config{
		Found:       func(f scan.Finding) { s.tell("finding", f) },
		Unread:      func(u scan.Unread) { s.tell("unread", u) },
		Progress:    s.progress,
		FollowLinks: s.FollowLinks,
		IgnoreTest:  s.IgnoreTest,
	})
	var err error
	for _, path := range paths {
		err = errors.Join(err, files.Path(ctx, path))
	}
	totals := files.Totals()
	if s.Store && err == nil {
		err = s.runStore(ctx, &totals)
	}
	s.clear()
	s.tell("totals", sum{totals})
	switch {
	case err != nil:
		return err
	case s.err != nil:
		return s.err
	case totals.Numbers > 0:
		return ErrFound
	case totals.Unread > 0:
		return ErrUnsearched
	}
	return nil
}

// runStore has the store searched, and adds up what was.
func (s *Search) runStore(ctx context.Context, totals *scan.Totals) error {
	var out storeFindings
	if err := s.client.Ask(ctx, scanStore, searched{IgnoreTest: s.IgnoreTest}, &out); err != nil {
		return err
	}
	for _, f := range out.Findings {
		s.tell("finding", f)
	}
	for _, u := range out.Unread {
		s.tell("unread", u)
	}
	totals.Documents = out.Totals.Documents
	totals.Bytes += out.Totals.Bytes
	totals.Numbers += out.Totals.Numbers
	totals.Unread += out.Totals.Unread
	totals.Seconds += out.Totals.Seconds
	return nil
}

// tell writes a line. After a failure it writes nothing more.
func (s *Search) tell(kind string, what fmt.Stringer) {
	if s.err != nil {
		return
	}
	s.clear()
	if s.client.Format == "json" {
		s.err = s.client.json(map[string]any{kind: what})
		return
	}
	_, s.err = fmt.Fprintln(s.client.Out, what)
}

func (s *Search) progress(t scan.Totals) {
	if s.Progress != nil {
		_, _ = fmt.Fprintf(s.Progress, "\r\x1b[K%s", sum{t}) // a terminal that is gone shows nothing
	}
}

// clear takes the progress away.
func (s *Search) clear() {
	if s.Progress != nil {
		_, _ = io.WriteString(s.Progress, "\r\x1b[K")
	}
}

// sum tells totals to a person.
type sum struct{ scan.Totals }

func (t sum) String() string {
	text := fmt.Sprintf("%d card numbers in %d files", t.Numbers, t.Files)
	if t.Documents > 0 {
		text += fmt.Sprintf(" and %d documents", t.Documents)
	}
	text += fmt.Sprintf("; %.1f MB in %.1f s, %.0f MB/s", float64(t.Bytes)/1e6, t.Seconds, t.Speed())
	if t.Unread > 0 {
		text += fmt.Sprintf("; %d not searched", t.Unread)
	}
	if t.Skipped > 0 {
		text += fmt.Sprintf("; %d links and special files skipped", t.Skipped)
	}
	return text
}
