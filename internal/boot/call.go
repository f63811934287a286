package boot

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/problem"
)

// The bounds of a call between our services.
const (
	callTimeout = 5 * time.Second
	callAnswer  = 4 << 20
)

// peer is another of our services.
type peer struct {
	name   string
	client *http.Client
}

// call asks for a path and decodes the answer into out, if any.
func (p peer) call(ctx context.Context, method, path string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.name+path, nil)
	if err != nil {
		return fmt.Errorf("make call: %w", err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, callAnswer))
	if err != nil {
		return problem.ServiceUnavailable(time.Second).Because(err)
	}
	if res.StatusCode != http.StatusOK {
		return problem.ServiceUnavailable(time.Second).Because(fmt.Errorf("%s %s answered %d", method, p.name, res.StatusCode))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer of %s: %w", p.name, err)
	}
	return nil
}
