// Package cardimport registers a file of cards for a firm (`ccms cards import`):
// it reads the file line by line, sends the lines in batches, writes a result
// for each, and goes on after a break where the results end, so that no line is
// registered twice. It neither copies the file nor writes a number anywhere.
//
// What a line is worth the service decides; package client sends the lines, and
// sends them again as long as that may help. This package is a firm's side: it
// opens no store and knows no service from within.
//
// # No line twice
//
// Each line has an idempotency key of its client, the content of the whole file
// and its number. Before a batch is sent, the run file beside the results says
// how far; results are durable before the next batch. After a break the lines
// that were sent and have no result are sent again with the keys they had, and
// the service answers what it would have answered then. It keeps keys for 24
// hours: later such lines are not sent, unless the caller insists.
package cardimport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"ccms/client"
	"ccms/internal/secret"
)

// keysLast is how long the keys of lines without a result are trusted: the
// service keeps them for 24 hours (decision D5).
const keysLast = 23 * time.Hour

// Config is what Run needs.
type Config struct {
	// File is the file of cards; Format is "csv" or "ndjson", by default what the
	// file's name ends with.
	File, Format string
	// Results is the file of results; default File with ".results.ndjson".
	Results string
	// Bulk registers cards: that of a client.Client.
	Bulk func(context.Context, []client.CardData) iter.Seq[client.BulkResult]
	// ClientID says whose import it is: another client has other keys.
	ClientID string
	// Key is the client's secret: the content of the file is remembered by its
	// HMAC, for a plain hash of few numbers could be undone (PCI DSS 3.5.1.1).
	Key client.Secret
	// Resend sends lines again whose keys may be forgotten.
	Resend bool
	// Progress is told how far it is, as a bar if Terminal; default nobody.
	Progress io.Writer
	Terminal bool
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Summary is what became of a file.
type Summary struct {
	File       string  `json:"file"`
	Results    string  `json:"results"`
	Lines      int     `json:"lines"` // cards in the file
	Registered int     `json:"registered"`
	Refused    int     `json:"refused"` // and failed
	Before     int     `json:"before"`  // of them, settled by an earlier run
	Complete   bool    `json:"complete"`
	Seconds    float64 `json:"seconds"` // of this run
}

// Run imports a file and returns what became of it, also with an error. It
// fails when the file or its results cannot be read or written, when they do not
// belong together, and when the service gave no answer that stands; then running
// it again goes on. Refused lines are no error.
func Run(ctx context.Context, cfg Config) (Summary, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if cfg.Results == "" {
		cfg.Results = cfg.File + ".results.ndjson"
	}
	sum := Summary{File: cfg.File, Results: cfg.Results}
	began := cfg.Now()
	im := &importer{cfg: cfg, sum: &sum}
	err := im.run(ctx)
	sum.Complete = err == nil
	sum.Seconds = cfg.Now().Sub(began).Round(time.Millisecond).Seconds()
	return sum, err
}

// importer is one run.
type importer struct {
	cfg     Config
	sum     *Summary
	file    *os.File
	content string // what the file's content is known by
	journal *journal
	bar     *bar
}

func (im *importer) run(ctx context.Context) (err error) {
	if im.file, err = os.Open(im.cfg.File); err != nil {
		return fmt.Errorf("open the file of cards: %w", err)
	}
	defer func() { err = errors.Join(err, im.file.Close()) }()
	if info, err := im.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.New("the cards must be in a file, not a pipe or a folder: it is read twice")
	}
	if err := im.survey(); err != nil {
		return err
	}
	im.journal, err = openJournal(im.cfg.Results, runFile{
		Version: 1, Content: im.content, ClientID: im.cfg.ClientID,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, im.journal.close()) }()
	j := im.journal
	im.sum.Registered, im.sum.Refused, im.sum.Before = j.registered, j.refused, j.registered+j.refused
	if err := im.checkAge(); err != nil {
		return err
	}
	im.bar = newBar(im.cfg, im.sum)
	defer im.bar.end()
	return im.send(ctx)
}

// survey reads the file once: how many cards it has, and what its content is
// known by.
func (im *importer) survey() error {
	r, sum, err := im.reader()
	if err != nil {
		return err
	}
	defer r.close()
	for {
		_, err := r.lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errTooLong) {
			return fmt.Errorf("read the file of cards: %w", err)
		}
		im.sum.Lines++
	}
	im.content = sum()
	return nil
}

// reader reads the file from its beginning; sum tells, at the end, what its
// content is known by.
func (im *importer) reader() (r *reader, sum func() string, err error) {
	if _, err := im.file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("read the file of cards: %w", err)
	}
	mac := secret.NewMAC(im.cfg.Key.Reveal())
	_, _ = io.WriteString(mac, "ccms cards import\n") // a hash never fails
	r, err = newReader(io.TeeReader(im.file, mac), im.cfg.format())
	return r, func() string { return hex.EncodeToString(mac.Sum(nil)[:16]) }, err
}

// checkAge refuses to send lines again when their keys may be forgotten.
func (im *importer) checkAge() error {
	j := im.journal
	if j.last >= j.SentTo || im.cfg.Now().Sub(j.SentAt) < keysLast || im.cfg.Resend {
		return nil
	}
	return fmt.Errorf("lines %d to %d were sent on %s and their answers never came; it is too late to ask for them without registering twice: look them up, then say --resend to send them again, or begin anew with other lines",
		j.last+1, j.SentTo, j.SentAt.Format(time.RFC1123))
}

// key is the idempotency key of a line.
func (im *importer) key(line int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", im.content, line))
	return "import-" + hex.EncodeToString(sum[:16])
}

// String implements fmt.Stringer.
func (s Summary) String() string {
	text := fmt.Sprintf("%s: %s of %s cards registered, %s refused", s.File, grouped(s.Registered), grouped(s.Lines), grouped(s.Refused))
	if s.Seconds > 0 {
		text += fmt.Sprintf(", in %.1f s", s.Seconds)
		if now := s.Registered + s.Refused - s.Before; now > 0 {
			text += fmt.Sprintf(" (%s/s)", grouped(int(float64(now)/s.Seconds+0.5)))
		}
	}
	return text + "; results in " + s.Results
}

// Refusals is the error of a file some cards of which were refused.
func (s Summary) Refusals() error {
	if s.Refused == 0 {
		return nil
	}
	return fmt.Errorf("%s of %s cards were refused: see %s", grouped(s.Refused), grouped(s.Lines), s.Results)
}
