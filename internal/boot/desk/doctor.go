package desk

import (
	"context"
	"errors"
	"io"

	"ccms/internal/boot/chassis"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/doctor"
	"ccms/internal/eureka"
	"ccms/internal/store"
)

// ErrUnwell is returned by Doctor when a check failed.
var ErrUnwell = errors.New("a check failed, see above")

// Doctor checks the machine and the data folder, beside a running server or
// without one, and writes what it finds to w.
func Doctor(ctx context.Context, s config.Settings, w io.Writer, format string) error {
	return tell(doctor.Examine(ctx, patient(s)), w, format)
}

// DoctorQuick is Doctor for a container's health check: whether the server of
// the data folder runs, and its services are healthy.
func DoctorQuick(ctx context.Context, s config.Settings, w io.Writer, format string) error {
	return tell(doctor.Quick(ctx, patient(s)), w, format)
}

// patient is the machine and the data folder of the settings.
func patient(s config.Settings) doctor.Patient {
	dir := datadir.At(s.Data)
	return doctor.Patient{
		Dir:        dir,
		BcryptCost: s.Login.BcryptCost,
		MailServer: s.Mail.SMTPURL.String(),
		Letters:    Beside(s, io.Discard, "").Letters,
		Trust:      chassis.TrustConfig(s, dir),
		Services: func(run datadir.Running) []doctor.Service {
			return []doctor.Service{
				{Check: "eureka", Name: eureka.Audience, URL: run.Eureka}, {Check: "login", Name: chassis.LoginService, URL: run.Login},
				{Check: "cards", Name: chassis.CardService, URL: run.CreditCard}, {Check: "portal", Name: chassis.Portal, URL: run.Portal},
			}
		},
		Store:     storeFor(s, dir),
		Addresses: chassis.Addresses(s),
	}
}

func tell(findings []doctor.Finding, w io.Writer, format string) error {
	if err := doctor.Report(w, findings, format); err != nil {
		return err
	}
	if !doctor.Well(findings) {
		return ErrUnwell
	}
	return nil
}

// storeFor is the store of the settings, not opened.
func storeFor(s config.Settings, dir *datadir.Dir) doctor.Store {
	if s.Store.URL.Scheme() == "sqlite" {
		file := dir.File("ccms.db")
		return doctor.Store{Name: file, File: file, Open: func(ctx context.Context) (store.DB, error) { return chassis.SQLite(ctx, dir) }}
	}
	return doctor.Store{Name: s.Store.URL.String(), Open: func(ctx context.Context) (store.DB, error) { return chassis.Mongo(ctx, s.Store) }}
}
