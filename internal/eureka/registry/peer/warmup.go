package peer

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"ccms/internal/eureka"
)

// warmPause is the time between rounds of asking for a first list.
const warmPause = time.Second

// found is what a peer answers to a first look.
type found int

const (
	nobody  found = iota // it did not answer
	nothing              // it answers, and has no list yet itself
	list                 // it gave its list
	mirror               // it is ourselves
)

// warmUp copies the peers' lists and opens the registry to readers: when one
// came, when all peers wait for one themselves, or when the time is up. A
// registry that remembers instances waits for one round only.
func (g *Group) warmUp(ctx context.Context) {
	deadline, stop := context.WithTimeout(ctx, g.cfg.Warmup)
	defer stop()
	defer g.opened.Store(true)
	remembers := g.cfg.Table.Stats().Bytes > 0
	for {
		seen := make([]found, len(g.peers))
		var wg sync.WaitGroup
		for i, p := range g.peers {
			wg.Go(func() { seen[i] = p.copy(deadline) })
		}
		wg.Wait()
		silent := 0
		for _, f := range seen {
			switch f {
			case list:
				return
			case nobody:
				silent++
			}
		}
		if silent == 0 || remembers || !rest(deadline, warmPause) {
			return
		}
	}
}

// copy registers what the peer holds, as if it had been replicated. Reserved
// names are believed only with the proof of an answer (decision E3).
func (p *peer) copy(ctx context.Context) found {
	answer, err := p.ask(ctx, http.MethodGet, "/apps/", nil)
	if err != nil {
		return nobody
	}
	if p.self.Load() {
		p.cfg.Log.Info("a peer registry is this one; nothing is replicated to it", "server.address", hostOf(p.base))
		return mirror
	}
	if answer.status != http.StatusOK {
		p.note(nil, 0)
		if answer.status == http.StatusForbidden {
			return nothing
		}
		return nobody
	}
	a, err := eureka.ParseApplications(false, answer.body)
	if err != nil {
		p.note(fmt.Errorf("first copy: %w", err), 0)
		return nobody
	}
	p.note(nil, 0)
	for _, app := range a.Apps {
		for _, in := range app.Instances {
			p.admit(in, answer.proven)
		}
	}
	return list
}

func (p *peer) admit(in *eureka.Instance, proven bool) {
	in.ID = in.ResolveID()
	if in.ID == "" || in.App == "" || in.Action == eureka.Deleted {
		return
	}
	if !proven && (in.Claims(p.cfg.Reserved) || p.cfg.Table.Reserved(in.App, in.ID)) {
		return
	}
	if err := p.cfg.Table.Register(in, true); err != nil {
		p.cfg.Log.Warn("a peer's instance was not taken over", "error.message", err.Error())
	}
}
