package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/backup"
	"ccms/internal/boot/chassis"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/doctor"
	"ccms/internal/secret"
)

// BackupOrder is what a person says of a backup, or of a restore.
type BackupOrder struct {
	File string
	// Passphrase is taken over, and wiped.
	Passphrase []byte
	Force      bool
	Out        io.Writer
	Format     string // "json", else text
	// Bar is the terminal to show progress on; nil for none.
	Bar io.Writer
}

var errMongo = errors.New("store.url names a MongoDB, which is backed up and restored with its own tools: see docs/backup.md")

// Backup writes the embedded store and the keys beside it to an encrypted file,
// beside a running server or without one.
func Backup(ctx context.Context, s config.Settings, o BackupOrder) error {
	passphrase := secret.New(o.Passphrase)
	defer passphrase.Wipe()
	if s.Store.URL.Scheme() != "sqlite" {
		return errMongo
	}
	held, release := Hold(s, o.Out, o.Format)
	err := backup.Client{
		Ask: held.Ask, Dir: datadir.At(s.Data), Count: chassis.CountCopy, Version: Version(), By: whoAsks(),
		Passphrase: passphrase, Force: o.Force, Out: o.Out, Format: o.Format, Bar: o.Bar,
	}.Make(ctx, o.File, elsewhere(s)...)
	return errors.Join(err, release(context.WithoutCancel(ctx)))
}

// Version is what the binary says of itself.
func Version() string { return chassis.Version() }

// whoAsks names the user, for the record.
func whoAsks() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// elsewhere are files without which a backup cannot be read, and that lie outside
// the data folder.
func elsewhere(s config.Settings) (all []string) {
	dir := datadir.At(s.Data)
	for _, file := range []string{strings.TrimPrefix(s.Keyring.URL.Reveal(), "file:"), s.Login.JWTSecretFile} {
		if file != "" && !dir.Contains(file) {
			all = append(all, file)
		}
	}
	return all
}

// backups does what the process must do that has the store open.
func (d *Desk) backups() backup.Desk {
	b := backup.Desk{Dir: d.Dir, DB: d.DB, Heads: d.heads, Record: d.record}
	if d.Settings.Store.URL.Scheme() == "sqlite" {
		b.Take = func(ctx context.Context, to string) error { return chassis.CopyStore(ctx, d.Dir, to) }
	}
	return b
}

// heads is where the audit logs end.
func (d *Desk) heads(ctx context.Context) ([]backup.Heads, error) {
	var all []backup.Heads
	for _, l := range d.auditLogs() {
		cfg, err := l.Open(ctx)
		if err != nil {
			return nil, err
		}
		heads, err := audit.Heads(ctx, cfg)
		cfg.Key.Wipe()
		if err != nil {
			return nil, fmt.Errorf("heads of the audit log: %w", err)
		}
		all = append(all, backup.Heads{Service: l.Service, Heads: heads})
	}
	return all, nil
}

// record is the audit log of the running login service. Where none runs one is
// opened, with a chain of its own.
func (d *Desk) record(ctx context.Context) (*audit.Log, error) {
	if d.Audit != nil {
		return d.Audit, nil
	}
	if !d.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("the root key of the login service is not here: name it with keyring.url")
	}
	ring, err := d.OpenRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	cfg, err := d.AuditConfig(ctx, ring, chassis.LoginAudit)
	if err != nil {
		return nil, err
	}
	if d.Audit, err = audit.Open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	d.audits = append(d.audits, d.Audit)
	return d.Audit, nil
}

// Restore puts a backup into a data folder on which no process runs.
func Restore(ctx context.Context, s config.Settings, o BackupOrder) (err error) {
	passphrase := secret.New(o.Passphrase)
	defer passphrase.Wipe()
	if s.Store.URL.Scheme() != "sqlite" {
		return errMongo
	}
	dir, err := datadir.Open(s.Data)
	if used, ok := errors.AsType[*datadir.InUse](err); ok {
		return fmt.Errorf("process %s runs on %s: stop it first, or name another folder with --data", used.Holder, used.Path)
	}
	if err != nil {
		return err
	}
	defer func() {
		leave := dir.Close
		if err != nil {
			leave = dir.Abandon
		}
		err = errors.Join(err, leave())
	}()
	return backup.Restorer{
		Dir: dir, Count: chassis.CountCopy, Passphrase: passphrase, Force: o.Force, Out: o.Out, Format: o.Format, Bar: o.Bar,
		Check: func(ctx context.Context, folder string, m backup.Manifest) ([]doctor.Finding, error) {
			return examineRestored(ctx, s, folder, m)
		},
	}.Restore(ctx, o.File)
}

// examineRestored checks what was read from a backup as the store that it will
// be, and puts on record there that it was restored.
func examineRestored(ctx context.Context, s config.Settings, folder string, m backup.Manifest) (found []doctor.Finding, err error) {
	s.Data = folder
	if err := chassis.CheckCopy(ctx, datadir.At(folder)); err != nil {
		return []doctor.Finding{{Check: "file", Says: err.Error(), Advice: "restore another backup"}}, ctx.Err()
	}
	d, err := openAt(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("open what was restored: %w", err)
	}
	defer func() { err = errors.Join(err, d.close(context.WithoutCancel(ctx))) }()
	found, err = d.examine(ctx, m.Heads)
	if err != nil || !doctor.Well(found) {
		return found, err
	}
	log, err := d.record(ctx)
	if err != nil {
		return found, err
	}
	return found, log.Note(ctx, audit.Entry{Act: "backup.restore", Actor: "administrator " + whoAsks(), Object: m.At.Format(time.RFC3339Nano), Reason: "made by " + cmp.Or(m.By, "-")}, audit.Success)
}

// openAt opens the store of a folder that nobody else knows of yet.
func openAt(ctx context.Context, s config.Settings) (*Desk, error) {
	dir, err := datadir.Open(s.Data)
	if err != nil {
		return nil, err
	}
	d := &Desk{Process: &chassis.Process{Settings: s, Dir: dir}}
	if d.Log, err = chassis.OpenLog(s, io.Discard); err == nil {
		err = d.openExisting(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return d, nil
}

// act calls a typed function.
func act[In, Out any](ctx context.Context, do func(context.Context, In) (Out, error), args []byte) (any, error) {
	var in In
	if err := json.Unmarshal(args, &in); err != nil {
		return nil, fmt.Errorf("the command's arguments are of another version: %w", err)
	}
	return do(ctx, in)
}
