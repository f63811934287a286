package boot

import (
	"context"
	"net/http"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/figures"
	"ccms/internal/identity"
)

// addEureka builds the registry. What the services write under their reserved
// names needs a proof of purpose registry (decision E3).
func (p *process) addEureka(ctx context.Context) (*service, error) {
	s, err := p.listen(ctx, eureka.Audience, p.settings.Eureka.Addr)
	if err != nil {
		return nil, err
	}
	prove := p.prove(eureka.Audience)
	r := registry.New(registry.Config{
		Log:       p.log.Of(eureka.Audience),
		Snapshot:  p.dir.File("registry.json"),
		Authorize: func(r *http.Request) bool { return prove(r) == identity.PurposeRegistry },
	})
	r.Routes(s.mux)
	s.actuator.Registry().MustRegister(figures.Registry(r))
	s.work = append(s.work, r.Run)
	return s, nil
}
