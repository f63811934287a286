package operator

import (
	"context"
	"net/http"

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

func (s *Service) getKeys(r *http.Request, _ httpserver.None) (keysView, error) {
	all, err := s.cfg.Keys.Status(r.Context())
	return keysView{Status: all, Rotation: s.work.look(&s.rotating), Rewrap: shown(s.cfg.Keys.Progress())}, err
}

// shown is how far re-wrapping is, without the text of an error, which is for who
// sits at the machine.
func shown(p rotation.Progress) rotation.Progress {
	p.Error = ""
	return p
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
	s.work.start(r.Context(), &s.rotating, func(ctx context.Context) error {
		_, err := rotate(ctx, who)
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "keys could not all be rotated, those that were stay so", "error.message", err)
		}
		return err
	})
	return taskView{s.work.look(&s.rotating)}, nil
}

// postRewrap begins to move everything to the newest versions.
func (s *Service) postRewrap(r *http.Request, _ httpserver.None) (rotation.Progress, error) {
	p, err := s.cfg.Keys.Rewrap(r.Context(), by(r))
	return shown(p), err
}
