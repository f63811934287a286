package lease

import (
	"cmp"
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

// Register stores an instance, new or again. in has an id and an upper-case
// application, and belongs to the table from now on. A peer's registration is
// replicated. The error is ErrFull or ErrTooLarge.
func (t *Table) Register(in *eureka.Instance, replicated bool) error {
	t.mu.Lock()
	fresh, err := t.store(in, replicated)
	t.mu.Unlock()
	if fresh && err == nil {
		t.note("instance registered", in)
	}
	return err
}

// Adopt takes a peer's newer instance over, and its override with it. The
// error is ErrFull or ErrTooLarge.
func (t *Table) Adopt(in *eureka.Instance) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l, ok := t.find(in.App, in.ID); ok && in.Overridden != eureka.Unknown {
		l.override = in.Overridden
	}
	_, err := t.store(in, true)
	return err
}

// store is register with the lock held; it reports whether the instance was
// unknown.
func (t *Table) store(in *eureka.Instance, replicated bool) (fresh bool, err error) {
	now := t.now()
	in.LastDirty = cmp.Or(in.LastDirty, now)
	old, known := t.find(in.App, in.ID)
	l := &lease{override: eureka.Unknown, own: in.Status, duration: time.Duration(in.Lease.Duration) * time.Second}
	var existing eureka.Status
	if known {
		existing = old.inst.Status
		l.override = old.override
		in.Lease.ServiceUp = old.inst.Lease.ServiceUp
		if old.inst.LastDirty > in.LastDirty && !old.cleared {
			kept := *old.inst // the registry knows better; the lease is fresh all the same
			in, l.own = &kept, old.own
		}
	} else {
		in.Lease.ServiceUp = 0
	}
	if err := t.room(in, old); err != nil {
		return false, err
	}
	if l.override == eureka.Unknown {
		l.override = in.Overridden
	}
	in.Overridden = l.override
	t.arrive(l, in, now)
	in.Status = effective(in.Status, l.override, existing, replicated)
	l.cleared = known && old.cleared && in.Status == eureka.Unknown
	if in.Status == eureka.Up && in.Lease.ServiceUp == 0 {
		in.Lease.ServiceUp = now
	}
	if known {
		t.forget(old)
	}
	t.put(l, in)
	t.record(in)
	t.last[came].add(Event{now, in.App, in.ID})
	return !known, nil
}

// arrive starts a lease for in: one duration, until the first heartbeat.
func (t *Table) arrive(l *lease, in *eureka.Instance, now int64) {
	in.Action = eureka.Added
	in.LastUpdated = now
	in.Coordinating = in.ID == t.cfg.SelfID
	in.Lease.Registered = now
	in.Lease.Evicted = 0
	l.renewed.Store(now)
	l.deadline.Store(now + l.duration.Milliseconds())
}

// Verdict is the outcome of a heartbeat.
type Verdict int

const (
	Renewed  Verdict = iota // 200
	Missing                 // 404: register (again)
	Conflict                // 409: the registry's instance is newer than the peer's
)

// Beat is what a heartbeat says about its instance.
type Beat struct {
	Dirty      *int64        // lastDirtyTimestamp, when given
	Override   eureka.Status // a peer's; Unknown for none
	Replicated bool          // passed on by a peer
}

// Heartbeat renews a lease. It takes the lock of readers: what a heartbeat
// changes is atomic, except when the status has to be corrected.
func (t *Table) Heartbeat(app, id string, b Beat) (Verdict, *eureka.Instance) {
	t.mu.RLock()
	l, ok := t.find(app, id)
	if !ok {
		t.mu.RUnlock()
		return Missing, nil
	}
	in := l.inst
	status := effective(in.Status, l.override, in.Status, b.Replicated)
	if status == eureka.Unknown {
		t.mu.RUnlock()
		return Missing, nil // so the client registers with its true status
	}
	now := t.cfg.Now()
	t.renew(l, now.UnixMilli())
	t.renewed.count(now)
	t.mu.RUnlock()
	if status != in.Status {
		t.correct(app, id, status)
	}
	return t.compare(l, in, b)
}

// compare answers a heartbeat that says when its instance last changed.
func (t *Table) compare(l *lease, in *eureka.Instance, b Beat) (Verdict, *eureka.Instance) {
	switch {
	case b.Dirty == nil || *b.Dirty == in.LastDirty:
		return Renewed, nil
	case *b.Dirty > in.LastDirty:
		if b.Replicated && b.Override != eureka.Unknown {
			t.mu.Lock()
			l.override = b.Override
			t.mu.Unlock()
		}
		return Missing, nil
	case b.Replicated:
		newer := *in
		newer.Lease.Renewed = l.renewed.Load()
		return Conflict, &newer
	}
	return Renewed, nil
}

// correct brings a stored status in line with the rules. It makes no entry in
// the delta, but the hash tells clients, and the version moves on with it.
func (t *Table) correct(app, id string, status eureka.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.find(app, id)
	if !ok {
		return
	}
	in := *l.inst
	in.Status = status
	in.Overridden = l.override
	t.put(l, &in)
	t.touch(t.apps[in.App], id)
}

// Cancel ends a lease at its owner's wish.
func (t *Table) Cancel(app, id string) bool {
	t.mu.Lock()
	l, ok := t.find(app, id)
	if ok {
		t.remove(l, t.now())
	}
	t.mu.Unlock()
	if ok {
		t.note("instance cancelled", l.inst)
	}
	return ok
}

// SetStatus overrides the status of an instance; the status it already has is
// no override.
func (t *Table) SetStatus(app, id string, status eureka.Status, dirty *int64) bool {
	return t.change(app, id, dirty, func(l *lease, in *eureka.Instance) bool {
		if in.Status == status {
			return false
		}
		l.override, l.cleared = status, false
		in.Overridden = status
		in.Status = status
		return true
	})
}

// ClearStatus removes an override; status is shown until the instance
// registers again.
func (t *Table) ClearStatus(app, id string, status eureka.Status, dirty *int64) bool {
	return t.change(app, id, dirty, func(l *lease, in *eureka.Instance) bool {
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
func (t *Table) change(app, id string, dirty *int64, f func(*lease, *eureka.Instance) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	l, ok := t.find(app, id)
	if !ok || t.expired(l, now) {
		return false
	}
	t.renew(l, now)
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
	t.put(l, &in)
	t.record(&in)
	return true
}

// AddMetadata adds or replaces metadata; the instance counts as registered
// again, with the time stamp it had. The result is false when there is no such
// instance.
func (t *Table) AddMetadata(app, id string, add map[string]string) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.find(app, id)
	if !ok {
		return false, nil
	}
	in := l.inst.Clone()
	if in.Metadata == nil {
		in.Metadata = make(map[string]string, len(add))
	}
	maps.Copy(in.Metadata, add)
	own := l.own
	_, err := t.store(in, false)
	if l, ok := t.find(app, id); ok {
		l.own = own // which metadata say nothing of
	}
	return true, err
}
