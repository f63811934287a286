package cardimport

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// How often progress is shown: as a bar, and as lines.
const (
	barEvery  = 100 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 30
)

// bar shows how far an import is.
type bar struct {
	out      io.Writer
	terminal bool
	now      func() time.Time
	sum      *Summary
	began    time.Time
	shown    time.Time
}

func newBar(cfg Config, sum *Summary) *bar {
	b := &bar{out: cfg.Progress, terminal: cfg.Terminal, now: cfg.Now, sum: sum, began: cfg.Now()}
	b.shown = b.began
	if sum.Before > 0 {
		_, _ = fmt.Fprintf(b.out, "%s: going on after %s of %s cards\n", sum.File, grouped(sum.Before), grouped(sum.Lines))
	}
	return b
}

// show writes how far it is, if it is time.
func (b *bar) show() {
	every := lineEvery
	if b.terminal {
		every = barEvery
	}
	now := b.now()
	if now.Sub(b.shown) < every {
		return
	}
	b.shown = now
	if b.terminal {
		_, _ = fmt.Fprintf(b.out, "\r%s\x1b[K", b.text(now))
	} else {
		_, _ = fmt.Fprintf(b.out, "%s: %s\n", b.sum.File, b.text(now))
	}
}

// end leaves the last state of a bar on its line.
func (b *bar) end() {
	if b.terminal {
		_, _ = fmt.Fprintf(b.out, "\r%s\x1b[K\n", b.text(b.now()))
	}
}

func (b *bar) text(now time.Time) string {
	done := b.sum.Registered + b.sum.Refused
	share := 1.0
	if b.sum.Lines > 0 {
		share = float64(done) / float64(b.sum.Lines)
	}
	var t strings.Builder
	if b.terminal {
		full := min(barWidth, int(share*barWidth))
		fmt.Fprintf(&t, "[%s%s] ", strings.Repeat("=", full), strings.Repeat(" ", barWidth-full))
	}
	fmt.Fprintf(&t, "%3d %%  %s of %s", int(100*share), grouped(done), grouped(b.sum.Lines))
	if b.sum.Refused > 0 {
		fmt.Fprintf(&t, ", %s refused", grouped(b.sum.Refused))
	}
	if run := now.Sub(b.began); run > 0 && done > b.sum.Before {
		rate := float64(done-b.sum.Before) / run.Seconds()
		left := time.Duration(float64(b.sum.Lines-done) / rate * float64(time.Second))
		fmt.Fprintf(&t, "  %s/s  %s left", grouped(int(rate+0.5)), left.Round(time.Second))
	}
	return t.String()
}

// grouped writes a number as people read it: 10,000.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
