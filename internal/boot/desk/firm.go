package desk

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/login/roles"
)

// firms are the running service's firms. Where none runs they are
// opened, with a chain of their own in the record.
func (d *Desk) firms(ctx context.Context) (*firm.Service, error) {
	if d.Firms != nil {
		return d.Firms, nil
	}
	if !d.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("firms are the login service's: name its data folder with --data")
	}
	log, err := d.record(ctx)
	if err != nil {
		return nil, err
	}
	return d.OpenFirms(ctx, log, nil)
}

// OpenFirms opens the firms on a record; authenticate finds out which of their
// people asks, nil where only commands do.
func (d *Desk) OpenFirms(ctx context.Context, log *audit.Log, authenticate httpserver.Authenticate) (*firm.Service, error) {
	accounts, err := roles.Open(ctx, d.DB)
	if err != nil {
		return nil, fmt.Errorf("firms: %w", err)
	}
	return firm.Open(ctx, firm.Config{
		DB: d.DB, Audit: log, Accounts: accounts, Authenticate: authenticate,
	})
}
