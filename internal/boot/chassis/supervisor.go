package chassis

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tellWithin bounds the wait for a supervisor that reads nothing.
const tellWithin = 5 * time.Second

// tell says to the supervisor that started this process how it is: sd_notify(3),
// one datagram to the socket NOTIFY_SOCKET names. Without one nobody listens.
// With it `systemctl restart` returns when the service is ready, not before.
func tell(states ...string) (err error) {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetWriteDeadline(time.Now().Add(tellWithin)); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	if _, err := c.Write([]byte(strings.Join(states, "\n"))); err != nil {
		return fmt.Errorf("tell the supervisor: %w", err)
	}
	return nil
}

// telling tells the supervisor what it can do without.
func (p *Process) telling(states ...string) {
	if err := tell(states...); err != nil {
		p.Log.Warn("the supervisor is not told", "error.message", err.Error())
	}
}

// toldReady tells that the process is ready. A supervisor that waits for it and
// cannot be told would end us later, for no reason to be seen.
func (p *Process) toldReady() error {
	p.ready.Store(true)
	return tell("READY=1")
}

// toldReload does what SIGHUP asks for and tells when it begins and ends, unless
// the process is still starting: READY=1 would say that this is over.
func (p *Process) toldReload(reload func()) {
	if !p.ready.Load() {
		reload()
		return
	}
	var now unix.Timespec // the supervisor waits for what is told later than this
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		p.Log.Warn("the supervisor is not told", "error.message", err.Error())
	}
	p.telling("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1e3))
	reload()
	p.telling("READY=1")
}
