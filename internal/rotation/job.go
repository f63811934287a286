package rotation

import (
	"context"
	"errors"
	"time"

	"ccms/internal/audit"
	"ccms/internal/vault/rewrap"
)

// The states of work in the background.
const (
	Idle     = "idle"
	Counting = "counting"
	Waiting  = "waiting" // until every process has heard of a key
	Running  = "running"
	Done     = "done"
	Stopped  = "stopped" // by an error, or the end of the process: start it again
)

// The kinds of work in the background.
const (
	JobRewrap = "rewrap"
	JobLookup = "lookup"
)

// Progress is how far work in the background is.
type Progress struct {
	Service string `json:"service"`
	Job     string `json:"job,omitzero"` // JobRewrap or JobLookup; empty while there was none
	State   string `json:"state"`
	Values  int64  `json:"values"`            // sealed values to look at, in all passes
	Passed  int64  `json:"passed"`            // of those, looked at
	Moved   int64  `json:"moved"`             // re-wrapped, or filed under the new look-up key
	Failed  int64  `json:"failed"`            // that do not open: altered, or their key is destroyed
	Renewed int64  `json:"renewed,omitzero"`  // keys moved to the newest version of the root key
	Error   string `json:"error,omitempty"`   // why it stopped
	Hitch   string `json:"hitch,omitempty"`   // why something is tried again at this moment
	Until   string `json:"waiting,omitempty"` // RFC 3339: when Waiting ends
}

// Over reports whether nothing goes on.
func (p Progress) Over() bool { return p.State == Idle || p.State == Done || p.State == Stopped }

// Progress tells how far work in the background is.
func (k *Keeper) Progress() Progress {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.progress
}

// Holds reports whether there is anything to move to other keys here: values, or
// keys under a root key that has versions.
func (k *Keeper) Holds() bool { return len(k.cfg.Books) > 0 || k.cfg.Ring.Renews() }

// Finds reports whether numbers are found by look-up keys here.
func (k *Keeper) Finds() bool { return len(k.cfg.Books) > 0 }

// ErrBusy says that other work goes on in the background.
var ErrBusy = errors.New("rotation: other work goes on with these keys: ccms keys rewrap shows it; begin again when it is over")

// task is work in the background, and its entry in the record.
type task struct {
	job  string
	on   audit.Entry
	work func(context.Context) error
}

// begin begins a task, unless it goes on already or the process ends.
func (k *Keeper) begin(ctx context.Context, t task) (Progress, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || !k.progress.Over() {
		if !k.closed && k.progress.Job != t.job {
			return k.progress, ErrBusy
		}
		return k.progress, nil
	}
	a, err := k.cfg.Audit.Begin(ctx, t.on)
	if err != nil {
		return k.progress, err
	}
	k.progress = Progress{Service: k.cfg.Service, Job: t.job, State: Counting}
	k.work.Go(func() {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		k.work.Go(func() {
			select {
			case <-k.stop:
				cancel()
			case <-ctx.Done():
			}
		})
		err := t.work(ctx)
		err = errors.Join(err, a.End(ctx, resultOf(err)))
		k.note(func(p *Progress) {
			p.State, p.Hitch, p.Until = Done, "", ""
			if err != nil {
				p.State, p.Error = Stopped, err.Error()
			}
		})
	})
	return k.progress, nil
}

func (k *Keeper) note(what func(*Progress)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	what(&k.progress)
}

// pace is how the walks of a task go, and tell.
func (k *Keeper) pace() rewrap.Pace {
	return rewrap.Pace{
		Patience: k.cfg.Patience,
		Hitch:    func(err error) { k.note(func(p *Progress) { p.Hitch = err.Error() }) },
		Done: func(values, moved, failed int64) {
			k.note(func(p *Progress) {
				p.Passed += values
				p.Moved += moved
				p.Failed += failed
				p.Hitch = ""
			})
		},
	}
}

func total(counts map[rewrap.Version]int64) (n int64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// settle waits until every process works with the keys as they are now.
func (k *Keeper) settle(ctx context.Context) error {
	wait := k.cfg.Settle
	k.note(func(p *Progress) {
		p.State, p.Until = Waiting, k.cfg.Now().Add(wait).UTC().Format(time.RFC3339)
	})
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	k.note(func(p *Progress) { p.State, p.Until = Running, "" })
	return nil
}
