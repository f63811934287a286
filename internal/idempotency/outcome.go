package idempotency

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/problem"
)

func mismatch() *problem.Error {
	return problem.New(problem.Unprocessable, "IDEMPOTENCY_MISMATCH", "This key was used with another request",
		"Use a new Idempotency-Key for every new request.")
}

func inProgress() *problem.Error {
	return problem.New(problem.Conflict, "IDEMPOTENCY_IN_PROGRESS", "A request with this key is still running",
		"Wait a moment and send the same request again.")
}

// outcome is what is kept of an act: the body of its answer or its refusal.
type outcome struct {
	Body    []byte   `bson:"body,omitempty"`
	Refusal *refusal `bson:"refusal,omitempty"`
}

// refusal is a problem.Error without its cause.
type refusal struct {
	Kind    int       `bson:"kind"`
	Code    string    `bson:"code"`
	Message string    `bson:"message"`
	Details string    `bson:"details"`
	At      time.Time `bson:"at"`
}

// outcomeOf reports whether an act's result is kept (decision D5). What depends
// on who asks, on the moment or on the shape of the request is not.
func outcomeOf(body []byte, err error, now time.Time) (outcome, bool) {
	if err == nil {
		return outcome{Body: body}, true
	}
	e := problem.From(err)
	switch e.Kind {
	case problem.Conflict, problem.NotFound, problem.Unprocessable:
		return outcome{Refusal: &refusal{int(e.Kind), e.Code, e.Message, e.Details, now}}, true
	}
	return outcome{}, false
}

// unknown reports whether an act that failed with err may have happened.
func unknown(err error) bool {
	switch problem.From(err).Kind {
	case problem.Internal, problem.Unavailable, problem.Timeout:
		return true
	}
	return false
}

// result is the outcome as the act gave it.
func (o outcome) result() ([]byte, error) {
	if o.Refusal == nil {
		return o.Body, nil
	}
	e := problem.New(problem.Kind(o.Refusal.Kind), o.Refusal.Code, o.Refusal.Message, o.Refusal.Details)
	e.At = o.Refusal.At
	return nil, e
}

func (k *Keys) seal(ctx context.Context, id string, o outcome) ([]byte, error) {
	plain, err := bson.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode kept answer: %w", err)
	}
	defer clear(plain)
	return k.sealer.Seal(ctx, purpose, id, plain)
}

func (k *Keys) open(ctx context.Context, id string, sealed []byte) (outcome, error) {
	var o outcome
	plain, err := k.sealer.Open(ctx, purpose, id, sealed)
	if err != nil {
		return o, fmt.Errorf("open kept answer: %w", err)
	}
	defer plain.Wipe()
	if err := bson.Unmarshal(plain.Reveal(), &o); err != nil {
		return o, fmt.Errorf("decode kept answer: %w", err)
	}
	return o, nil
}
