package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"ccms/internal/boot/desk"
)

// The commands in this file look after firms, their clients, and operators,
// beside a running server or without one.

// firmCmd holds ccms firm create, list, suspend and resume.
type firmCmd struct {
	Create  firmCreateCmd  `cmd:"" help:"Make a firm and its first client, and print the client's secret once."`
	List    firmListCmd    `cmd:"" help:"List all firms."`
	Suspend firmSuspendCmd `cmd:"" help:"Stop everything a firm's clients and members do."`
	Resume  firmResumeCmd  `cmd:"" help:"Let a suspended firm go on."`
}

type firmCreateCmd struct {
	answer
	Name  string   `required:"" help:"Of the firm."`
	Owner string   `placeholder:"EMAIL" help:"Whom to invite as the firm's first owner; without one the firm has no members."`
	Live  bool     `help:"Make a live client instead of a test client."`
	Scope []string `placeholder:"S" help:"Scopes of the client; by default cards:register, cards:read, reports:read and webhooks:manage."`
}

// Run implements the command.
func (c *firmCreateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	counter := desk.Beside(s, p.stdout, c.Output)
	in := counter.NewFirm(c.Name)
	in.Owner, in.Live, in.Scopes = c.Owner, c.Live, c.Scope
	return counter.CreateFirm(ctx, in)
}

type firmListCmd struct{ answer }

// Run implements the command.
func (c *firmListCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).ListFirms(ctx)
}

type firmSuspendCmd struct {
	answer
	ID string `arg:"" name:"firm" help:"Id of the firm."`
}

// Run implements the command.
func (c *firmSuspendCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).SuspendFirm(ctx, c.ID)
}

type firmResumeCmd struct {
	answer
	ID string `arg:"" name:"firm" help:"Id of the firm."`
}

// Run implements the command.
func (c *firmResumeCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).ResumeFirm(ctx, c.ID)
}

// clientCmd holds ccms client create, list, rotate and revoke.
type clientCmd struct {
	Create clientCreateCmd `cmd:"" help:"Make a client of a firm or of the operators, and print its secret once."`
	List   clientListCmd   `cmd:"" help:"List the clients of a firm or of the operators."`
	Rotate clientRotateCmd `cmd:"" help:"Give a client another secret, and print it once."`
	Revoke clientRevokeCmd `cmd:"" help:"End a client for good, its tokens included."`
}

// whose is a firm, or the operators.
type whose struct {
	Firm     string `placeholder:"FIRM" xor:"whose" required:"" help:"Id of the firm."`
	Operator bool   `xor:"whose" required:"" help:"The operators instead of a firm."`
}

type clientCreateCmd struct {
	answer
	whose
	Name      string   `help:"Of the client; by default its mode."`
	Live      bool     `help:"A live client instead of a test client."`
	Scope     []string `placeholder:"S" help:"Its scopes; by default cards:register, cards:read, reports:read and webhooks:manage, for the operators actuator:read."`
	Keys      string   `placeholder:"FILE" type:"path" help:"JSON Web Key Set of public keys for private_key_jwt, instead of a secret."`
	ReturnURL []string `placeholder:"URL" help:"Where one-time links may lead back to."`
	Origin    []string `placeholder:"O" help:"Origins of pages that may embed the form."`
}

// maxKeysFile is more than a key set may have.
const maxKeysFile = 64 << 10

// Run implements the command.
func (c *clientCreateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	counter := desk.Beside(s, p.stdout, c.Output)
	in := counter.NewClient(c.Firm)
	in.Operator, in.Name, in.Live, in.Scopes = c.Operator, c.Name, c.Live, c.Scope
	in.ReturnURLs, in.Origins = c.ReturnURL, c.Origin
	if c.Keys != "" {
		text, err := os.ReadFile(c.Keys)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		if len(text) > maxKeysFile {
			return errors.New("the file of keys is too large for a JSON Web Key Set")
		}
		in.Keys = string(text)
	}
	return counter.CreateClient(ctx, in)
}

type clientListCmd struct {
	answer
	whose
}

// Run implements the command.
func (c *clientListCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).ListClients(ctx, c.Firm)
}

type clientRotateCmd struct {
	answer
	ID      string        `arg:"" name:"client" help:"Id of the client."`
	Overlap time.Duration `default:"24h" help:"How long the older secret lives on; 0s ends it at once."`
}

// Run implements the command.
func (c *clientRotateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).RotateClient(ctx, c.ID, c.Overlap)
}

type clientRevokeCmd struct {
	answer
	ID string `arg:"" name:"client" help:"Id of the client."`
}

// Run implements the command.
func (c *clientRevokeCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).RevokeClient(ctx, c.ID)
}

// operatorCmd holds ccms operator create and remove.
type operatorCmd struct {
	Create operatorCreateCmd `cmd:"" help:"Make the account with a confirmed address an operator's."`
	Remove operatorRemoveCmd `cmd:"" help:"End that an account is an operator's."`
}

type operatorCreateCmd struct {
	answer
	Email string `required:"" placeholder:"EMAIL" help:"Address of the account."`
}

// Run implements the command.
func (c *operatorCreateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).CreateOperator(ctx, c.Email)
}

type operatorRemoveCmd struct {
	answer
	Email string `required:"" placeholder:"EMAIL" help:"Address of the account."`
}

// Run implements the command.
func (c *operatorRemoveCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).RemoveOperator(ctx, c.Email)
}
