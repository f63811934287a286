package desk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/config"
	"ccms/internal/creditcard"
	"ccms/internal/datadir"
	"ccms/internal/registration/firmcard"
	"ccms/internal/rotation"
	"ccms/internal/vault"
	"ccms/internal/vault/rewrap"
)

// Sealed is where values lie under key-encryption keys.
func (d *Desk) Sealed(ctx context.Context) ([]rewrap.Book, error) {
	holders, err := creditcard.Open(ctx, creditcard.Config{DB: d.DB})
	if err != nil {
		return nil, fmt.Errorf("cardholders' cards: %w", err)
	}
	cards, err := firmcard.Open(ctx, firmcard.Config{DB: d.DB})
	if err != nil {
		return nil, fmt.Errorf("firms' cards: %w", err)
	}
	return []rewrap.Book{holders.Sealed(), cards.Sealed()}, nil
}

// keepers are the running services' keys. Where none runs they are
// opened, with chains of their own in the record.
func (d *Desk) keepers(ctx context.Context) ([]*rotation.Keeper, error) {
	if len(d.Services) > 0 || d.Keepers != nil {
		return d.Keepers, nil
	}
	for _, l := range chassis.KeyRings() {
		if !d.Holds(l.Service, l.File) {
			continue
		}
		k, err := d.openKeeper(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("keys of the %s: %w", l.Service, err)
		}
		d.Keepers = append(d.Keepers, k)
	}
	return d.Keepers, nil
}

func (d *Desk) openKeeper(ctx context.Context, l chassis.KeyRing) (*rotation.Keeper, error) {
	c := rotation.Config{Service: l.Service}
	var err error
	if c.Ring, err = d.OpenRing(ctx, l.Keys, l.File); err != nil {
		return nil, err
	}
	if l.Service == chassis.LoginService {
		c.Signing, err = d.SigningKeys(ctx, c.Ring)
	} else {
		c.Vault = vault.New(vault.Config{Keys: c.Ring})
		c.Books, err = d.Sealed(ctx)
	}
	if err != nil {
		return nil, err
	}
	cfg, err := d.AuditConfig(ctx, c.Ring, l.Collection)
	if err != nil {
		return nil, err
	}
	if c.Audit, err = audit.Open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	d.audits = append(d.audits, c.Audit)
	return rotation.New(c), nil
}

// KeysMove moves all keys of a data folder to another root key, named as
// keyring.url names one. No server may run on them.
func KeysMove(ctx context.Context, s config.Settings, to string, out io.Writer) (err error) {
	d, err := openBeside(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(ctx)) }()
	root, err := d.RootAt(to)
	if err != nil {
		return err
	}
	keepers, err := d.keepers(ctx)
	if err != nil {
		return err
	}
	if len(keepers) == 0 {
		return errors.New("no keys are kept here: name the data folder of a login or card service with --data")
	}
	for _, k := range keepers {
		n, err := k.Move(ctx, rotation.Administrator(), root)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s: %d keys lie under the new root key\n", k.Progress().Service, n); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "\nstart with  --keyring.url %s  from now on, and destroy the old root key\n", to)
	return err
}

// KeysInit makes the keys of a deployment of several processes in a folder
// (decision F6): login.key and creditcard.key, one for all instances of each
// service, and internal for every process. It replaces nothing: what is sealed
// under a key is lost with it.
func KeysInit(folder string, out io.Writer) error {
	if err := datadir.NewKeys(folder); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, `made %[1]s/login.key, %[1]s/creditcard.key and %[1]s/internal; keep copies where only you are

  ccms login       --keyring.url file:%[1]s/login.key --internal.credential-file %[1]s/internal
  ccms creditcard  --keyring.url file:%[1]s/creditcard.key --internal.credential-file %[1]s/internal
  ccms eureka      --internal.credential-file %[1]s/internal
  ccms portal      --internal.credential-file %[1]s/internal
`, folder)
	return err
}
