package operator

import (
	"context"
	"net/http"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/problem"
	"ccms/internal/rotation"
)

// keysView is every version of every key, and what goes on with them.
type keysView struct {
	rotation.Status
	Rotation Task              `json:"rotation"`
	Rewrap   rotation.Progress `json:"rewrap"`
}

func (s *Service) getKeys(r *http.Request, _ httpserver.None) (v keysView, err error) {
	if v.Status, err = s.cfg.Keys.Status(r.Context()); err != nil {
		return v, err
	}
	n, err := s.work.look(r.Context(), s.task("rotation"))
	if err != nil {
		return v, err
	}
	v.Rotation = n.task()
	v.Rewrap, _, err = s.moving(r.Context())
	return v, err
}

// moving is how far the move to other keys is, in this process or another;
// elsewhere says that another is at it.
func (s *Service) moving(ctx context.Context) (p rotation.Progress, elsewhere bool, err error) {
	if p = shown(s.cfg.Keys.Progress()); !p.Over() {
		return p, false, nil
	}
	if err := s.tellMove(ctx, p); err != nil {
		return p, false, err
	}
	n, err := s.work.look(ctx, s.task("move"))
	if err != nil || n.Progress == nil {
		return p, false, err
	}
	if p = *n.Progress; n.State == Stopped {
		p.State = rotation.Stopped
	}
	return p, n.State == Running && n.Process != s.work.process, nil
}

// shown is how far a move is, without the text of an error, which is for who sits
// at the machine.
func shown(p rotation.Progress) rotation.Progress {
	p.Error = ""
	return p
}

// tellMoves notes how far this process is with a move, until ctx ends, for the
// others to see. Its commands begin one too.
func (s *Service) tellMoves(ctx context.Context) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for ctx.Err() == nil {
		// What fails is told at the next beat.
		_ = s.tellMove(ctx, shown(s.cfg.Keys.Progress()))
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	p := shown(s.cfg.Keys.Progress())
	if !p.Over() {
		p.State = rotation.Stopped // as it will in a moment
	}
	_ = s.tellMove(ctx, p) // else its silence tells
}

// tellMove notes how far this process is. How a move ended is told once.
func (s *Service) tellMove(ctx context.Context, p rotation.Progress) error {
	s.moves.Lock()
	defer s.moves.Unlock()
	if p.Over() && (p == s.told || p.Job == "") {
		return nil
	}
	now := s.cfg.Now().UTC().Truncate(time.Millisecond)
	err := s.work.write(ctx, s.task("move"), func(n *note) error {
		if n.Process != s.work.process && n.goesOn(now) {
			return errLeave
		}
		if n.Process != s.work.process || n.State != Running {
			*n = note{Process: s.work.process, Started: now}
		}
		n.State, n.Heard, n.Progress = Running, now, &p
		switch p.State {
		case rotation.Done:
			n.State, n.Ended = Done, now
		case rotation.Stopped:
			n.State, n.Ended = Stopped, now
		}
		return nil
	})
	if err == nil {
		s.told = p
	}
	return err
}

// The keys a rotation may be of.
const (
	values  = "values"  // those under which values are sealed
	signing = "signing" // that of tokens
)

// which says which keys to rotate.
type which struct {
	Keys string `json:"keys"`
}

// taskView is something that was begun, or goes on already.
type taskView struct {
	Rotation Task `json:"rotation"`
}

// postRotate begins to give keys a new version.
func (s *Service) postRotate(r *http.Request, in which) (taskView, error) {
	var rotate func(context.Context, audit.Entry) ([]rotation.Rotated, error)
	switch in.Keys {
	case values:
		rotate = s.cfg.Keys.Rotate
	case signing:
		rotate = s.cfg.Keys.RotateSigning
	default:
		return taskView{}, problem.Validation("keys is values or signing.")
	}
	who := by(r)
	err := s.work.start(r.Context(), s.task("rotation"), func(ctx context.Context, _ *note) error {
		_, err := rotate(ctx, who)
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "keys could not all be rotated, those that were stay so", "error.message", err)
		}
		return err
	})
	if err != nil {
		return taskView{}, err
	}
	n, err := s.work.look(r.Context(), s.task("rotation"))
	return taskView{n.task()}, err
}

// postRewrap begins to move everything to the newest versions, unless another
// process is at it.
func (s *Service) postRewrap(r *http.Request, _ httpserver.None) (rotation.Progress, error) {
	p, elsewhere, err := s.moving(r.Context())
	if err != nil || elsewhere {
		return p, err
	}
	p, err = s.cfg.Keys.Rewrap(r.Context(), by(r))
	return shown(p), err
}
