package desk

import (
	"context"
	"errors"

	"ccms/internal/boot/chassis"
	"ccms/internal/outbox"
)

// MailQueue is the collection in which the login service's mails wait.
const MailQueue = "LoginOutbox"

// openMailQueue opens the queue for commands: it sends nothing.
func (d *Desk) openMailQueue(ctx context.Context) (*outbox.Queue, error) {
	if !d.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("mails are the login service's: name its data folder with --data")
	}
	ring, err := d.OpenRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	return outbox.Open(ctx, outbox.Config{DB: d.DB, Collection: MailQueue, Sealer: ring, Log: d.Log.Logger})
}
