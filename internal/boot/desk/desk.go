// Package desk does the commands of administrators: by the process that runs on
// the data folder, on what it has opened; where there is none, the command's
// own process opens the store and does the same. What a command says and how
// its answer reads is package command's business; how services are made is
// boot's.
package desk

import (
	"context"
	"errors"

	"ccms/internal/admin"
	"ccms/internal/audit"
	"ccms/internal/backup"
	"ccms/internal/boot/chassis"
	"ccms/internal/command"
	"ccms/internal/firm"
	"ccms/internal/rotation"
)

// Desk is a process as commands see it.
type Desk struct {
	*chassis.Process
	Firms   *firm.Service      // nil until a service or a command opens them
	Keepers []*rotation.Keeper // of the services that run, or opened for a command
	Audit   *audit.Log         // the login service's; nil until a service or a command opens it

	audits []*audit.Log // opened for commands where no server runs
}

// do does a command by name.
func (d *Desk) do(ctx context.Context, name string, args []byte) (any, error) {
	if d.DB == nil {
		return nil, errors.New("the process that runs on this data folder has no store: name the folder of another with --data")
	}
	switch name {
	case backup.Begin:
		return act(ctx, d.backups().Begin, args)
	case backup.End:
		return act(ctx, d.backups().End, args)
	case deepCheck:
		return act(ctx, func(ctx context.Context, kept []backup.Heads) (any, error) { return d.examine(ctx, kept) }, args)
	}
	return command.Desk{
		Mail: d.openMailQueue, Logs: d.auditLogs(), Firms: d.firms, Store: d.DB,
		Retention: d.kept, Inventory: d.keysAndAlgorithms, Keys: d.keepers,
	}.Do(ctx, name, args)
}

// auditLogs are those of the services this process belongs to.
func (d *Desk) auditLogs() []command.Log {
	var logs []command.Log
	for _, b := range chassis.KeyRings() {
		if !d.Holds(b.Service, b.File) {
			continue
		}
		logs = append(logs, command.Log{Service: b.Service, Open: func(ctx context.Context) (audit.Config, error) {
			ring, err := d.OpenRing(ctx, b.Keys, b.File)
			if err != nil {
				return audit.Config{}, err
			}
			return d.AuditConfig(ctx, ring, b.Collection)
		}})
	}
	return logs
}

// Serve answers commands until ctx ends.
func (d *Desk) Serve(ctx context.Context) error {
	s, err := admin.Listen(ctx, d.Dir.Path(), d.do, d.Log.Logger)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// close closes what openBeside and commands opened.
func (d *Desk) close(ctx context.Context) error {
	for _, k := range d.Keepers {
		k.Close()
	}
	var err error
	for _, log := range d.audits {
		err = errors.Join(err, log.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, d.DB.Close(), d.Log.Close(), d.Dir.Close())
}
