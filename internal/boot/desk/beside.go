package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"

	"ccms/internal/admin"
	"ccms/internal/boot/chassis"
	"ccms/internal/command"
	"ccms/internal/config"
	"ccms/internal/datadir"
)

// Beside returns how commands are done beside a running server or without one,
// and where their answers go, as text or "json".
func Beside(s config.Settings, out io.Writer, format string) command.Client {
	ask := func(ctx context.Context, name string, args, answer any) error {
		d := doer{settings: s}
		return errors.Join(d.ask(ctx, admin.Request{Command: name, Args: args}, answer), d.close(ctx))
	}
	return command.Client{Ask: ask, Out: out, Format: format}
}

// Hold is Beside for what asks several times: where no server runs, the
// command's own process keeps what it opened until release.
func Hold(s config.Settings, out io.Writer, format string) (c command.Client, release func(context.Context) error) {
	d := &doer{settings: s}
	ask := func(ctx context.Context, name string, args, answer any) error {
		return d.ask(ctx, admin.Request{Command: name, Args: args}, answer)
	}
	return command.Client{Ask: ask, Out: out, Format: format}, d.close
}

// doer has commands done: by the process that runs on the data folder, else by
// one of its own, which it opens when it is first asked.
type doer struct {
	settings config.Settings
	own      *Desk
}

func (d *doer) ask(ctx context.Context, order admin.Request, out any) error {
	if d.own == nil {
		s := d.settings
		if _, err := os.Stat(s.Data); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no data folder %s: start ccms up first, or name another with --data", s.Data)
		}
		if err := datadir.Check(s.Data); err != nil {
			return err
		}
		err := admin.Ask(ctx, s.Data, order, out)
		if !errors.Is(err, admin.ErrNobody) {
			return err
		}
		if d.own, err = openBeside(ctx, s); err != nil {
			return err
		}
	}
	answer, err := d.own.doHere(ctx, order)
	if err != nil {
		return chassis.Damaged(d.own.Dir, err)
	}
	return json.Unmarshal(answer, out)
}

func (d *doer) close(ctx context.Context) error {
	if d.own == nil {
		return nil
	}
	return d.own.close(ctx)
}

// doHere takes the way of a command to the running process without the socket.
func (d *Desk) doHere(ctx context.Context, order admin.Request) ([]byte, error) {
	args, err := json.Marshal(order.Args)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", order.Command, err)
	}
	answer, err := d.do(ctx, order.Command, args)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// openBeside opens what a command needs where no server runs.
func openBeside(ctx context.Context, s config.Settings) (*Desk, error) {
	dir, err := datadir.Open(s.Data)
	if used, ok := errors.AsType[*datadir.InUse](err); ok {
		return nil, fmt.Errorf("process %s uses %s and takes no commands: it is about to start or to stop, try again", used.Holder, used.Path)
	}
	if err != nil {
		return nil, err
	}
	d := &Desk{Process: &chassis.Process{Settings: s, Dir: dir}}
	if d.Log, err = chassis.OpenLog(s, os.Stderr); err == nil {
		err = d.openExisting(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return d, nil
}

// openExisting makes no store where there is none, and waits for no database
// that is away: somebody waits for the answer.
func (d *Desk) openExisting(ctx context.Context) (err error) {
	if d.Settings.Store.URL.Scheme() != "sqlite" {
		d.DB, err = chassis.Mongo(ctx, d.Settings.Store)
		return err
	}
	if _, err := os.Stat(d.Dir.File("ccms.db")); err != nil {
		return fmt.Errorf("there is no store in %s: start ccms up first, or name another folder with --data", d.Dir.Path())
	}
	d.DB, err = chassis.SQLite(ctx, d.Dir)
	return err
}
