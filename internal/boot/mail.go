package boot

import (
	"context"
	"errors"

	"ccms/internal/boot/chassis"
	"ccms/internal/outbox"
)

// mailQueue is the collection in which the login service's mails wait.
const mailQueue = "LoginOutbox"

// openMailQueue opens the queue for commands: it sends nothing.
func (p *process) openMailQueue(ctx context.Context) (*outbox.Queue, error) {
	if !p.Holds(chassis.LoginService, "login.key") {
		return nil, errors.New("mails are the login service's: name its data folder with --data")
	}
	ring, err := p.OpenRing(ctx, "LoginKey", "login.key")
	if err != nil {
		return nil, err
	}
	return outbox.Open(ctx, outbox.Config{DB: p.DB, Collection: mailQueue, Sealer: ring, Log: p.Log.Logger})
}
