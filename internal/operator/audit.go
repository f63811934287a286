package operator

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
)

// verification is a check of the record, and what it found.
type verification struct {
	task
	records, checkpoints int64
	broken               *audit.Broken
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
	Chain  string `json:"chain"` // "": the list of checkpoints
	Number int64  `json:"number"`
	What   string `json:"what"`
}

// Broken is the state of a check that found the record altered.
const Broken = "broken"

func (s *Service) auditNow() auditView {
	v := auditView{Service: s.cfg.Service, Task: s.work.look(&s.verification.task)}
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	v.Records, v.Checkpoints = s.verification.records, s.verification.checkpoints
	if b := s.verification.broken; b != nil && v.State == Done {
		v.State, v.Broken = Broken, &broken{b.Chain, b.Number, b.What}
	}
	return v
}

func (s *Service) getAudit(*http.Request, httpserver.None) (auditView, error) {
	return s.auditNow(), nil
}

// postVerify begins a check, on record like every act.
func (s *Service) postVerify(r *http.Request, _ httpserver.None) (auditView, error) {
	e := by(r)
	e.Act, e.Object = "audit.verify", s.cfg.Service
	s.work.start(r.Context(), &s.verification.task, func(ctx context.Context) error {
		err := s.verify(ctx, e)
		if err != nil {
			s.cfg.Log.ErrorContext(ctx, "the audit log could not be checked", "error.message", err)
		}
		return err
	})
	return s.auditNow(), nil
}

// verify checks the record. That it is broken is what it found and no error.
func (s *Service) verify(ctx context.Context, e audit.Entry) error {
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
	s.work.mu.Lock()
	s.verification.records, s.verification.checkpoints, s.verification.broken = report.Records, report.Checkpoints, altered
	s.work.mu.Unlock()
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
