package desk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ccms/internal/backup"
	"ccms/internal/boot/chassis"
	"ccms/internal/config"
	"ccms/internal/doctor"
	"ccms/internal/doctor/deep"
	"ccms/internal/idempotency"
	"ccms/internal/outbox"
	"ccms/internal/registration"
	"ccms/internal/store"
	"ccms/internal/vault"
	"ccms/internal/vault/keyring"
	"ccms/internal/webhook/endpoint"
)

// deepCheck is the command by which ccms doctor --deep asks for the check of all
// that the store holds.
const deepCheck = "doctor deep"

// DoctorDeep is Doctor with the check of all that the store holds, beside a
// running server or without one.
func DoctorDeep(ctx context.Context, s config.Settings, w io.Writer, format string) error {
	findings := doctor.Examine(ctx, patient(s))
	var found []doctor.Finding
	if err := Beside(s, w, format).Ask(ctx, deepCheck, []backup.Heads{}, &found); err != nil {
		found = []doctor.Finding{{Check: "deep", Says: "the store could not be examined: " + err.Error(), Advice: "put that right, and ask again"}}
	}
	return tell(append(findings, found...), w, format)
}

var errNoKeys = errors.New("no root key is here, so nothing can be opened: name the data folder of a login or card service with --data, or the key with keyring.url")

// examine checks all that the store holds, as far as this process has the keys.
// The audit logs must still have the ends in kept.
func (d *Desk) examine(ctx context.Context, kept []backup.Heads) ([]doctor.Finding, error) {
	documents, ok := d.DB.(store.Dumper)
	if !ok {
		return nil, errors.New("the store cannot show what it holds")
	}
	p := deep.Patient{Documents: documents}
	if d.Settings.Store.URL.Scheme() == "sqlite" {
		p.Sound = func(ctx context.Context) error { return chassis.CheckCopy(ctx, d.Dir) }
	}
	for _, l := range d.auditLogs() {
		log := deep.Log{Service: l.Service, Open: l.Open}
		for _, k := range kept {
			if k.Service == l.Service {
				log.Kept = append(log.Kept, k.Heads...)
			}
		}
		p.Logs = append(p.Logs, log)
	}
	for _, l := range chassis.KeyRings() {
		if !d.Holds(l.Service, l.File) {
			continue
		}
		ring, err := d.OpenRing(ctx, l.Keys, l.File)
		if errors.Is(err, keyring.ErrRoot) {
			return []doctor.Finding{{Check: "keys", Says: "the root key of the " + l.Service + " is not that of this store", Advice: "find the key file that was kept with this store"}}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("keys of the %s: %w", l.Service, err)
		}
		p.Sealed = append(p.Sealed, deep.Sealed{Name: "keys of the " + l.Service, Check: ring.Check})
		values := d.valuesOfCards
		if l.Service == chassis.LoginService {
			values = d.valuesOfLogin
		}
		more, err := values(ctx, ring)
		if err != nil {
			return nil, err
		}
		p.Sealed = append(p.Sealed, more...)
	}
	if len(p.Sealed) == 0 {
		return nil, errNoKeys
	}
	return deep.Examine(ctx, p), ctx.Err()
}

// valuesOfLogin are what the login service sealed.
func (d *Desk) valuesOfLogin(ctx context.Context, ring *keyring.Ring) ([]deep.Sealed, error) {
	mails, err := outbox.Open(ctx, outbox.Config{DB: d.DB, Collection: MailQueue, Sealer: ring, Log: d.Log.Logger})
	if err != nil {
		return nil, err
	}
	signing := func(ctx context.Context, note func(string, error)) error {
		_, err := d.SigningKeys(ctx, ring) // which opens all of them
		note("signing keys", err)
		return nil
	}
	return []deep.Sealed{{Name: "keys that sign tokens", Check: signing}, {Name: "mails that wait", Check: mails.Check}}, nil
}

// valuesOfCards are what the card service sealed.
func (d *Desk) valuesOfCards(ctx context.Context, ring *keyring.Ring) ([]deep.Sealed, error) {
	books, err := d.Sealed(ctx)
	if err != nil {
		return nil, err
	}
	sealed := vault.New(vault.Config{Keys: ring})
	cards := func(ctx context.Context, note func(string, error)) error {
		for _, b := range books {
			for v, err := range b.Values(ctx) {
				if err != nil {
					return err
				}
				content, err := sealed.Open(ctx, v.At, *v.Sealed)
				content.Wipe()
				note(v.At.Record, err)
			}
		}
		return nil
	}
	work, err := outbox.Open(ctx, outbox.Config{DB: d.DB, Collection: registration.Queue, Sealer: ring, Log: d.Log.Logger})
	if err != nil {
		return nil, err
	}
	answers, err := idempotency.Open(ctx, idempotency.Config{DB: d.DB, Sealer: ring})
	if err != nil {
		return nil, err
	}
	endpoints, err := endpoint.Open(ctx, endpoint.Config{DB: d.DB, Sealer: ring, Log: d.Log.Logger})
	if err != nil {
		return nil, err
	}
	return []deep.Sealed{
		{Name: "values of cards", Check: cards},
		{Name: "registrations under verification", Check: work.Check},
		{Name: "answers kept for their idempotency keys", Check: answers.Check},
		{Name: "keys that sign webhooks", Check: endpoints.Check},
	}, nil
}
