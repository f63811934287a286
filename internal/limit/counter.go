package limit

import (
	"errors"
	"slices"
	"time"
)

var (
	// errBusy: full, but attempts under way may yet succeed.
	errBusy = errors.New("limit: attempts under way")
	// errSame: nothing to write.
	errSame = errors.New("limit: unchanged")
)

type state int

const (
	open   state = iota // counted, not settled
	failed              // counted until it leaves the window
)

// entry is one attempt. At is when it was made, after a failure when it failed.
type entry struct {
	ID    string    `bson:"id"`
	At    time.Time `bson:"at"`
	State state     `bson:"state"`
}

// counter is the document of one bucket, and the rules of counting.
type counter struct {
	Attempts []entry   `bson:"attempts"`
	Locked   time.Time `bson:"locked,omitempty"`
	Expires  time.Time `bson:"expires"`
}

// tidy brings the counter to the present: the lock ends, failures leave the
// window, and what nobody settled within hold was lost in a crash and counts.
// It reports whether a lock began by that.
func (v *counter) tidy(r Rule, now time.Time, hold time.Duration) bool {
	if !now.Before(v.Locked) {
		v.Locked = time.Time{}
	}
	for i, e := range v.Attempts {
		if e.State == open && now.Sub(e.At) >= hold {
			v.Attempts[i].State = failed
		}
	}
	v.Attempts = slices.DeleteFunc(v.Attempts, func(e entry) bool { return now.Sub(e.At) >= r.Window })
	return v.lock(r, now)
}

// lock begins the lock if the failures are as many as allowed, and reports
// whether it did.
func (v *counter) lock(r Rule, now time.Time) bool {
	if r.Lock == 0 || v.count(failed) < r.Max || !v.Locked.IsZero() {
		return false
	}
	var last time.Time
	for _, e := range v.Attempts {
		if e.State == failed && e.At.After(last) {
			last = e.At
		}
	}
	v.clear()
	if until := last.Add(r.Lock); until.After(now) {
		v.Locked = until
		return true
	}
	return false
}

// refuse says why another attempt is not allowed, nil if it is.
func (v *counter) refuse(r Rule) error {
	switch {
	case !v.Locked.IsZero():
		return &Locked{Rule: r.Name, Until: v.Locked}
	case len(v.Attempts) < r.Max:
		return nil
	case v.count(open) > 0:
		return errBusy
	}
	oldest := slices.MinFunc(v.Attempts, func(a, b entry) int { return a.At.Compare(b.At) })
	return &Locked{Rule: r.Name, Until: oldest.At.Add(r.Window)}
}

// add counts e, or says why not.
func (v *counter) add(r Rule, e entry) error {
	if err := v.refuse(r); err != nil {
		return err
	}
	v.Attempts = append(v.Attempts, e)
	v.lock(r, e.At)
	return nil
}

// fail turns the attempt id into a failure and reports whether it began a lock.
func (v *counter) fail(r Rule, id string, now time.Time) (bool, error) {
	for i, e := range v.Attempts {
		if e.ID == id && e.State == open {
			v.Attempts[i] = entry{ID: id, At: now, State: failed}
			return v.lock(r, now), nil
		}
	}
	return false, errSame
}

// drop takes the attempt id back.
func (v *counter) drop(id string) error {
	n := len(v.Attempts)
	v.Attempts = slices.DeleteFunc(v.Attempts, func(e entry) bool { return e.ID == id })
	if len(v.Attempts) == n {
		return errSame
	}
	return nil
}

// forgive takes the attempt id back and clears failures and lock.
func (v *counter) forgive(id string) error {
	same := v.drop(id) != nil && v.count(failed) == 0 && v.Locked.IsZero()
	if same {
		return errSame
	}
	v.clear()
	v.Locked = time.Time{}
	return nil
}

// clear forgets the failures.
func (v *counter) clear() {
	v.Attempts = slices.DeleteFunc(v.Attempts, func(e entry) bool { return e.State == failed })
}

func (v *counter) count(s state) int {
	n := 0
	for _, e := range v.Attempts {
		if e.State == s {
			n++
		}
	}
	return n
}

// until is when the counter says nothing any more.
func (v *counter) until(r Rule, now time.Time) time.Time {
	end := now.Add(r.Window)
	if v.Locked.After(end) {
		return v.Locked
	}
	return end
}
