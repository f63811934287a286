package registry

import "ccms/internal/eureka/registry/lease"

// Leases is the state, for tests that look behind the protocol.
func (g *Registry) Leases() *lease.Table { return g.leases }
