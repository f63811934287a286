package main

import (
	"context"
	"errors"
	"io"
	"os"

	"ccms/internal/boot/desk"
)

// keysCmd holds the commands for keys.
type keysCmd struct {
	Init    keysInitCmd    `cmd:"" help:"Make login.key, creditcard.key and internal in a folder."`
	Status  keysStatusCmd  `cmd:"" help:"List every key, what lies under it, and what is due."`
	Rotate  keysRotateCmd  `cmd:"" help:"Make new versions of the keys under which cards are sealed, or new keys that sign tokens."`
	Rewrap  keysRewrapCmd  `cmd:"" help:"Move what is sealed to the active versions. The running process goes on when this command is interrupted."`
	Destroy keysDestroyCmd `cmd:"" help:"Destroy retired versions under which nothing lies any more."`
}

type keysInitCmd struct {
	Out string `required:"" placeholder:"FOLDER" type:"path" help:"Folder to make them in; nothing there is replaced."`
}

// Run implements the command.
func (c *keysInitCmd) Run(p *program) error { return desk.KeysInit(c.Out, p.stdout) }

// keysStatusCmd is ccms keys status.
type keysStatusCmd struct{ answer }

// Run implements the command.
func (c *keysStatusCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).Keys(nil).Status(ctx)
}

// keysRotateCmd is ccms keys rotate.
type keysRotateCmd struct {
	answer
	JWT bool `name:"jwt" help:"Rotate the keys that sign tokens instead; tokens signed before stay good."`
}

// Run implements the command.
func (c *keysRotateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	keys := desk.Beside(s, p.stdout, c.Output).Keys(nil)
	if c.JWT {
		return keys.RotateSigning(ctx)
	}
	return keys.Rotate(ctx)
}

// keysRewrapCmd is ccms keys rewrap.
type keysRewrapCmd struct{ answer }

// Run implements the command.
func (c *keysRewrapCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	var bar io.Writer
	if isTerminal(os.Stderr) {
		bar = p.stderr
	}
	client, release := desk.Hold(s, p.stdout, c.Output)
	return errors.Join(client.Keys(bar).Rewrap(ctx), release(ctx))
}

// keysDestroyCmd is ccms keys destroy.
type keysDestroyCmd struct{ answer }

// Run implements the command.
func (c *keysDestroyCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.Beside(s, p.stdout, c.Output).Keys(nil).Destroy(ctx)
}
