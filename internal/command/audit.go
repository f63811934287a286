package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
)

// Log is the audit log of one service.
type Log struct {
	Service string
	Open    func(context.Context) (audit.Config, error)
}

// Book is what a check of one service's audit log found.
type Book struct {
	Service     string       `json:"service"`
	Records     int64        `json:"records"`
	Checkpoints int64        `json:"checkpoints"`
	Heads       []audit.Head `json:"heads"`
	Broken      string       `json:"broken,omitzero"` // where, and how
}

// ErrBroken is returned by VerifyAudit when a log was altered.
var ErrBroken = errors.New("the audit log was altered, see above")

var errNoLog = errors.New("no audit log is kept here: name the data folder of a login or card service with --data")

// verifyAudit checks all logs, against the books of an earlier check too.
func (d Desk) verifyAudit(ctx context.Context, kept []Book) ([]Book, error) {
	if len(d.Logs) == 0 {
		return nil, errNoLog
	}
	books := make([]Book, len(d.Logs))
	for i, log := range d.Logs {
		cfg, err := log.Open(ctx)
		if err != nil {
			return nil, err
		}
		books[i].Service = log.Service
		if err := books[i].verify(ctx, cfg, kept); err != nil {
			return nil, err
		}
	}
	for _, k := range kept {
		if !slices.ContainsFunc(books, func(b Book) bool { return b.Service == k.Service }) {
			books = append(books, Book{Service: k.Service, Broken: "cannot be checked, its keys are not here: check it where they are, with heads of its own"})
		}
	}
	return books, nil
}

// verify fills the book. Its error means that the log cannot be read.
func (b *Book) verify(ctx context.Context, cfg audit.Config, kept []Book) error {
	defer cfg.Key.Wipe()
	var heads []audit.Head
	for _, k := range kept {
		if k.Service == b.Service {
			heads = append(heads, k.Heads...)
		}
	}
	report, err := audit.Verify(ctx, cfg, heads...)
	if broken, ok := errors.AsType[*audit.Broken](err); ok {
		b.Broken = broken.Error()
		return nil
	}
	b.Records, b.Checkpoints, b.Heads = report.Records, report.Checkpoints, report.Heads
	return err
}

// VerifyAudit checks the audit logs and writes what it found. With a head file
// it also holds them against the check that wrote the file, if there was one,
// and then writes today's heads: kept elsewhere, they show a log that was cut
// or replaced as a whole.
func (c Client) VerifyAudit(ctx context.Context, headFile string) error {
	kept, first, err := readBooks(headFile)
	if err != nil {
		return err
	}
	var books []Book
	if err := c.Ask(ctx, verifyAudit, kept, &books); err != nil {
		return err
	}
	if err := c.writeBooks(books); err != nil {
		return err
	}
	for _, b := range books {
		if b.Broken != "" {
			return ErrBroken
		}
	}
	if headFile == "" {
		return nil
	}
	text, err := json.Marshal(books)
	if err == nil {
		err = os.WriteFile(headFile, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write heads: %w", err)
	}
	if first && c.Format != "json" {
		_, err = fmt.Fprintf(c.Out, "note  %s was not there: nothing was held against it; it keeps today's heads now, for the next check\n", headFile)
	}
	return err
}

// readBooks returns what a check before kept in file, and whether this is the
// first one.
func readBooks(file string) (books []Book, first bool, err error) {
	books = []Book{}
	if file == "" {
		return books, false, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return books, true, nil
	}
	var kept []struct { // books of a check, or heads alone as HeadAudit writes them
		Book
		audit.Head
	}
	if err != nil {
		return nil, false, fmt.Errorf("read heads: %w", err)
	}
	if json.Unmarshal(text, &kept) != nil {
		return nil, false, fmt.Errorf("%s holds no heads: name a file that ccms audit head or a check before wrote", file)
	}
	for _, k := range kept {
		if k.Chain != "" {
			k.Heads = append(k.Heads, k.Head)
		}
		books = append(books, k.Book)
	}
	return books, false, nil
}

func (c Client) writeBooks(books []Book) error {
	if c.Format == "json" {
		return c.json(books)
	}
	for _, b := range books {
		line := fmt.Sprintf("ok    %s: %d records in %d chains, %d checkpoints", b.Service, b.Records, len(b.Heads), b.Checkpoints)
		if b.Broken != "" {
			line = fmt.Sprintf("FAIL  %s: %s", b.Service, b.Broken)
		}
		if _, err := fmt.Fprintln(c.Out, line); err != nil {
			return err
		}
	}
	return nil
}
