// Package boot puts the parts together: it is the only package that knows every
// other, and what the settings mean for each. There is one file per service,
// up.go for all four in one process, one.go for one alone, admin.go and
// doctor.go for commands beside them. It holds no rule of a domain; what every
// process has, whichever services run in it, is below it in chassis.
package boot

import (
	"context"

	"ccms/internal/boot/chassis"
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
type process struct{ *chassis.Process }

func open(start Start) (*process, error) {
	p, err := chassis.Open(start)
	if err != nil {
		return nil, err
	}
	return &process{p}, nil
}

// run runs every service, and the desk of the administrator beside them.
func (p *process) run(ctx context.Context, ready func() error) error {
	return p.Run(ctx, ready, p.serveAdmin)
}
