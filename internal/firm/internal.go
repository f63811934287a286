package firm

import (
	"context"
	"errors"
	"net/http"

	"ccms/internal/audit"
	"ccms/internal/firm/directory"
	"ccms/internal/httpserver"
	"ccms/internal/store"
)

// Routes registers what our own services ask (decision A8), through package
// directory. What is not there is no error among ourselves: the answer says so.
func (s *Service) Routes(mux *httpserver.Mux) {
	mux.Handle("GET /internal/firms/{firm}", httpserver.Internal(httpserver.JSON(s.getFirmEntry)))
	mux.Handle("GET /internal/clients/{client}", httpserver.Internal(httpserver.JSON(s.getClientEntry)))
	mux.Handle("GET /internal/firms/{firm}/members/{subject}", httpserver.Internal(httpserver.JSON(s.getRoleEntry)))
	mux.Handle("GET /internal/operators/{subject}", httpserver.Internal(httpserver.JSON(s.getOperatorEntry)))
	mux.Handle("POST /internal/operators/{subject}/acts", httpserver.Internal(httpserver.JSON(s.postOperatorAct)))
}

func (s *Service) getFirmEntry(r *http.Request, _ httpserver.None) (directory.Firm, error) {
	f, err := s.Firm(r.Context(), r.PathValue("firm"))
	if errors.Is(err, store.ErrNotFound) {
		return directory.Firm{}, nil
	}
	return directory.Firm{ID: f.ID, Name: f.Name, Suspended: f.Suspended}, err
}

func (s *Service) getClientEntry(r *http.Request, _ httpserver.None) (directory.Client, error) {
	c, err := s.Active(r.Context(), r.PathValue("client"))
	if errors.Is(err, ErrInactive) {
		return directory.Client{}, nil
	}
	return directory.Client{
		ID: c.ID, FirmID: c.FirmID, Mode: c.Mode, Scopes: c.Scopes,
		ReturnURLs: c.ReturnURLs, Origins: c.Origins, Active: err == nil,
	}, err
}

func (s *Service) getRoleEntry(r *http.Request, _ httpserver.None) (directory.Membership, error) {
	role, err := s.Role(r.Context(), r.PathValue("firm"), r.PathValue("subject"))
	return directory.Membership{Role: string(role)}, err
}

func (s *Service) getOperatorEntry(r *http.Request, _ httpserver.None) (directory.Operator, error) {
	is, err := s.operators.Is(r.Context(), r.PathValue("subject"))
	return directory.Operator{Operator: is}, err
}

// postOperatorAct records what an operator does where there is no record.
func (s *Service) postOperatorAct(r *http.Request, _ httpserver.None) (directory.Operator, error) {
	is, err := s.operators.Is(r.Context(), r.PathValue("subject"))
	if err != nil || !is {
		return directory.Operator{}, err
	}
	q := r.URL.Query()
	e := audit.Entry{Act: q.Get("act"), Actor: r.PathValue("subject"), Object: q.Get("object"), From: q.Get("from"), Request: httpserver.RequestID(r.Context())}
	return directory.Operator{Operator: true}, s.cfg.Audit.Note(r.Context(), e, q.Get("result"))
}

// Role is that of an account in a firm, "" for none, and in a firm that is
// unknown or suspended. Whoever is invited joins here too.
func (s *Service) Role(ctx context.Context, firm, subject string) (Role, error) {
	f, role, err := s.belong(ctx, Caller{ID: subject, Request: httpserver.RequestID(ctx)}, firm)
	if errors.Is(err, store.ErrNotFound) || f.Suspended {
		return "", nil
	}
	return role, err
}
