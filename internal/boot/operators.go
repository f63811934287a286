package boot

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"ccms/internal/audit"
	"ccms/internal/backup"
	"ccms/internal/boot/chassis"
	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/firm/directory"
	"ccms/internal/firm/operators"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/operator"
	"ccms/internal/problem"
	"ccms/internal/rotation"
)

// operatorDesk is what operators may look after in a service with keys and a record.
type operatorDesk struct {
	prefix   string // of the routes
	books    string // the collection of the record
	keys     rotation.Config
	operator httpserver.Authenticate
	people   *operator.People
}

// lookAfter keeps the keys of a service, and lets operators see and use them.
func (p *process) lookAfter(s *chassis.Service, d operatorDesk) {
	desk := operator.New(operator.Config{
		Prefix:   d.prefix,
		Operator: d.operator,
		Service:  s.Name,
		Keys:     p.keep(s, d.keys),
		Audit:    d.keys.Audit,
		Record: func(ctx context.Context) (audit.Config, error) {
			return p.AuditConfig(ctx, d.keys.Ring, d.books)
		},
		LastBackup: p.lastBackup,
		People:     d.people,
		Log:        p.Log.Of(s.Name),
	})
	desk.Routes(s.Mux)
	s.Work = append(s.Work, desk.Run)
}

// lastBackup is the last that ccms backup made of the store.
func (p *process) lastBackup(ctx context.Context) (operator.Backup, error) {
	last, made, err := backup.LastBackup(ctx, p.DB)
	if err != nil || !made {
		return operator.Backup{}, err
	}
	return operator.Backup{At: last.At, By: last.By, Size: last.Bytes, Documents: last.Documents}, nil
}

// peopleOf are the operators, as they look after one another.
func peopleOf(o *operators.Operators) *operator.People {
	return &operator.People{
		List: func(ctx context.Context) (any, error) { return o.List(ctx) },
		Give: func(ctx context.Context, by audit.Entry, address string) (identity.Principal, error) {
			return o.Set(ctx, by, address, true)
		},
		Remove: o.Remove,
	}
}

// recordOf puts what operators do on the registry, which has no store, on the
// login service's record.
func recordOf(d *directory.Directory) func(*http.Request, registry.Act) error {
	return func(r *http.Request, a registry.Act) error {
		err := d.Record(r.Context(), directory.Act{
			Operator: identity.FromContext(r.Context()).Subject, From: httpserver.Client(r).String(),
			Name: a.Name, Object: a.Object, Result: a.Result,
		})
		if errors.Is(err, directory.ErrUnknown) {
			return problem.Denied("This is for operators.")
		}
		return err
	}
}

// toRegistry asks the registries for operators, the first that answers.
type toRegistry struct {
	p    *process
	urls []string // of the settings, with the path of the protocol
}

// RoundTrip implements http.RoundTripper. Each call carries the proof that opens
// our own services' names (decision E3).
func (t toRegistry) RoundTrip(r *http.Request) (res *http.Response, err error) {
	err = errors.New("no registry is known")
	for _, raw := range t.urls {
		var base *url.URL
		if base, err = url.Parse(raw); err != nil {
			return nil, errors.New("a registry's URL cannot be read") // it may hold a password
		}
		var proof string
		if proof, err = t.p.Prover.Sign(eureka.Audience, identity.PurposeRegistry, r.Method, r.URL.EscapedPath()); err != nil {
			return nil, err
		}
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host, out.Host = base.Scheme, base.Host, ""
		out.Header.Set(identity.ProofHeader, proof)
		httpserver.Propagate(r.Context(), out.Header)
		if r.GetBody != nil {
			if out.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		if res, err = t.p.Trust.Transport(eureka.Audience).RoundTrip(out); err == nil {
			return res, nil
		}
	}
	return nil, err
}
