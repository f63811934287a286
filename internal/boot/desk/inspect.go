package desk

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
func (d *Desk) kept(ctx context.Context) ([]retention.Source, error) {
	keep := d.Settings.CreditCard.DeletedRetention
	holders, err := creditcard.Open(ctx, creditcard.Config{DB: d.DB, Retention: keep})
	if err != nil {
		return nil, fmt.Errorf("cardholders' cards: %w", err)
	}
	cards, err := firmcard.Open(ctx, firmcard.Config{DB: d.DB, Retention: keep})
	if err != nil {
		return nil, fmt.Errorf("firms' cards: %w", err)
	}
	sources := []retention.Source{holders.Overdue, cards.Overdue}
	db, ok := d.DB.(store.Dumper)
	if !ok {
		return nil, fmt.Errorf("the store cannot show what it holds")
	}
	for _, e := range slices.Concat(
		login.Retention(), onetime.Retention(), firm.Retention(), oauth.Retention(), link.Retention(), delivery.Retention(),
		idempotency.Retention(), limit.Retention(firmcard.Quota),
		outbox.Retention(outbox.Config{Collection: MailQueue}), outbox.Retention(outbox.Config{Collection: registration.Queue}),
	) {
		sources = append(sources, e.In(db))
	}
	return sources, nil
}

// keysAndAlgorithms is where the inventory looks (PCI DSS 12.3.3).
func (d *Desk) keysAndAlgorithms(ctx context.Context) (inventory.Config, error) {
	tls := d.Settings.TLS
	c := inventory.Config{
		BcryptCost:   d.Settings.Login.BcryptCost,
		Certificates: []string{tls.CertFile, tls.CAFile},
		Files:        map[string]string{"proofs between our services": d.Settings.Internal.CredentialFile},
		KeyServices:  map[string]string{},
	}
	if c.Files["proofs between our services"] == "" {
		c.Files["proofs between our services"] = d.Dir.File("keys", "internal")
	}
	own, err := filepath.Glob(d.Dir.File("tls", "*.pem"))
	if err != nil {
		return c, err
	}
	c.Certificates = append(c.Certificates, own...)
	for _, l := range chassis.KeyRings() {
		if !d.Holds(l.Service, l.File) {
			continue
		}
		ring, err := d.OpenRing(ctx, l.Keys, l.File)
		if err != nil {
			return c, err
		}
		root := "root key of the " + l.Service
		if url := d.Settings.Keyring.URL.Reveal(); ring.Renews() {
			c.KeyServices[root] = url
		} else {
			c.Files[root] = cmp.Or(strings.TrimPrefix(url, "file:"), d.Dir.File("keys", l.File))
		}
		c.Rings = append(c.Rings, inventory.Ring{Service: l.Service, List: func(ctx context.Context) iter.Seq2[keyring.Info, error] { return ring.List(ctx) }})
		if l.Service == chassis.LoginService {
			keys, err := d.SigningKeys(ctx, ring)
			if err != nil {
				return c, err
			}
			c.Signing = keys.List
		}
	}
	return c, nil
}
