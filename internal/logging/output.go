package logging

import (
	"io"
	"log/slog"
	"sync"
)

// output hands each line to the console and to the file. Whatever happens to
// one, the other gets it, and nobody who logs is told: a full disk must not
// stop the service. The console learns when the file fails, and when it works
// again and how much is missing.
type output struct {
	console io.Writer
	file    io.Writer    // nil without one
	log     *slog.Logger // to the console alone

	mu   sync.Mutex
	lost int // lines that did not reach the file since it failed
}

// Write takes one line. It never fails.
func (o *output) Write(line []byte) (int, error) {
	_, _ = o.console.Write(line) // there is nowhere left to say so
	if o.file != nil {
		_, err := o.file.Write(line)
		o.note(err)
	}
	return len(line), nil
}

// note tells the first failure and the end of failing.
func (o *output) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err != nil:
		o.lost++
		if o.lost == 1 {
			o.log.Error("lines are missing in log.file until it can be written again", "error.message", err)
		}
	case o.lost > 0:
		o.log.Warn("log.file can be written again", "ccms.log.lost", o.lost)
		o.lost = 0
	}
}
