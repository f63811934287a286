package scan

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxDepth is how deep archives may lie in each other.
	maxDepth = 8
	// headSize is what it takes to see what a file is.
	headSize  = 512
	inputSize = 64 << 10
	// zstdWindow bounds the memory a zstd file may ask for.
	zstdWindow = 64 << 20
)

// The errors of what is not unpacked.
var (
	errExpanding = fmt.Errorf("it unpacks to more than %d times its size", maxRatio)
	errDeep      = fmt.Errorf("archives lie more than %d deep in each other", maxDepth)
	errEncrypted = errors.New("it is encrypted")
)

// content searches r, and what is packed in it, depth archives deep.
func (s *Scanner) content(ctx context.Context, r io.Reader, depth int) {
	if depth > maxDepth {
		s.unread(errDeep)
		return
	}
	in := s.input(depth)
	in.Reset(r)
	head, _ := in.Peek(headSize)
	unpack := unpackerOf(head)
	if err := unpack(s, ctx, in, depth+1); err != nil && ctx.Err() == nil {
		s.unread(err)
	}
}

// input is the reader for what lies depth archives deep. One is made for each
// depth: archives at the same depth are searched one after the other.
func (s *Scanner) input(depth int) *bufio.Reader {
	if s.inputs[depth] == nil {
		s.inputs[depth] = bufio.NewReaderSize(nil, inputSize)
	}
	return s.inputs[depth]
}

// unpackerOf tells by its first bytes what searches a file.
func unpackerOf(head []byte) func(*Scanner, context.Context, *bufio.Reader, int) error {
	switch {
	case bytes.HasPrefix(head, []byte("\x1F\x8B\x08")):
		return (*Scanner).gzip
	case len(head) > 10 && string(head[:3]) == "BZh" && string(head[4:10]) == "1AY&SY":
		return (*Scanner).bzip2
	case bytes.HasPrefix(head, []byte("\x28\xB5\x2F\xFD")):
		return (*Scanner).zstd
	case bytes.HasPrefix(head, []byte(localHeader)):
		return (*Scanner).zip
	case len(head) == headSize && string(head[257:262]) == "ustar":
		return (*Scanner).tar
	}
	return (*Scanner).plain
}

// plain searches what is no archive.
func (s *Scanner) plain(ctx context.Context, r *bufio.Reader, _ int) error {
	return s.finder.stream(&meter{ctx: ctx, s: s, r: r}, s.buffer)
}

func (s *Scanner) gzip(ctx context.Context, r *bufio.Reader, depth int) error {
	in, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	s.content(ctx, in, depth)
	return in.Close()
}

func (s *Scanner) bzip2(ctx context.Context, r *bufio.Reader, depth int) error {
	s.content(ctx, bzip2.NewReader(r), depth)
	return nil
}

func (s *Scanner) zstd(ctx context.Context, r *bufio.Reader, depth int) error {
	in, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return err
	}
	defer in.Close()
	s.content(ctx, in, depth)
	return nil
}

func (s *Scanner) tar(ctx context.Context, r *bufio.Reader, depth int) error {
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		s.member(h.Name, func() { s.content(ctx, in, depth) })
	}
}

// member searches one member of the archive the search is in.
func (s *Scanner) member(name string, search func()) {
	outer := s.at.member
	s.at.member = name
	if outer != "" {
		s.at.member = outer + "!" + name
	}
	s.name(name)
	search()
	s.at.member = outer
}

// meter counts what is read, tells how far the search is, and ends it when ctx
// ends or a file unpacks to too much.
type meter struct {
	ctx context.Context
	s   *Scanner
	r   io.Reader
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	if m.s.at.left <= 0 {
		return 0, errExpanding
	}
	n, err := m.r.Read(p)
	m.s.at.left -= int64(n)
	m.s.totals.Bytes += int64(n)
	m.s.progress()
	return n, err
}
