package registry

import (
	"maps"
	"time"

	"ccms/internal/eureka"
)

// effective is the status an instance is shown with; the first rule that holds
// decides. existing is the status of the lease there was, "" for none.
func effective(own, override, existing eureka.Status, replicated bool) eureka.Status {
	free := func(s eureka.Status) bool { return s == eureka.Up || s == eureka.OutOfService }
	switch {
	case !free(own):
		return own
	case override != eureka.Unknown:
		return override
	case !replicated && free(existing):
		return existing
	}
	return own
}

// register stores an instance, new or again. in is complete (checks of the
// REST resource passed) and belongs to the registry from now on.
func (g *Registry) register(in *eureka.Instance, replicated bool) error {
	g.mu.Lock()
	fresh, err := g.store(in, replicated)
	g.mu.Unlock()
	if fresh && err == nil {
		g.note("instance registered", in)
	}
	return err
}

// store is register with the lock held; it reports whether the instance was
// unknown.
func (g *Registry) store(in *eureka.Instance, replicated bool) (fresh bool, err error) {
	now := g.now()
	in.LastDirty = or(in.LastDirty, now)
	old, known := g.find(in.App, in.ID)
	l := &lease{override: eureka.Unknown, duration: time.Duration(in.Lease.Duration) * time.Second}
	var existing eureka.Status
	if known {
		existing = old.inst.Status
		l.override = old.override
		in.Lease.ServiceUp = old.inst.Lease.ServiceUp
		if old.inst.LastDirty > in.LastDirty && !old.cleared {
			kept := *old.inst // the registry knows better; the lease is fresh all the same
			in = &kept
		}
	} else {
		in.Lease.ServiceUp = 0
	}
	if err := g.room(in, old); err != nil {
		return false, err
	}
	if l.override == eureka.Unknown {
		l.override = in.Overridden
	}
	in.Overridden = l.override
	g.arrive(l, in, now)
	in.Status = effective(in.Status, l.override, existing, replicated)
	if in.Status == eureka.Up && in.Lease.ServiceUp == 0 {
		in.Lease.ServiceUp = now
	}
	if known {
		g.forget(old)
	}
	g.put(l, in)
	g.record(in)
	return !known, nil
}

// arrive starts a lease for in: one duration, until the first heartbeat.
func (g *Registry) arrive(l *lease, in *eureka.Instance, now int64) {
	in.Action = eureka.Added
	in.LastUpdated = now
	in.Coordinating = false
	in.Lease.Registered = now
	in.Lease.Evicted = 0
	l.renewed.Store(now)
	l.deadline.Store(now + l.duration.Milliseconds())
}

// verdict is the outcome of a heartbeat.
type verdict int

const (
	renewed  verdict = iota // 200
	missing                 // 404: register (again)
	conflict                // 409: the registry's instance is newer than the peer's
)

// beat is what a heartbeat says about its instance.
type beat struct {
	dirty      *int64        // lastDirtyTimestamp, when given
	override   eureka.Status // a peer's; Unknown for none
	replicated bool
}

// heartbeat renews a lease. It takes the lock of readers: what a heartbeat
// changes is atomic, except when the status has to be corrected.
func (g *Registry) heartbeat(app, id string, b beat) (verdict, *eureka.Instance) {
	g.mu.RLock()
	l, ok := g.find(app, id)
	if !ok {
		g.mu.RUnlock()
		return missing, nil
	}
	in := l.inst
	status := effective(in.Status, l.override, in.Status, b.replicated)
	if status == eureka.Unknown {
		g.mu.RUnlock()
		return missing, nil // so the client registers with its true status
	}
	now := g.cfg.Now()
	g.renew(l, now.UnixMilli())
	g.renewed.count(now)
	g.mu.RUnlock()
	if status != in.Status {
		g.correct(app, id, status)
	}
	return g.compare(l, in, b)
}

// compare answers a heartbeat that says when its instance last changed.
func (g *Registry) compare(l *lease, in *eureka.Instance, b beat) (verdict, *eureka.Instance) {
	switch {
	case b.dirty == nil || *b.dirty == in.LastDirty:
		return renewed, nil
	case *b.dirty > in.LastDirty:
		if b.replicated && b.override != eureka.Unknown {
			g.mu.Lock()
			l.override = b.override
			g.mu.Unlock()
		}
		return missing, nil
	case b.replicated:
		return conflict, in
	}
	return renewed, nil
}

// correct brings a stored status in line with the rules. It makes no entry in
// the delta, but the hash tells clients, and the version moves on with it.
func (g *Registry) correct(app, id string, status eureka.Status) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.find(app, id)
	if !ok {
		return
	}
	in := *l.inst
	in.Status = status
	in.Overridden = l.override
	g.put(l, &in)
	g.version++
}

// cancel ends a lease at its owner's wish.
func (g *Registry) cancel(app, id string) bool {
	g.mu.Lock()
	l, ok := g.find(app, id)
	if ok {
		g.remove(l, g.now())
	}
	g.mu.Unlock()
	if ok {
		g.note("instance cancelled", l.inst)
	}
	return ok
}

// setStatus overrides the status of an instance; the status it already has is
// no override.
func (g *Registry) setStatus(app, id string, status eureka.Status, dirty *int64) bool {
	return g.change(app, id, dirty, func(l *lease, in *eureka.Instance) bool {
		if in.Status == status {
			return false
		}
		l.override, l.cleared = status, false
		in.Overridden = status
		in.Status = status
		return true
	})
}

// clearStatus removes an override; status is shown until the instance
// registers again.
func (g *Registry) clearStatus(app, id string, status eureka.Status, dirty *int64) bool {
	return g.change(app, id, dirty, func(l *lease, in *eureka.Instance) bool {
		if l.override == eureka.Unknown {
			return false
		}
		l.override, l.cleared = eureka.Unknown, status == eureka.Unknown
		in.Overridden = eureka.Unknown
		in.Status = status
		return true
	})
}

// change renews a lease and lets f alter a copy of its instance; f reports
// whether it did. The result is false when there is no such instance.
func (g *Registry) change(app, id string, dirty *int64, f func(*lease, *eureka.Instance) bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	l, ok := g.find(app, id)
	if !ok || g.expired(l, now) {
		return false
	}
	g.renew(l, now)
	in := *l.inst
	if !f(l, &in) {
		return true
	}
	if dirty != nil && *dirty > in.LastDirty {
		in.LastDirty = *dirty
	}
	if in.Status == eureka.Up && in.Lease.ServiceUp == 0 {
		in.Lease.ServiceUp = now
	}
	in.Action = eureka.Modified
	in.LastUpdated = now
	g.put(l, &in)
	g.record(&in)
	return true
}

// addMetadata adds or replaces metadata; the instance counts as registered
// again, with the time stamp it had. The result is false when there is no such
// instance.
func (g *Registry) addMetadata(app, id string, add map[string]string) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, ok := g.find(app, id)
	if !ok {
		return false, nil
	}
	in := l.inst.Clone()
	if in.Metadata == nil {
		in.Metadata = make(map[string]string, len(add))
	}
	maps.Copy(in.Metadata, add)
	_, err := g.store(in, false)
	return true, err
}
