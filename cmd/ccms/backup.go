package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"ccms/internal/boot/desk"
)

// backupCmd is ccms backup.
type backupCmd struct {
	answer
	File  string `arg:"" type:"path" help:"File to write; it is there once it is whole."`
	Force bool   `help:"Replace a file that is there."`
}

// Run implements the command.
func (c *backupCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	passphrase, err := passphrase(p.stderr, "Passphrase of the backup", true)
	if err != nil {
		return err
	}
	return desk.Backup(ctx, s, desk.BackupOrder{File: c.File, Passphrase: passphrase, Force: c.Force, Out: p.stdout, Format: c.Output, Bar: p.bar()})
}

// restoreCmd is ccms restore.
type restoreCmd struct {
	answer
	File  string `arg:"" type:"path" help:"A file that ccms backup wrote."`
	Force bool   `help:"Move what the data folder holds to a folder in it, instead of refusing."`
}

// Run implements the command.
func (c *restoreCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	passphrase, err := passphrase(p.stderr, "Passphrase of the backup", false)
	if err != nil {
		return err
	}
	return desk.Restore(ctx, s, desk.BackupOrder{File: c.File, Passphrase: passphrase, Force: c.Force, Out: p.stdout, Format: c.Output, Bar: p.bar()})
}

// maxPassphrase bounds a line that is none.
const maxPassphrase = 4096

var (
	errNoPassphrase = errors.New("give the passphrase as one line on standard input")
	errNotTheSame   = errors.New("the passphrases are not the same")
)

// passphrase asks a person on the terminal, without showing what is typed, twice
// where a slip would lock everything in; else it is the first line of standard
// input. The caller wipes it.
func passphrase(prompt io.Writer, what string, twice bool) ([]byte, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return firstLine(os.Stdin)
	}
	first, err := ask(prompt, what, in)
	if err != nil || !twice {
		return first, err
	}
	second, err := ask(prompt, "Once more", in)
	defer clear(second)
	if err == nil && !bytes.Equal(first, second) {
		err = errNotTheSame
	}
	if err != nil {
		clear(first)
	}
	return first, err
}

func ask(prompt io.Writer, what string, in int) ([]byte, error) {
	if _, err := fmt.Fprintf(prompt, "%s: ", what); err != nil {
		return nil, err
	}
	line, err := term.ReadPassword(in)
	_, _ = fmt.Fprintln(prompt)
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	return line, nil
}

// firstLine reads a line without its end.
func firstLine(r io.Reader) ([]byte, error) {
	lines := bufio.NewReaderSize(r, maxPassphrase)
	line, err := lines.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		clear(line)
		return nil, fmt.Errorf("the passphrase has more than %d bytes", maxPassphrase)
	}
	if err != nil || len(bytes.TrimRight(line, "\r\n")) == 0 {
		return nil, errNoPassphrase
	}
	kept := bytes.Clone(bytes.TrimRight(line, "\r\n"))
	clear(line)
	return kept, nil
}
