package cardimport

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"

	"ccms/client"
)

// The formats of files.
const (
	csv    = "csv"
	ndjson = "ndjson"
)

// format is the given one, or what the file's name says; "" when neither does.
func (cfg Config) format() string {
	if cfg.Format != "" {
		return cfg.Format
	}
	switch strings.ToLower(filepath.Ext(cfg.File)) {
	case ".csv", ".tsv", ".txt":
		return csv
	case ".ndjson", ".jsonl":
		return ndjson
	}
	return ""
}

// maxLine is more than the service takes for a card.
const maxLine = 64 << 10

// errTooLong says that a line was passed over.
var errTooLong = errors.New("line too long")

// lines reads a file line by line into one buffer, which is wiped. bufio keeps
// copies that nobody can wipe.
type lines struct {
	r        io.Reader
	buf      []byte
	from, to int // what is read and not yet given
	ended    error
	number   int // of the line given last, from 1
}

func newLines(r io.Reader) *lines { return &lines{r: r, buf: make([]byte, maxLine)} }

func (l *lines) close() { clear(l.buf) }

// next returns the next line that is not blank, without its end and the byte
// order mark; it is good until the next call. The error is io.EOF at the end and
// errTooLong for a line that did not fit and was passed over.
func (l *lines) next() ([]byte, error) {
	for {
		text, err := l.one()
		if l.number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if text = bytes.TrimSpace(text); err != nil || len(text) > 0 {
			return text, err
		}
	}
}

// one returns the next line, blank or not.
func (l *lines) one() ([]byte, error) {
	tooLong := false
	for {
		if end := bytes.IndexByte(l.buf[l.from:l.to], '\n'); end >= 0 {
			return l.take(end, 1, tooLong)
		}
		switch {
		case l.ended != nil && l.from == l.to && !tooLong:
			return nil, l.ended
		case errors.Is(l.ended, io.EOF):
			return l.take(l.to-l.from, 0, tooLong)
		case l.ended != nil:
			return nil, l.ended
		}
		if l.from == 0 && l.to == len(l.buf) {
			tooLong, l.to = true, 0
		}
		l.fill()
	}
}

// take gives a line of so many bytes and passes over its end.
func (l *lines) take(length, end int, tooLong bool) ([]byte, error) {
	text := l.buf[l.from : l.from+length]
	l.from += length + end
	l.number++
	if tooLong {
		return nil, errTooLong
	}
	return text, nil
}

func (l *lines) fill() {
	l.to = copy(l.buf, l.buf[l.from:l.to])
	l.from = 0
	n, err := l.r.Read(l.buf[l.to:])
	l.to += n
	l.ended = err
}

// reader turns the lines of a file into cards.
type reader struct {
	lines *lines
	parse func(line []byte) (client.CardData, *fault)
}

// entry is a line as it was read: a card, or what is wrong with it.
type entry struct {
	line  int
	card  client.CardData
	fault *fault
}

// fault is why a line is refused before it is sent. It quotes nothing.
type fault struct{ sentence, details string }

// newReader begins a file; that of a CSV reads its header.
func newReader(r io.Reader, format string) (*reader, error) {
	in := &reader{lines: newLines(r), parse: parseJSON}
	switch format {
	case ndjson:
		return in, nil
	case csv:
		header, err := in.lines.next()
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			return nil, err
		}
		t, err := parseHeader(header)
		if err != nil {
			in.close()
			return nil, err
		}
		in.parse = t.parse
		return in, nil
	}
	return nil, errors.New("say whether the file is CSV or NDJSON, with --format csv or --format ndjson")
}

func (r *reader) close() { r.lines.close() }

// next returns the next line; io.EOF ends the file.
func (r *reader) next() (entry, error) {
	text, err := r.lines.next()
	e := entry{line: r.lines.number}
	switch {
	case errors.Is(err, errTooLong):
		e.fault = &fault{"Line too long", "A line has at most 64 KiB."}
	case err != nil:
		return entry{}, err
	default:
		e.card, e.fault = r.parse(text)
	}
	return e, nil
}

// wipe overwrites what is secret of a card.
func (e *entry) wipe() {
	e.card.Number.Wipe()
	e.card.Code.Wipe()
	e.card.Holder.Wipe()
}
