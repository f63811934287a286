package operator

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
)

// found is what a check of the record found.
type found struct {
	Records     int64   `bson:"records"`
	Checkpoints int64   `bson:"checkpoints"`
	Broken      *broken `bson:"broken,omitempty"`
}

// auditView is what the last check of the record found. Its state is done when
// nothing was altered, broken when something was.
type auditView struct {
	Service string `json:"service"`
	Task
	Records     int64   `json:"records"`
	Checkpoints int64   `json:"checkpoints"`
	Broken      *broken `json:"broken,omitzero"`
}

// broken is the first place that was altered.
type broken struct {
	Chain  string `json:"chain" bson:"chain"` // "": the list of checkpoints
	Number int64  `json:"number" bson:"number"`
	What   string `json:"what" bson:"what"`
}

// Broken is the state of a check that found the record altered.
const Broken = "broken"

func (s *Service) getAudit(r *http.Request, _ httpserver.None) (auditView, error) {
	n, err := s.work.look(r.Context(), s.task("audit"))
	v := auditView{Service: s.cfg.Service, Task: n.task()}
	if f := n.Found; f != nil && n.State == Done {
		if v.Records, v.Checkpoints, v.Broken = f.Records, f.Checkpoints, f.Broken; v.Broken != nil {
			v.State = Broken
		}
	}
	return v, err
}

// postVerify begins a check, on record like every act.
func (s *Service) postVerify(r *http.Request, in httpserver.None) (auditView, error) {
	e := by(r)
	e.Act, e.Object = "audit.verify", s.cfg.Service
	err := s.work.start(r.Context(), s.task("audit"), func(ctx context.Context, n *note) error {
		err := s.verify(ctx, e, n)
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "the audit log could not be checked", "error.message", err)
		}
		return err
	})
	if err != nil {
		return auditView{}, err
	}
	return s.getAudit(r, in)
}

// verify checks the record. That it is broken is what it found and no error.
func (s *Service) verify(ctx context.Context, e audit.Entry, n *note) error {
	act, err := s.cfg.Audit.Begin(ctx, e)
	if err != nil {
		return err
	}
	report, err := s.check(ctx)
	altered, ok := errors.AsType[*audit.Broken](err)
	result := audit.Success
	switch {
	case ok:
		act.Explain(altered.Error())
		s.cfg.Log.ErrorContext(ctx, "the audit log was altered", "error.message", altered)
		err, result = nil, audit.Failed
	case err != nil:
		result = audit.Failed
	}
	n.Found = &found{Records: report.Records, Checkpoints: report.Checkpoints}
	if ok {
		n.Found.Broken = &broken{altered.Chain, altered.Number, altered.What}
	}
	return errors.Join(err, act.End(ctx, result))
}

func (s *Service) check(ctx context.Context) (audit.Report, error) {
	cfg, err := s.cfg.Record(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	defer cfg.Key.Wipe()
	return audit.Verify(ctx, cfg)
}

// headView is where every chain ends, to be kept elsewhere: a list of it is what
// ccms audit verify --head reads.
type headView struct {
	Service string       `json:"service"`
	Heads   []audit.Head `json:"heads"`
}

func (s *Service) getHead(r *http.Request, _ httpserver.None) (headView, error) {
	cfg, err := s.cfg.Record(r.Context())
	if err != nil {
		return headView{}, err
	}
	defer cfg.Key.Wipe()
	heads, err := audit.Heads(r.Context(), cfg)
	return headView{s.cfg.Service, heads}, err
}
