package verification

// Remembered counts the clients and the pairs of client and BIN in memory.
func (p *Pipeline) Remembered() (clients, pairs int) {
	return len(p.pace.clients.now) + len(p.pace.clients.old), len(p.walk.tried.now) + len(p.walk.tried.old)
}
