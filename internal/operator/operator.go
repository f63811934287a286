// Package operator owns what those who run this installation ask of a service from
// afar (decision B13): the state of its keys and new versions of them, whether its
// record is intact, when a backup was made, and who else is an operator. Every
// act is on record with who did it (decision D9).
//
// It does none of it itself: keys are package rotation's, the record package
// audit's, and who is an operator the login service says. What takes long goes on
// in the background, and is asked about again: how far it is lies in the store, so
// that every process tells the same, also of one that was killed.
package operator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"ccms/internal/audit"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/rotation"
	"ccms/internal/store"
)

// Keys are a service's; *rotation.Keeper is.
type Keys interface {
	Status(ctx context.Context) (rotation.Status, error)
	Rotate(ctx context.Context, by audit.Entry) ([]rotation.Rotated, error)
	RotateSigning(ctx context.Context, by audit.Entry) ([]rotation.Rotated, error)
	Rewrap(ctx context.Context, by audit.Entry) (rotation.Progress, error)
	Progress() rotation.Progress
}

// People are the operators themselves.
type People struct {
	List   func(ctx context.Context) (any, error) // encodes as a JSON array
	Give   func(ctx context.Context, by audit.Entry, address string) (identity.Principal, error)
	Remove func(ctx context.Context, by audit.Entry, id string) error
}

// Backup is one that was made. Its zero value says that none is known.
type Backup struct {
	At        time.Time `json:"at"`
	By        string    `json:"by"`        // the user of the machine who made it
	Size      int64     `json:"size"`      // of the file, in bytes
	Documents int64     `json:"documents"` // in the copy of the store
}

// Config is what New needs. All but the last four fields are required.
type Config struct {
	// Prefix is where the routes stand: /api/operator, or /v1/operator on the
	// card service, so that the portal knows whose they are.
	Prefix string
	// Operator finds out which operator sent a request; see Only.
	Operator httpserver.Authenticate
	Service  string // whose keys and record these are
	Keys     Keys
	Audit    *audit.Log
	// Record is where that log lies, to verify it; what is noted of tasks lies in
	// the same store.
	Record func(context.Context) (audit.Config, error)
	// LastBackup tells of the last backup. Default nil: none is known.
	LastBackup func(context.Context) (Backup, error)
	// People are looked after by one service; nil in the others.
	People *People
	Log    *slog.Logger     // default slog.Default()
	Now    func() time.Time // default time.Now
}

// Service answers operators. Run it: it waits for what goes on in the background.
type Service struct {
	cfg  Config
	work background

	moves sync.Mutex
	told  rotation.Progress // the last that was noted of this process
}

// New returns the routes of cfg.
func New(cfg Config) *Service {
	if cfg.LastBackup == nil {
		cfg.LastBackup = func(context.Context) (Backup, error) { return Backup{}, nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, work: newBackground(cfg)}
}

// Run tells the other processes what goes on in this one until ctx ends, ends it
// and waits for it.
func (s *Service) Run(ctx context.Context) error {
	s.tellMoves(ctx)
	s.work.close()
	return nil
}

// task is the id of a note.
func (s *Service) task(name string) string { return s.cfg.Service + "/" + name }

// Only lets operators alone through auth, as is says they are at this moment:
// 403 FORBIDDEN for everybody else.
func Only(auth httpserver.Authenticate, is func(ctx context.Context, subject string) (bool, error)) httpserver.Authenticate {
	return func(r *http.Request) (identity.Principal, error) {
		who, err := auth(r)
		switch {
		case err != nil:
			return who, err
		case who.ClientID != "" || who.FirmID != "" || who.Subject == "":
			return who, problem.NeedsScope(identity.ScopeAccount).With("This path is for people who are logged in, not for clients.")
		case !who.Validated:
			return who, problem.Unverified()
		}
		operator, err := is(r.Context(), who.Subject)
		if err == nil && !operator {
			err = problem.Denied("This is for operators.")
		}
		return who, err
	}
}

// Routes registers everything below Prefix.
func (s *Service) Routes(mux *httpserver.Mux) {
	handle := func(method, path string, h httpserver.Handler) {
		mux.Handle(method+" "+s.cfg.Prefix+path, httpserver.As(s.cfg.Operator, h))
	}
	handle("GET", "/keys", httpserver.JSON(s.getKeys))
	handle("POST", "/keys/rotate", httpserver.JSON(s.postRotate))
	handle("POST", "/keys/rewrap", httpserver.JSON(s.postRewrap))
	handle("GET", "/audit", httpserver.JSON(s.getAudit))
	handle("GET", "/audit/head", httpserver.JSON(s.getHead))
	handle("POST", "/audit/verify", httpserver.JSON(s.postVerify))
	handle("GET", "/backup", httpserver.JSON(s.getBackup))
	if s.cfg.People == nil {
		return
	}
	handle("GET", "/people", httpserver.JSON(s.getPeople))
	handle("POST", "/people", httpserver.JSON(s.postPerson))
	handle("DELETE", "/people/{person}", httpserver.JSON(s.deletePerson))
}

// by is who sent r, for the record.
func by(r *http.Request) audit.Entry {
	return audit.Entry{
		Actor:   identity.FromContext(r.Context()).Subject,
		From:    httpserver.Client(r).String(),
		Request: httpserver.RequestID(r.Context()),
	}
}

// backupView is the last backup; null when none is known.
type backupView struct {
	Last *Backup `json:"last"`
}

func (s *Service) getBackup(r *http.Request, _ httpserver.None) (backupView, error) {
	b, err := s.cfg.LastBackup(r.Context())
	if err != nil || b.At.IsZero() {
		return backupView{}, err
	}
	return backupView{&b}, nil
}

// peopleView is the list of operators.
type peopleView struct {
	Data any `json:"data"`
}

func (s *Service) getPeople(r *http.Request, _ httpserver.None) (peopleView, error) {
	all, err := s.cfg.People.List(r.Context())
	return peopleView{all}, err
}

// newPerson is who becomes an operator.
type newPerson struct {
	Email string `json:"email"`
}

func (s *Service) postPerson(r *http.Request, in newPerson) (httpserver.Message, error) {
	who, err := s.cfg.People.Give(r.Context(), by(r), in.Email)
	if errors.Is(err, store.ErrNotFound) {
		err = problem.Validation("There is no account with this address: the person signs up first.")
	}
	return httpserver.Message{Message: who.Username + " is an operator now."}, err
}

func (s *Service) deletePerson(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	err := s.cfg.People.Remove(r.Context(), by(r), r.PathValue("person"))
	return httpserver.Message{Message: "The person is an operator no more."}, err
}
