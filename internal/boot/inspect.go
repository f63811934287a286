package boot

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"ccms/internal/boot/chassis"
	"ccms/internal/creditcard"
	"ccms/internal/firm"
	"ccms/internal/firm/oauth"
	"ccms/internal/idempotency"
	"ccms/internal/inventory"
	"ccms/internal/limit"
	"ccms/internal/login"
	"ccms/internal/login/onetime"
	"ccms/internal/outbox"
	"ccms/internal/registration"
	"ccms/internal/registration/firmcard"
	"ccms/internal/registration/link"
	"ccms/internal/retention"
	"ccms/internal/store"
	"ccms/internal/vault/keyring"
	"ccms/internal/webhook/delivery"
)

// kept tells what the store keeps, how long and why: the proof of PCI DSS 3.2.1.
func (p *process) kept(ctx context.Context) ([]retention.Source, error) {
	keep := p.Settings.CreditCard.DeletedRetention
	holders, err := creditcard.Open(ctx, creditcard.Config{DB: p.DB, Retention: keep})
	if err != nil {
		return nil, fmt.Errorf("cardholders' cards: %w", err)
	}
	cards, err := firmcard.Open(ctx, firmcard.Config{DB: p.DB, Retention: keep})
	if err != nil {
		return nil, fmt.Errorf("firms' cards: %w", err)
	}
	sources := []retention.Source{holders.Overdue, cards.Overdue}
	db, ok := p.DB.(store.Dumper)
	if !ok {
		return nil, fmt.Errorf("the store cannot show what it holds")
	}
	for _, e := range slices.Concat(
		login.Retention(), onetime.Retention(), firm.Retention(), oauth.Retention(), link.Retention(), delivery.Retention(),
		idempotency.Retention(), limit.Retention(firmcard.Quota),
		outbox.Retention(outbox.Config{Collection: mailQueue}), outbox.Retention(outbox.Config{Collection: registration.Queue}),
	) {
		sources = append(sources, e.In(db))
	}
	return sources, nil
}

// keysAndAlgorithms is where the inventory looks (PCI DSS 12.3.3).
func (p *process) keysAndAlgorithms(ctx context.Context) (inventory.Config, error) {
	tls := p.Settings.TLS
	c := inventory.Config{
		BcryptCost:   p.Settings.Login.BcryptCost,
		Certificates: []string{tls.CertFile, tls.CAFile},
		Files:        map[string]string{"proofs between our services": p.Settings.Internal.CredentialFile},
	}
	if c.Files["proofs between our services"] == "" {
		c.Files["proofs between our services"] = p.Dir.File("keys", "internal")
	}
	own, err := filepath.Glob(p.Dir.File("tls", "*.pem"))
	if err != nil {
		return c, err
	}
	c.Certificates = append(c.Certificates, own...)
	for _, l := range chassis.KeyRings() {
		if !p.Holds(l.Service, l.File) {
			continue
		}
		ring, err := p.OpenRing(ctx, l.Keys, l.File)
		if err != nil {
			return c, err
		}
		c.Files["root key of the "+l.Service] = cmp.Or(strings.TrimPrefix(p.Settings.Keyring.URL.Reveal(), "file:"), p.Dir.File("keys", l.File))
		c.Rings = append(c.Rings, inventory.Ring{Service: l.Service, List: func(ctx context.Context) iter.Seq2[keyring.Info, error] { return ring.List(ctx) }})
		if l.Service == chassis.LoginService {
			keys, err := p.SigningKeys(ctx, ring)
			if err != nil {
				return c, err
			}
			c.Signing = keys.List
		}
	}
	return c, nil
}
