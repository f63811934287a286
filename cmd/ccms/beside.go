package main

import (
	"context"
	"errors"
	"io"

	"ccms/internal/boot/desk"
)

// The commands in this file work beside a running server, or without one.

// answer is the form of what a command answers.
type answer struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// mailCmd holds ccms mail list and retry.
type mailCmd struct {
	List  mailListCmd  `cmd:"" help:"List mails that wait or were given up, without what they say and to whom."`
	Retry mailRetryCmd `cmd:"" help:"Try mails again now, also those that were given up."`
}

type mailListCmd struct{ answer }

// Run implements the command.
func (c *mailListCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).ListMail(ctx)
}

type mailRetryCmd struct {
	answer
	ID  string `arg:"" optional:"" help:"Of the mail, as ccms mail list shows it."`
	All bool   `help:"Try every mail that waits or was given up."`
}

// Run implements the command.
func (c *mailRetryCmd) Run(ctx context.Context, p *program) error {
	if c.All == (c.ID != "") {
		return usage{errors.New("mail retry: name one mail, or give --all")}
	}
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).RetryMail(ctx, c.ID)
}

// auditCmd holds ccms audit verify, head and export.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in the audit log was altered, removed or inserted."`
	Head   auditHeadCmd   `cmd:"" help:"Print where the audit log ends, to be kept elsewhere: verify --head reads it."`
	Export auditExportCmd `cmd:"" help:"Print a firm's records, the oldest first, checked while they are read."`
}

type auditVerifyCmd struct {
	answer
	Head string `placeholder:"FILE" type:"path" help:"File that keeps where the log ended, for the next check; keep it elsewhere."`
}

// Run implements the command.
func (c *auditVerifyCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return meanwhile(p.bar(), p.stdout, "the audit log is read", func(out io.Writer) error {
		return desk.Beside(s, out, c.Output).VerifyAudit(ctx, c.Head)
	})
}

// auditHeadCmd is ccms audit head.
type auditHeadCmd struct {
	Output string `short:"o" enum:"json" default:"json" help:"json."`
}

// Run implements the command.
func (c *auditHeadCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).HeadAudit(ctx)
}

// auditExportCmd is ccms audit export.
type auditExportCmd struct {
	Output string `short:"o" enum:"json,csv" default:"json" help:"json, one object per line, or csv."`
	Firm   string `required:"" placeholder:"FIRM_ID" help:"Whose records."`
	From   string `placeholder:"TIME" help:"The first time that counts, as 2026-11-30 or 2026-11-30T08:00:00Z."`
	To     string `placeholder:"TIME" help:"The first time that does not count any more."`
}

// Run implements the command.
func (c *auditExportCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	export := desk.Beside(s, p.stdout, c.Output).NewExport(c.Firm)
	export.From, export.To = c.From, c.To
	return export.Run(ctx)
}
