package client

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"slices"
	"time"
)

// The limits of one bulk request, and the longest line of an answer.
const (
	bulkPath    = "/v1/registrations/bulk"
	bulkLines   = 1000
	bulkBytes   = 4 << 20
	maxBulkLine = 64 << 10
)

// BulkResult is what became of one card: a registration, or Err.
type BulkResult struct {
	Index int // of the card in what was given, from 0
	Registered
	// Settled says that the service answered for this card and would answer the
	// same again. Otherwise Err says why nothing is known of it.
	Settled bool
	// Err is nil, an *Error that says why the service refused this card, or what
	// kept it from an answer.
	Err error
}

// Bulk registers many cards, up to 1,000 in a request, and yields one result for
// each, in their order, as they are known. Each card has an idempotency key of
// its own, given or made, so those without an answer are sent again after a
// broken connection, as a single one would be. When nothing is settled for
// Config.RetryFor, or ctx ends, the rest have that as their Err and may or may
// not be registered; with keys of your own you can send them again.
func (c *Client) Bulk(ctx context.Context, cards []CardData) iter.Seq[BulkResult] {
	return func(yield func(BulkResult) bool) {
		for from := 0; from < len(cards); {
			b := c.newBatch(cards, from)
			from += len(b.lines)
			if !b.run(ctx, yield) {
				return
			}
			if b.broken == nil {
				continue
			}
			for i := from; i < len(cards); i++ { // not a minute of patience for each batch
				if !yield(BulkResult{Index: i, Err: b.broken}) {
					return
				}
			}
			return
		}
	}
}

// batch is a bulk request until each of its lines is settled.
type batch struct {
	c       *Client
	cards   []CardData
	first   int // index of the first line
	lines   []batchLine
	yielded int
	broken  error // why it was given up
}

type batchLine struct {
	key    string
	result BulkResult // the latest, if any
}

// newBatch takes as many cards as a request holds, one at least.
func (c *Client) newBatch(cards []CardData, from int) *batch {
	b := &batch{c: c, cards: cards, first: from}
	for size := 0; from < len(cards) && len(b.lines) < bulkLines; from++ {
		if size += cards[from].size(); size > bulkBytes && len(b.lines) > 0 {
			break
		}
		key := cards[from].IdempotencyKey
		if key == "" {
			key = rand.Text()
		}
		b.lines = append(b.lines, batchLine{key: key, result: BulkResult{Index: from}})
	}
	return b
}

// run sends the batch until it is settled or given up, yields its results, and
// reports whether the caller wants more.
func (b *batch) run(ctx context.Context, yield func(BulkResult) bool) bool {
	pause := b.c.pause(ctx)
	for {
		before := b.left()
		err, stopped := b.send(ctx, yield)
		switch left := b.left(); {
		case stopped:
			return false
		case left == 0:
			return true
		case left < before:
			pause.progress()
		}
		why := b.reason(err)
		if !repeatable(why) || !pause.wait(why) {
			return b.giveUp(why, yield)
		}
	}
}

// left is how many lines have no answer that stands.
func (b *batch) left() int {
	n := 0
	for i := range b.lines {
		if !b.lines[i].result.Settled {
			n++
		}
	}
	return n
}

// reason is why lines are left: err, or what one of them was told.
func (b *batch) reason(err error) error {
	for i := range b.lines {
		if l := &b.lines[i]; err == nil && !l.result.Settled {
			err = l.result.Err
		}
	}
	return cmp.Or(err, brokenOff(bulkPath, io.ErrUnexpectedEOF))
}

// giveUp yields the rest as it is.
func (b *batch) giveUp(why error, yield func(BulkResult) bool) bool {
	b.broken = why
	for ; b.yielded < len(b.lines); b.yielded++ {
		l := &b.lines[b.yielded]
		if !l.result.Settled && l.result.Err == nil {
			l.result.Err = why
		}
		if !yield(l.result) {
			return false
		}
	}
	return true
}

// send sends the lines without an answer and reads what comes.
func (b *batch) send(ctx context.Context, yield func(BulkResult) bool) (err error, stopped bool) {
	var sent []int // the lines of this request
	for i := range b.lines {
		if !b.lines[i].result.Settled {
			sent = append(sent, i)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(b.c.timeout, func() { cancel(context.DeadlineExceeded) })
	defer stall.Stop()
	res, err := b.c.send(ctx, request{
		method: http.MethodPost, path: bulkPath, media: "application/x-ndjson",
		make: func() ([]byte, error) { return b.body(sent) },
	})
	if err != nil {
		return stalled(ctx, err), false
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxBulkLine)
	for lines.Scan() {
		stall.Stop() // the caller may take his time
		if !b.take(sent, lines.Bytes()) {
			return malformed(http.MethodPost, bulkPath), false
		}
		if !b.yieldSettled(yield) {
			return nil, true
		}
		stall.Reset(b.c.timeout)
	}
	return stalled(ctx, brokenOff(bulkPath, lines.Err())), false
}

// stalled says a time-out where the request was ended for one.
func stalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// body is the request's; lines are kept in the order of sent.
func (b *batch) body(sent []int) ([]byte, error) {
	size := 0
	for _, i := range sent {
		size += b.cards[b.first+i].size() + len(b.lines[i].key)
	}
	text := make([]byte, 0, size)
	for _, i := range sent {
		var err error
		if text, err = b.cards[b.first+i].appendJSON(text, b.lines[i].key); err != nil {
			clear(text)
			return nil, err
		}
		text = append(text, '\n')
	}
	return text, nil
}

// take keeps the answer to a line and reports whether it is one.
func (b *batch) take(sent []int, text []byte) bool {
	var in struct {
		Line int `json:"line"` // of the request, from 1
		Code int `json:"code"` // what POST /register would answer
		Registered
		Message   string `json:"error"`
		ErrorCode string `json:"errorCode"`
		Details   string `json:"details"`
	}
	if json.Unmarshal(text, &in) != nil || in.Line < 1 || in.Line > len(sent) {
		return false
	}
	l := &b.lines[sent[in.Line-1]]
	l.result.Settled, l.result.Registered, l.result.Err = true, in.Registered, nil
	if in.ErrorCode != "" {
		e := &Error{Message: in.Message, Code: in.ErrorCode, Details: in.Details, Status: in.Code, Timestamp: b.c.now(), Path: bulkPath}
		l.result.Err = e
		// 429 is about this card alone: too many codes were tried for it.
		l.result.Settled = !e.Temporary() || e.Status == http.StatusTooManyRequests
	}
	return true
}

// yieldSettled yields what is settled, up to the first line that is not.
func (b *batch) yieldSettled(yield func(BulkResult) bool) bool {
	rest := b.lines[b.yielded:]
	end := slices.IndexFunc(rest, func(l batchLine) bool { return !l.result.Settled })
	if end < 0 {
		end = len(rest)
	}
	for _, l := range rest[:end] {
		b.yielded++
		if !yield(l.result) {
			return false
		}
	}
	return true
}
