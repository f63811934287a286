package main

import (
	"context"
	"errors"
	"os"

	"ccms/internal/boot/desk"
)

// The commands in this file show an auditor what is kept, where, how long, and
// how it is protected.

// retentionCmd holds ccms retention verify.
type retentionCmd struct {
	Verify retentionVerifyCmd `cmd:"" help:"Check that nothing is kept longer than it may be."`
}

// retentionVerifyCmd is ccms retention verify.
type retentionVerifyCmd struct{ answer }

// Run implements the command.
func (c *retentionVerifyCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).VerifyRetention(ctx)
}

// cryptoCmd holds ccms crypto inventory.
type cryptoCmd struct {
	Inventory cryptoInventoryCmd `cmd:"" help:"List algorithms, keys and certificates, with their rules and when each is to be looked at again."`
}

// cryptoInventoryCmd is ccms crypto inventory.
type cryptoInventoryCmd struct{ answer }

// Run implements the command.
func (c *cryptoInventoryCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).Inventory(ctx)
}

// scanCmd is ccms scan.
type scanCmd struct {
	answer
	Paths       []string `arg:"" optional:"" name:"path" help:"Files and folders to search, also within archives; - is the standard input."`
	Store       bool     `help:"Search every document of the store too."`
	FollowLinks bool     `help:"Follow symbolic links below the paths."`
	IgnoreTest  bool     `help:"Pass over the test numbers that card brands and payment services publish."`
}

// Run implements the command.
func (c *scanCmd) Run(ctx context.Context, p *program) error {
	if len(c.Paths) == 0 && !c.Store {
		return usage{errors.New("scan: name files or folders to search, or give --store")}
	}
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	search := desk.Beside(s, p.stdout, c.Output).NewSearch()
	search.Store, search.FollowLinks, search.IgnoreTest = c.Store, c.FollowLinks, c.IgnoreTest
	if isTerminal(os.Stderr) {
		search.Progress = p.stderr
	}
	return search.Run(ctx, c.Paths)
}
