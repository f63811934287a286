package upstream

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ccms/internal/problem"
)

// Unreachable names why a service did not answer a request made with ctx.
func Unreachable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return problem.TimedOut(err)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.BodyTooLarge().Because(tooLarge)
	}
	return problem.ServiceUnavailable(time.Second).Because(err)
}
