package verification

import "ccms/internal/secret"

// Remembered counts the clients and the pairs of client and BIN in memory.
func (p *Pipeline) Remembered() (clients, pairs int) {
	return len(p.pace.clients.now) + len(p.pace.clients.old), len(p.walk.tried.now) + len(p.walk.tried.old)
}

// Held counts the codes in memory.
func (p *Pipeline) Held() int { return p.codes.held() }

// Firms counts those whose endpoints are remembered.
func (p *Pipeline) Firms() int {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return len(p.gate.firms)
}

// Code opens a code that is held.
func (p *Pipeline) Code(id string) ([]byte, bool) {
	code, ok := p.codes.open(id, p.now())
	return code.Reveal(), ok
}

// Sealed is what memory holds of a code: its key and its sealed form.
func (p *Pipeline) Sealed(id string) []byte { return p.codes.byID[id].Value.(*heldCode).key }

// ReadReply reads an endpoint's answer.
func ReadReply(body []byte) (decision, reason, code string, ok bool) {
	r, ok := readReply(body)
	return r.Decision, r.Reason, r.CVVStatus, ok
}

// Encrypt makes the JWE of a code.
func Encrypt(code secret.Bytes, jwk []byte) (string, error) { return encrypt(code, jwk) }
