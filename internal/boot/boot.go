// Package boot puts the parts together: it is the only package that knows every
// other, and what the settings mean for each. There is one file per service,
// up.go for all four in one process, one.go for one alone. It holds no rule of a
// domain; what every process has, whichever services run in it, is below it in
// chassis, what commands beside them need in desk.
package boot

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"

	"ccms/internal/boot/chassis"
	"ccms/internal/boot/desk"
	"ccms/internal/identity"
	"ccms/internal/secret"
)

// Start is how the command line starts a process, Console where a command
// writes.
type (
	Start   = chassis.Start
	Console = chassis.Console
)

// Version is what the binary says of itself.
func Version() string { return chassis.Version() }

// process is the process whose services this package makes.
type process struct {
	*desk.Desk
	demo       bool         // make a demo firm
	sessionKey secret.Bytes // of the portal's cookies
}

func open(start Start) (*process, error) {
	p, err := chassis.Open(start)
	if err != nil {
		return nil, err
	}
	return &process{Desk: &desk.Desk{Process: p}, demo: start.Demo}, nil
}

// believe takes the internal credential, from which the proofs between our
// services and the key of the portal's cookies come (decisions A8 and F6).
func (p *process) believe(credential secret.Bytes) error {
	p.Prover = identity.NewProver(credential, nil)
	if credential.Len() == 0 {
		return nil
	}
	key, err := hkdf.Key(sha256.New, credential.Reveal(), nil, "ccms portal session", sha256.Size)
	p.sessionKey = secret.New(key)
	return err
}

// run runs every service, and the desk of the administrator beside them.
func (p *process) run(ctx context.Context, ready func() error) error {
	return p.Run(ctx, ready, p.Serve)
}
