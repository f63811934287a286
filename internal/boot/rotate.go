package boot

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/creditcard"
	"ccms/internal/registration/firmcard"
	"ccms/internal/rotation"
	"ccms/internal/vault"
	"ccms/internal/vault/rewrap"
)

// keep looks after the keys of a running service, with the ring it seals under:
// what is rotated there counts at once.
func (p *process) keep(s *chassis.Service, c rotation.Config) {
	c.Service = s.Name
	k := rotation.New(c)
	p.keepers = append(p.keepers, k)
	s.Work = append(s.Work, k.Run)
}

// sealed is where values lie under key-encryption keys.
func (p *process) sealed(ctx context.Context) ([]rewrap.Book, error) {
	holders, err := creditcard.Open(ctx, creditcard.Config{DB: p.DB})
	if err != nil {
		return nil, fmt.Errorf("cardholders' cards: %w", err)
	}
	cards, err := firmcard.Open(ctx, firmcard.Config{DB: p.DB})
	if err != nil {
		return nil, fmt.Errorf("firms' cards: %w", err)
	}
	return []rewrap.Book{holders.Sealed(), cards.Sealed()}, nil
}

// keysForCommands are the running services' keys. Where none runs they are
// opened, with chains of their own in the record.
func (p *process) keysForCommands(ctx context.Context) ([]*rotation.Keeper, error) {
	if len(p.Services) > 0 || p.keepers != nil {
		return p.keepers, nil
	}
	for _, l := range chassis.KeyRings() {
		if !p.Holds(l.Service, l.File) {
			continue
		}
		k, err := p.openKeeper(ctx, l)
		if err != nil {
			return nil, fmt.Errorf("keys of the %s: %w", l.Service, err)
		}
		p.keepers = append(p.keepers, k)
	}
	return p.keepers, nil
}

func (p *process) openKeeper(ctx context.Context, l chassis.KeyRing) (*rotation.Keeper, error) {
	c := rotation.Config{Service: l.Service}
	var err error
	if c.Ring, err = p.OpenRing(ctx, l.Keys, l.File); err != nil {
		return nil, err
	}
	if l.Service == chassis.LoginService {
		c.Signing, err = p.SigningKeys(ctx, c.Ring)
	} else {
		c.Vault = vault.New(vault.Config{Keys: c.Ring})
		c.Books, err = p.sealed(ctx)
	}
	if err != nil {
		return nil, err
	}
	cfg, err := p.AuditConfig(ctx, c.Ring, l.Collection)
	if err != nil {
		return nil, err
	}
	if c.Audit, err = audit.Open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	p.audits = append(p.audits, c.Audit)
	return rotation.New(c), nil
}

// closeBeside closes what openBeside and commands opened.
func (p *process) closeBeside(ctx context.Context) error {
	for _, k := range p.keepers {
		k.Close()
	}
	var err error
	for _, log := range p.audits {
		err = errors.Join(err, log.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, p.DB.Close(), p.Log.Close(), p.Dir.Close())
}
