package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// tokens keeps the access token. Whoever holds the turn may look at it and
// fetch another; the others wait for the turn or for their context, so that one
// caller's end never fails another's renewal.
type tokens struct {
	turn  chan struct{} // of one: full while somebody has it
	proof proof
	scope string
	now   func() time.Time

	access string
	until  time.Time // when another is fetched
}

// token returns a good token. refused is one that the service did not take, ""
// when there is none: it is not returned again.
func (c *Client) token(ctx context.Context, refused string) (string, error) {
	t := c.tokens
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.access != "" && t.access != refused && t.now().Before(t.until) {
		return t.access, nil
	}
	asked := t.now()
	q := request{method: http.MethodPost, path: "/oauth2/token", media: "application/x-www-form-urlencoded", repeat: true, open: true}
	// A fresh form for each try: an assertion is good for one use.
	q.make = func() ([]byte, error) { return t.proof.form(t.scope) }
	answer, err := c.do(ctx, q)
	defer clear(answer)
	if err != nil {
		return "", err
	}
	var got struct {
		Access  string `json:"access_token"`
		Expires int64  `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(answer, &got); err != nil || got.Access == "" {
		return "", malformed(q.method, q.path)
	}
	life := time.Duration(got.Expires) * time.Second
	t.access, t.until = got.Access, asked.Add(life-min(life/5, 30*time.Second))
	return t.access, nil
}
