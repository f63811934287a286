package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// bar is where progress is shown: on a terminal, and nowhere else.
func (p *program) bar() io.Writer {
	if isTerminal(os.Stderr) {
		return p.stderr
	}
	return nil
}

// meanwhile does work that cannot tell how far it is, and shows on bar for how
// long it has been at it; nil shows nothing. What work prints reaches out once
// the bar is gone.
func meanwhile(bar, out io.Writer, what string, work func(io.Writer) error) error {
	if bar == nil {
		return work(out)
	}
	var text bytes.Buffer
	var watch sync.WaitGroup
	done := make(chan struct{})
	watch.Go(func() {
		began := time.Now()
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = fmt.Fprintf(bar, "\r\x1b[K%s, for %d s", what, int(time.Since(began).Seconds()))
			case <-done:
				_, _ = io.WriteString(bar, "\r\x1b[K")
				return
			}
		}
	})
	err := work(&text)
	close(done)
	watch.Wait()
	if _, wrong := text.WriteTo(out); err == nil {
		err = wrong
	}
	return err
}
