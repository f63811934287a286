package peer

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/identity"
)

const (
	answerLimit = 256 << 20              // of a peer's list, unpacked
	firstPause  = 100 * time.Millisecond // after a network error
	maxPause    = time.Second            // after more of them, a time-out, or 503
	lastCall    = time.Second            // for what waits when the registry ends
)

// answer is a peer's response, its body read and unpacked.
type answer struct {
	status int
	body   []byte
	proven bool // it carries a proof, and may speak of reserved names
}

// errRefused says that a peer answered and will not take the batch: sending it
// again would not help.
var errRefused = errors.New("peer: refused")

// run sends batches until ctx ends.
func (p *peer) run(ctx context.Context) {
	failures := 0
	for {
		pause := p.cfg.Gather
		if failures == 0 {
			select {
			case <-ctx.Done():
			case <-p.queue.ready:
			}
		} else {
			pause = min(firstPause<<min(failures-1, 8), maxPause)
		}
		if !rest(ctx, pause) {
			ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), lastCall)
			defer stop()
			_ = p.flush(ctx) // nobody waits for a peer that is away
			return
		}
		if err := p.flush(ctx); err != nil {
			failures++
		} else {
			failures = 0
		}
	}
}

// rest pauses and reports whether ctx goes on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// flush sends all that waits, batch after batch. What does not arrive waits
// on.
func (p *peer) flush(ctx context.Context) error {
	for !p.self.Load() {
		tasks := p.queue.take(p.cfg.Batch)
		items := p.items(tasks)
		if len(tasks) == 0 {
			return nil
		}
		if len(items) == 0 {
			continue
		}
		results, proven, err := p.send(ctx, items)
		switch {
		case errors.Is(err, errRefused):
			p.note(err, 0)
			continue
		case err != nil:
			p.queue.back(tasks)
			p.note(err, 0)
			return err
		}
		p.note(nil, len(items))
		p.heed(items, results, proven)
	}
	return nil
}

// items is what tasks come to at present.
func (p *peer) items(tasks []task) []Item {
	items := make([]Item, 0, len(tasks))
	for _, t := range tasks {
		base := Item{App: t.key.app, ID: t.key.id, Overridden: eureka.Unknown}
		in, there := p.cfg.Table.Stored(t.key.app, t.key.id)
		if !there {
			if t.cancel {
				base.Action = Cancel
				items = append(items, base)
			}
			continue
		}
		base.Dirty, base.Status = &in.LastDirty, string(in.Status)
		if t.register {
			item := base
			item.Action, item.Instance = Register, in
			items = append(items, item)
		}
		if t.status != "" {
			item := base
			item.Action, item.Status = t.status, string(t.value)
			items = append(items, item)
		}
		if t.beat && !t.register {
			item := base
			item.Action, item.Overridden = Heartbeat, in.Overridden
			items = append(items, item)
		}
	}
	return items
}

// send posts one batch and returns what the peer says of each item, and
// whether it proves who it is.
func (p *peer) send(ctx context.Context, items []Item) ([]Result, bool, error) {
	body, err := FormatBatch(items)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errRefused, err)
	}
	a, err := p.ask(ctx, http.MethodPost, "/peerreplication/batch/", body)
	switch {
	case err != nil:
		return nil, false, err
	case a.status == http.StatusServiceUnavailable, a.status == http.StatusTooManyRequests:
		return nil, false, fmt.Errorf("peer answered %d", a.status)
	case a.status/100 != 2:
		return nil, false, fmt.Errorf("%w (%d)", errRefused, a.status)
	}
	results, err := parseResults(a.body, len(items))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", errRefused, err)
	}
	return results, a.proven, nil
}

// heed acts on what a peer says of the items: it does not know an instance, or
// knows a newer one.
func (p *peer) heed(items []Item, results []Result, proven bool) {
	forbidden := 0
	for i, r := range results {
		item := items[i]
		switch {
		case r.Status == http.StatusNotFound && item.Action == Heartbeat:
			p.queue.tell(key{item.App, item.ID}, Register, "")
		case r.Status == http.StatusConflict && r.Instance != nil && item.Action == Heartbeat:
			p.adopt(item, r.Instance, proven)
		case r.Status == http.StatusForbidden:
			forbidden++
		}
	}
	if forbidden > 0 {
		p.cfg.Log.Debug("a peer registry wants a proof for reserved names", "server.address", hostOf(p.base))
	}
}

// adopt takes a peer's newer instance over. What is said of reserved names
// without proof is no reason to change ours (decision E3).
func (p *peer) adopt(item Item, in *eureka.Instance, proven bool) {
	if in.ResolveID() != item.ID || in.App != item.App {
		return
	}
	if !proven && (in.Claims(p.cfg.Reserved) || p.cfg.Table.Reserved(item.App, item.ID)) {
		return
	}
	in.ID = item.ID
	if err := p.cfg.Table.Adopt(in); err != nil {
		p.cfg.Log.Warn("a peer's newer instance was not taken over", "error.message", err.Error())
	}
}

// ask sends a request to the peer and reads its answer. An answer of our own
// shows that the peer is ourselves.
func (p *peer) ask(ctx context.Context, method, path string, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if err := p.dress(r, body); err != nil {
		return answer{}, err
	}
	resp, err := p.cfg.HTTP.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if p.cfg.Epoch != "" && resp.Header.Get(EpochHeader) == p.cfg.Epoch {
		p.self.Store(true)
	}
	sent, err := read(resp.Body)
	if err != nil {
		return answer{}, err
	}
	proof := resp.Header.Get(identity.ProofHeader)
	proven := proof != "" && p.cfg.Proven(Bound(AnswerMethod, sent), r.URL.EscapedPath(), proof)
	b, err := unpack(resp.Header.Get("Content-Encoding"), sent)
	return answer{resp.StatusCode, b, proven}, err
}

// dress gives a request what peers send, the URL's user, and our proof.
func (p *peer) dress(r *http.Request, body []byte) error {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", "Java-EurekaClient-Replication/v1")
	r.Header.Set("DiscoveryIdentity-Name", "DefaultServer")
	r.Header.Set("DiscoveryIdentity-Version", "1.0")
	if r.ContentLength > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.user != nil {
		password, _ := p.user.Password()
		r.SetBasicAuth(p.user.Username(), password)
	}
	if p.cfg.Sign == nil {
		return nil
	}
	method := r.Method
	if method != http.MethodGet {
		method = Bound(method, body)
	}
	proof, err := p.cfg.Sign(eureka.Audience, method, r.URL.EscapedPath())
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	r.Header.Set(identity.ProofHeader, proof)
	return nil
}

// read reads at most answerLimit bytes.
func read(in io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(in, answerLimit+1))
	if len(b) > answerLimit {
		return nil, errors.New("a peer's answer is too large")
	}
	return b, err
}

// unpack undoes the encoding of a body.
func unpack(encoding string, b []byte) ([]byte, error) {
	if !strings.EqualFold(encoding, "gzip") {
		return b, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return read(z)
}
