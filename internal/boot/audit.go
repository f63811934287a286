package boot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"

	"ccms/internal/admin"
	"ccms/internal/audit"
	"ccms/internal/config"
)

// The collections of the services' records.
const (
	loginAudit = "LoginAudit"
	cardAudit  = "CreditCardAudit"
)

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

// verifyAudit checks the logs of the services this process belongs to, against
// the books of an earlier check too.
func (p *process) verifyAudit(ctx context.Context, kept []Book) ([]Book, error) {
	var books []Book
	for _, b := range []struct{ service, collection, keys, file string }{
		{loginName, loginAudit, "LoginKey", "login.key"},
		{cardName, cardAudit, "CreditCardKey", "creditcard.key"},
	} {
		if !p.holds(b.service, b.file) {
			continue
		}
		ring, err := p.openRing(ctx, b.keys, b.file)
		if err != nil {
			return nil, err
		}
		key, err := ring.Secret(ctx, "audit")
		if err != nil {
			return nil, fmt.Errorf("audit key: %w", err)
		}
		book := Book{Service: b.service}
		if err := book.verify(ctx, audit.Config{DB: p.db, Key: key, Collection: b.collection}, kept); err != nil {
			return nil, err
		}
		books = append(books, book)
	}
	if books == nil {
		return nil, errors.New("no audit log is kept here: name the data folder of a login or card service with --data")
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
func VerifyAudit(ctx context.Context, s config.Settings, headFile string, w Output) error {
	kept, err := readBooks(headFile)
	if err != nil {
		return err
	}
	var books []Book
	if err := carryOut(ctx, s, admin.Request{Command: "audit verify", Args: kept}, &books); err != nil {
		return err
	}
	if err := writeBooks(w, books); err != nil {
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
	return nil
}

func readBooks(file string) ([]Book, error) {
	books := []Book{}
	if file == "" {
		return books, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return books, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &books)
	}
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	return books, nil
}

func writeBooks(w Output, books []Book) error {
	if w.Format == "json" {
		return writeJSON(w, books)
	}
	for _, b := range books {
		line := fmt.Sprintf("ok    %s: %d records in %d chains, %d checkpoints", b.Service, b.Records, len(b.Heads), b.Checkpoints)
		if b.Broken != "" {
			line = fmt.Sprintf("FAIL  %s: %s", b.Service, b.Broken)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
