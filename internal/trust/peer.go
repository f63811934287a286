package trust

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/patience"
	"ccms/internal/problem"
)

// The bounds of a call between our services.
const (
	callTimeout = patience.Times * 5 * time.Second
	callAnswer  = 4 << 20
)

// Peer is another of our services.
type Peer struct {
	Name   string
	Client *http.Client // which finds it by name, with proof
}

// Call asks for a path and decodes the answer into out, if any. Its error is the
// contract's 503 when the service cannot be reached or does not answer 200.
func (p Peer) Call(ctx context.Context, method, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Name+path, nil)
	if err != nil {
		return fmt.Errorf("make call: %w", err)
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, callAnswer))
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	if res.StatusCode != http.StatusOK {
		return problem.ServiceUnavailable(time.Second).Because(fmt.Errorf("%s %s answered %d", method, p.Name, res.StatusCode))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer of %s: %w", p.Name, err)
	}
	return nil
}
