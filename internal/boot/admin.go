package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/go-json-experiment/json"

	"ccms/internal/admin"
	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/command"
	"ccms/internal/config"
	"ccms/internal/datadir"
)

// A command of an administrator is done by the process that runs on the data
// folder, on what it has opened; when there is none, the command's own process
// opens the store and does the same.

// Beside returns how commands are done beside a running server or without one,
// and where their answers go, as text or "json".
func Beside(s config.Settings, out io.Writer, format string) command.Client {
	ask := func(ctx context.Context, name string, args, answer any) error {
		return carryOut(ctx, s, admin.Request{Command: name, Args: args}, answer)
	}
	return command.Client{Ask: ask, Out: out, Format: format}
}

// do does a command by name.
func (p *process) do(ctx context.Context, name string, args []byte) (any, error) {
	if p.DB == nil {
		return nil, errors.New("the process that runs on this data folder has no store: name the folder of another with --data")
	}
	return command.Desk{Mail: p.openMailQueue, Logs: p.auditLogs(), Firms: p.firmsForCommands, Store: p.DB, Retention: p.kept, Inventory: p.keysAndAlgorithms, Keys: p.keysForCommands}.Do(ctx, name, args)
}

// auditLogs are those of the services this process belongs to.
func (p *process) auditLogs() []command.Log {
	var logs []command.Log
	for _, b := range chassis.KeyRings() {
		if !p.Holds(b.Service, b.File) {
			continue
		}
		logs = append(logs, command.Log{Service: b.Service, Open: func(ctx context.Context) (audit.Config, error) {
			ring, err := p.OpenRing(ctx, b.Keys, b.File)
			if err != nil {
				return audit.Config{}, err
			}
			return p.AuditConfig(ctx, ring, b.Collection)
		}})
	}
	return logs
}

// serveAdmin answers commands until ctx ends.
func (p *process) serveAdmin(ctx context.Context) error {
	s, err := admin.Listen(ctx, p.Dir.Path(), p.do, p.Log.Logger)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// carryOut has a command done, by whom ever can, and decodes the answer into
// out.
func carryOut(ctx context.Context, s config.Settings, order admin.Request, out any) error {
	d := doer{settings: s}
	return errors.Join(d.ask(ctx, order, out), d.close(ctx))
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
	own      *process
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
		return err
	}
	return json.Unmarshal(answer, out)
}

func (d *doer) close(ctx context.Context) error {
	if d.own == nil {
		return nil
	}
	return d.own.closeBeside(ctx)
}

// doHere takes the way of a command to the running process without the socket.
func (p *process) doHere(ctx context.Context, order admin.Request) ([]byte, error) {
	args, err := json.Marshal(order.Args)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", order.Command, err)
	}
	answer, err := p.do(ctx, order.Command, args)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

// openBeside opens what a command needs where no server runs.
func openBeside(ctx context.Context, s config.Settings) (*process, error) {
	dir, err := datadir.Open(s.Data)
	if used, ok := errors.AsType[*datadir.InUse](err); ok {
		return nil, fmt.Errorf("process %s uses %s and takes no commands: it is about to start or to stop, try again", used.Holder, used.Path)
	}
	if err != nil {
		return nil, err
	}
	p := &process{Process: &chassis.Process{Settings: s, Dir: dir}}
	if p.Log, err = chassis.OpenLog(s, os.Stderr); err == nil {
		err = p.openExisting(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return p, nil
}

// openExisting makes no store where there is none, and waits for no database
// that is away: somebody waits for the answer.
func (p *process) openExisting(ctx context.Context) (err error) {
	if p.Settings.Store.URL.Scheme() != "sqlite" {
		p.DB, err = chassis.Mongo(ctx, p.Settings.Store)
		return err
	}
	if _, err := os.Stat(p.Dir.File("ccms.db")); err != nil {
		return fmt.Errorf("there is no store in %s: start ccms up first, or name another folder with --data", p.Dir.Path())
	}
	p.DB, err = chassis.SQLite(ctx, p.Dir)
	return err
}
