package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"ccms/client"
	"ccms/internal/cardimport"
	"ccms/internal/harden"
)

// cardsCmd holds ccms cards import. It is a firm's side: it speaks to the
// service as any program of the firm would.
type cardsCmd struct {
	Import cardsImportCmd `cmd:"" help:"Register a file of cards for a firm, with a result for each line; run it again to go on after a break."`
}

type cardsImportCmd struct {
	answer
	File   string `arg:"" help:"CSV with a header, or NDJSON: card_number, expiry_date, cvv, cardholder_name, and if you like reference and metadata."`
	Format string `enum:",csv,ndjson" default:"" help:"csv or ndjson; by default what the file's name ends with."`
	clientFlags
	Results  string        `type:"path" placeholder:"FILE" help:"Where the results go; by default FILE.results.ndjson."`
	RetryFor time.Duration `default:"5m" help:"How long to go on while the service does not answer."`
	Resend   bool          `help:"Send lines again that were sent more than 23 hours ago without an answer, although they may be registered."`
}

// Run implements the command.
func (c *cardsImportCmd) Run(ctx context.Context, p *program) error {
	if err := harden.Process(); err != nil { // it holds numbers for a while
		return err
	}
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	of, key, err := c.credentials(s.Data)
	if err != nil {
		return err
	}
	defer key.Wipe()
	of.BaseURL, of.RetryFor = c.service(s.Data), c.RetryFor
	if of.HTTPClient, err = believing(s); err != nil {
		return err
	}
	service, err := client.New(of)
	if err != nil {
		return usage{err}
	}
	sum, err := cardimport.Run(ctx, cardimport.Config{
		File: c.File, Format: c.Format, Results: c.Results, Resend: c.Resend,
		Bulk: service.Bulk, ClientID: of.ClientID, Key: key,
		Progress: p.stderr, Terminal: isTerminal(os.Stderr),
	})
	if err == nil {
		err = sum.Refusals()
	}
	if sum.Lines > 0 { // else it never began
		err = errors.Join(err, c.print(p, sum))
	}
	if err != nil {
		return fmt.Errorf("cards import: %w", err)
	}
	return nil
}

func (c *cardsImportCmd) print(p *program, sum cardimport.Summary) error {
	if c.Output == "json" {
		return json.NewEncoder(p.stdout).Encode(sum)
	}
	_, err := fmt.Fprintln(p.stdout, sum)
	return err
}
