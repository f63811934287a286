package registration

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"mime"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// The limits of decision A4, and how many lines are worked on at once: enough
// for their writes to share an fsync.
const (
	bulkLines    = 1000
	bulkBytes    = 4 << 20
	bulkParallel = 32
)

// line is a line of a bulk request.
type line struct {
	body `json:",inline"`
	// Key makes the line happen once; default the header's key and the number of
	// the line.
	Key string `json:"idempotency_key"`
}

// Result is the answer to a line: the registration, or the error of the
// contract's object.
type Result struct {
	Line      int    `json:"line"` // from 1
	Code      int    `json:"code"` // what POST /register would answer
	ID        string `json:"registration_id,omitzero"`
	Status    string `json:"status,omitzero"`
	Error     string `json:"error,omitzero"`
	ErrorCode string `json:"errorCode,omitzero"`
	Details   string `json:"details,omitzero"`
}

// handleBulk registers the cards of a body with one JSON object a line, several
// at once, and answers line for line, in order, as they are done.
func (s *Service) handleBulk(w http.ResponseWriter, r *http.Request) error {
	who, err := writerOf(r)
	if err != nil {
		return err
	}
	key, err := idempotency.ParseKey(r.Header.Values(idempotency.Header))
	if err != nil {
		return err
	}
	text, err := readLines(w, r)
	defer text.Wipe()
	if err != nil {
		return err
	}
	lines, err := split(text.Reveal())
	if err != nil {
		return err
	}
	stream(w, s.bulk(r.Context(), batch{who, key, lines}))
	return nil
}

// readLines reads a whole body of lines; the caller wipes it, also with an
// error.
func readLines(w http.ResponseWriter, r *http.Request) (secret.Bytes, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-ndjson" || r.Header.Get("Content-Encoding") != "" {
		return secret.Bytes{}, problem.WrongMediaType().With("Send the body as application/x-ndjson.")
	}
	text, err := httpserver.ReadBody(w, r, bulkBytes)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return text, tooManyLines()
	}
	if err != nil {
		return text, problem.Validation("Send the whole body without long pauses.").Because(err)
	}
	return text, nil
}

// split cuts a body into its lines, which stay parts of it.
func split(text []byte) ([][]byte, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, problem.Validation("Send one JSON object a line.")
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	if len(lines) > bulkLines {
		return nil, tooManyLines()
	}
	return lines, nil
}

func tooManyLines() error {
	return problem.BodyTooLarge().With("Send at most 1,000 lines of together 4 MiB.")
}

// stream writes results as they come.
func stream(w http.ResponseWriter, results iter.Seq[Result]) {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	flush := http.NewResponseController(w)
	for result := range results {
		b, err := json.Marshal(result)
		if err == nil {
			_, err = w.Write(append(b, '\n'))
		}
		if err != nil {
			return // the client has gone; nobody is left to tell
		}
		_ = flush.Flush()
	}
}

// batch is a bulk request.
type batch struct {
	who   caller
	key   string // of the header
	lines [][]byte
}

// bulk yields the results of a batch in the order of its lines; empty lines have
// none. Lines are begun in that order too, bulkParallel at a time. When the
// caller stops or goes away, what was begun is finished first: a line cut off
// between the claim of its key and its answer would keep the caller waiting for
// the claim's lease when he sends it again.
func (s *Service) bulk(ctx context.Context, b batch) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		results := make(chan chan Result, bulkParallel)
		go func() {
			defer close(results)
			for i, text := range b.lines {
				if text = bytes.TrimSpace(text); len(text) == 0 || ctx.Err() != nil {
					continue
				}
				one := make(chan Result, 1)
				results <- one
				go func() { one <- s.line(context.WithoutCancel(ctx), b, i+1, text) }()
			}
		}()
		going := true
		for one := range results {
			if result := <-one; going && !yield(result) {
				going = false
				cancel()
			}
		}
		cancel()
	}
}

// line registers the card of one line.
func (s *Service) line(ctx context.Context, b batch, n int, text []byte) Result {
	answer, err := s.registerLine(ctx, b, n, text)
	result := Result{Line: n, Code: http.StatusCreated}
	if err == nil {
		err = json.Unmarshal(answer, &result)
	}
	if err != nil {
		e := problem.From(err)
		if e.Err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelError, "line of a bulk request failed",
				slog.String("error.code", e.Code), slog.String("error.message", card.MaskRuns(e.Err.Error())))
		}
		return Result{Line: n, Code: httpserver.Status(e), Error: e.Message, ErrorCode: e.Code, Details: e.Details}
	}
	return result
}

func (s *Service) registerLine(ctx context.Context, b batch, n int, text []byte) ([]byte, error) {
	var in line
	defer in.wipe()
	var err error
	secret.Do(func() { err = json.Unmarshal(text, &in, json.RejectUnknownMembers(true)) })
	if err != nil || text[0] != '{' {
		// The cause would quote the caller's data, so it is dropped.
		return nil, problem.Validation("Send one JSON object a line, with only the members the API description names, each once and of its type.")
	}
	key, err := b.keyOf(in.Key, n)
	if err != nil {
		return nil, err
	}
	d, err := s.read(&in.body, b.who.mode)
	defer d.wipe()
	if err != nil {
		return nil, err
	}
	return s.register(ctx, request{who: b.who, d: d, route: bulkRoute, key: key})
}

// keyOf is the idempotency key of a line. The two kinds cannot be confused.
func (b batch) keyOf(own string, n int) (string, error) {
	switch {
	case own != "":
		own, err := idempotency.ParseKey([]string{own})
		return "line " + own, err
	case b.key != "":
		return strconv.Itoa(n) + " " + b.key, nil
	}
	return "", nil
}
