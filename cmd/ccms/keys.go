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
	Rotate  keysRotateCmd  `cmd:"" help:"Make new versions of the keys under which cards are sealed, of look-up keys, or new keys that sign tokens."`
	Rewrap  keysRewrapCmd  `cmd:"" help:"Move what is sealed to the active versions. The running process goes on when this command is interrupted."`
	Move    keysMoveCmd    `cmd:"" help:"Move all keys to another root key, in a file or a key service, while no server runs."`
	Destroy keysDestroyCmd `cmd:"" help:"Destroy retired versions under which nothing lies any more, or all keys of a firm."`
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
	JWT    bool `name:"jwt" xor:"which" help:"Rotate the keys that sign tokens instead; tokens signed before stay good."`
	Lookup bool `xor:"which" help:"Put new keys in the place of those by which numbers are found instead, and destroy the old ones: opens every number, in memory. The running process goes on when this command is interrupted; interrupted otherwise, start it again."`
}

// Run implements the command.
func (c *keysRotateCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	if c.Lookup {
		client, release := desk.Hold(s, p.stdout, c.Output)
		return errors.Join(client.Keys(keysBar(p)).RotateLookup(ctx), release(ctx))
	}
	client := desk.Beside(s, p.stdout, c.Output).Keys(nil)
	if c.JWT {
		return client.RotateSigning(ctx)
	}
	return client.Rotate(ctx)
}

// keysBar is the terminal to show progress on, nil where nobody looks.
func keysBar(p *program) io.Writer {
	if isTerminal(os.Stderr) {
		return p.stderr
	}
	return nil
}

// keysRewrapCmd is ccms keys rewrap.
type keysRewrapCmd struct{ answer }

// Run implements the command.
func (c *keysRewrapCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	client, release := desk.Hold(s, p.stdout, c.Output)
	return errors.Join(client.Keys(keysBar(p)).Rewrap(ctx), release(ctx))
}

// keysDestroyCmd is ccms keys destroy.
type keysDestroyCmd struct {
	answer
	Firm    string `placeholder:"FIRM_ID" help:"Destroy all keys of this firm, the active ones too: none of its cards can be read or added any more."`
	ForGood bool   `help:"Say that this is meant: with --firm, nothing brings the cards back."`
}

// Run implements the command.
func (c *keysDestroyCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	client := desk.Beside(s, p.stdout, c.Output).Keys(nil)
	switch {
	case c.Firm == "":
		return client.Destroy(ctx)
	case !c.ForGood:
		return errForGood
	}
	return client.DestroyFirm(ctx, c.Firm)
}

var errForGood = errors.New("no card of that firm could ever be read again: suspend it first, and add --for-good if that is meant")

// keysMoveCmd is ccms keys move.
type keysMoveCmd struct {
	To string `required:"" placeholder:"URL" help:"The new root key, as keyring.url is to name it: file:PATH of a file that ccms keys init made, or a key service, whose token is in keyring.token-file."`
}

// Run implements the command.
func (c *keysMoveCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", false)
	if err != nil {
		return err
	}
	return desk.KeysMove(ctx, s, c.To, p.stdout)
}
