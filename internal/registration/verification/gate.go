package verification

import (
	"sync"
	"time"
)

const (
	failuresInARow = 5 // from then on an endpoint is left alone for rest
	rest           = 30 * time.Second
)

// gate keeps firms apart: a dead endpoint takes its time out for every call, so
// each firm has few calls under way, and after failures in a row one in rest.
type gate struct {
	perFirm int

	mu    sync.Mutex
	firms map[string]*line
}

// line is one firm's endpoint.
type line struct {
	open   int       // calls under way
	failed int       // in a row
	until  time.Time // no call before; the latest failure, at least
}

func newGate(perFirm int) *gate { return &gate{perFirm: perFirm, firms: map[string]*line{}} }

// enter lets a call through, or says no. Each call that is let through ends
// with leave.
func (g *gate) enter(firm string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.firms[firm]
	if l == nil {
		l = &line{}
		g.firms[firm] = l
	}
	most := g.perFirm
	if l.failed >= failuresInARow {
		most = 1
	}
	if l.open >= most || now.Before(l.until) {
		return false
	}
	l.open++
	return true
}

// result is how a call went.
type result int

const (
	aborted result = iota // by ourselves: says nothing of the endpoint
	answered
	failed
)

func (g *gate) leave(firm string, r result, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.firms[firm]
	l.open--
	switch r {
	case answered:
		l.failed, l.until = 0, time.Time{}
	case failed:
		l.until = now
		if l.failed++; l.failed >= failuresInARow {
			l.until = now.Add(rest)
		}
	}
	if l.open == 0 && l.failed == 0 {
		delete(g.firms, firm)
	}
}

// expire forgets firms that nobody asked about for long.
func (g *gate) expire(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for firm, l := range g.firms {
		if l.open == 0 && now.Sub(l.until) > time.Hour {
			delete(g.firms, firm)
		}
	}
}
