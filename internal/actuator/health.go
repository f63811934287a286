package actuator

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/patience"
	"ccms/internal/problem"
)

const (
	checkLimit = patience.Times * time.Second // a check that takes longer counts as DOWN
	remembered = time.Second                  // so that a flood of probes does not reach the store
)

// Spring's statuses. The worst of the components, in this order, is the
// status of the whole.
const (
	statusDown         = "DOWN"
	statusOutOfService = "OUT_OF_SERVICE"
	statusUp           = "UP"
)

// group says which components a health answer is about.
type group func(c *component) bool

func everything(*component) bool  { return true }
func liveness(c *component) bool  { return c.liveness }
func readiness(c *component) bool { return c.readiness }
func single(name string) group    { return func(c *component) bool { return c.name == name } }
func groups() []string            { return []string{"liveness", "readiness"} }

// errRefusing is the state of a service that takes no traffic for now.
var errRefusing = errors.New("the service takes no traffic")

// errSlow stands for a check that did not answer in time.
var errSlow = errors.New("no answer within 1 s")

// addStates adds the components that Spring has without being asked.
func (a *Actuator) addStates() {
	fine := func(context.Context) error { return nil }
	a.components = []*component{
		{name: "ping", check: fine},
		{name: "livenessState", check: fine, liveness: true},
		{name: "readinessState", readiness: true, live: true, check: func(context.Context) error {
			if a.refusing.Load() {
				return errRefusing
			}
			return nil
		}},
	}
}

// AddHealth adds a component, before the first request. A component of
// readiness takes the service out of traffic while check fails; none affects
// liveness, since a restart does not mend a store. check should end with its
// context; it has one second, and its result is remembered for one.
func (a *Actuator) AddHealth(name string, readiness bool, check func(ctx context.Context) error) {
	a.components = append(a.components, &component{name: name, readiness: readiness, check: check})
}

// SetReady says whether the service takes traffic, as far as it knows itself;
// it does from the beginning.
func (a *Actuator) SetReady(ready bool) { a.refusing.Store(!ready) }

// healthBody is Spring's health answer.
type healthBody struct {
	Status     string                     `json:"status"`
	Components map[string]componentHealth `json:"components,omitzero"`
	Groups     []string                   `json:"groups,omitzero"`
}

type componentHealth struct {
	Status  string            `json:"status"`
	Details map[string]string `json:"details,omitzero"`
}

// health answers for a group: 200 when it is UP, else 503, with Spring's body
// both times (decision A1).
func (a *Actuator) health(in group) httpserver.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		body := a.ask(r.Context(), in)
		status := httpStatus(body.Status)
		if in.all(a.components) {
			body.Groups = groups()
		}
		if a.permit(r) != nil {
			body.Components = nil
		}
		return write(w, r, status, body)
	}
}

// all reports whether the group holds every component.
func (g group) all(components []*component) bool {
	return !slices.ContainsFunc(components, func(c *component) bool { return !g(c) })
}

// component answers for one component.
func (a *Actuator) component(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("component")
	one, ok := a.ask(r.Context(), single(name)).Components[name]
	if !ok {
		return problem.NoResource()
	}
	return write(w, r, httpStatus(one.Status), one)
}

func httpStatus(status string) int {
	if status == statusUp {
		return http.StatusOK
	}
	return http.StatusServiceUnavailable
}

// ask runs the checks of a group at the same time.
func (a *Actuator) ask(ctx context.Context, in group) healthBody {
	body := healthBody{Status: statusUp, Components: map[string]componentHealth{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range a.components {
		if !in(c) {
			continue
		}
		wg.Go(func() {
			h := describe(a.result(ctx, c))
			mu.Lock()
			defer mu.Unlock()
			body.Components[c.name] = h
			body.Status = worse(body.Status, h.Status)
		})
	}
	wg.Wait()
	return body
}

func worse(a, b string) string {
	order := []string{statusDown, statusOutOfService, statusUp}
	return order[min(slices.Index(order, a), slices.Index(order, b))]
}

// describe turns the result of a check into what may be shown. The text of an
// unknown error stays in the log: a driver's may quote its connection string.
func describe(err error) componentHealth {
	switch p, known := errors.AsType[*problem.Error](err); {
	case err == nil:
		return componentHealth{Status: statusUp}
	case errors.Is(err, errRefusing):
		return componentHealth{Status: statusOutOfService}
	case errors.Is(err, errSlow), errors.Is(err, context.DeadlineExceeded):
		return componentHealth{statusDown, map[string]string{"error": errSlow.Error()}}
	case known:
		return componentHealth{statusDown, map[string]string{"error": p.Message}}
	}
	return componentHealth{statusDown, map[string]string{"error": "the check failed, the log says why"}}
}

// component is one part whose health is asked.
type component struct {
	name                string
	liveness, readiness bool
	live                bool // never remembered
	check               func(ctx context.Context) error

	mu      sync.Mutex
	at      time.Time // of the last result
	err     error
	running chan struct{} // closed when the running check is over; nil when none runs
}

// result is what the last check said, or a new one if that is too old. Callers
// that come while a check runs wait for it; nobody waits longer than
// checkLimit, whatever the check does.
func (a *Actuator) result(ctx context.Context, c *component) error {
	c.mu.Lock()
	running, err := c.running, c.err
	if running == nil {
		if !c.live && !c.at.IsZero() && a.cfg.Now().Sub(c.at) < remembered {
			c.mu.Unlock()
			return err
		}
		running = make(chan struct{})
		c.running = running
		a.checks.Go(func() { a.run(context.WithoutCancel(ctx), c) })
	}
	c.mu.Unlock()
	limit := time.NewTimer(checkLimit)
	defer limit.Stop()
	select {
	case <-running:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.err
	case <-limit.C:
		return errSlow
	}
}

// run makes one check. The caller's going away does not end it, since others
// may wait for it too.
func (a *Actuator) run(ctx context.Context, c *component) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	err := c.check(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if changed := (err == nil) != (c.err == nil); changed {
		a.tell(c.name, err)
	}
	c.at, c.err = a.cfg.Now(), err
	close(c.running)
	c.running = nil
}

// tell logs a change, once; the answers do not name the cause.
func (a *Actuator) tell(name string, err error) {
	attrs := []any{slog.String("ccms.health.component", name), slog.String("ccms.health.status", describe(err).Status)}
	if err == nil {
		a.cfg.Log.Info("health changed", attrs...)
		return
	}
	a.cfg.Log.Warn("health changed", append(attrs, slog.String("error.message", card.MaskRuns(err.Error())))...)
}
