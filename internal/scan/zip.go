package scan

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A zip archive is read from its beginning, member by member, and not by the
// directory at its end (APPNOTE.TXT 4.3): so it may lie within another archive
// without being held in memory, and members that were taken out of the
// directory are searched too.
const (
	localHeader     = "PK\x03\x04"
	descriptor      = "PK\x07\x08"
	descriptorSize  = 16 // with the signature, which it has where it is looked for
	localHeaderSize = 30
	zip64           = 0xFFFFFFFF // the size stands in the extra field
)

// The flags and methods of a member.
const (
	flagEncrypted  = 1 << 0
	flagDescriptor = 1 << 3 // sizes follow the content

	methodStored  = 0
	methodDeflate = 8
	methodBzip2   = 12
)

// zipMember is a local header.
type zipMember struct {
	flags, method uint16
	packed        uint64 // size of the content; 0 with a descriptor
	large         bool   // sizes have eight bytes
	name          string
}

func (s *Scanner) zip(ctx context.Context, r *bufio.Reader, depth int) error {
	for {
		if head, _ := r.Peek(4); string(head) != localHeader || ctx.Err() != nil {
			return nil // the directory
		}
		m, err := readZipMember(r)
		if err != nil {
			return err
		}
		s.member(m.name, func() { err = s.zipMember(ctx, r, m, depth) })
		if err != nil {
			return err
		}
		if m.flags&flagDescriptor != 0 {
			if err := skipDescriptor(r, m.large); err != nil {
				return err
			}
		}
	}
}

func readZipMember(r *bufio.Reader) (m zipMember, err error) {
	var h [localHeaderSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return m, err
	}
	m.flags, m.method = binary.LittleEndian.Uint16(h[6:]), binary.LittleEndian.Uint16(h[8:])
	m.packed = uint64(binary.LittleEndian.Uint32(h[18:]))
	nameSize := int(binary.LittleEndian.Uint16(h[26:]))
	rest := make([]byte, nameSize+int(binary.LittleEndian.Uint16(h[28:])))
	if _, err := io.ReadFull(r, rest); err != nil {
		return m, err
	}
	m.name = string(rest[:nameSize])
	for extra := rest[nameSize:]; len(extra) >= 4; {
		id, size := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if len(extra) < 4+size {
			break
		}
		if id == 1 { // original size, packed size
			m.large = true
			if m.packed == zip64 && size >= 16 {
				m.packed = binary.LittleEndian.Uint64(extra[12:])
			}
		}
		extra = extra[4+size:]
	}
	return m, nil
}

// zipMember searches a member and leaves r behind its content.
func (s *Scanner) zipMember(ctx context.Context, r *bufio.Reader, m zipMember, depth int) error {
	if m.method == methodDeflate && m.flags&flagEncrypted == 0 {
		// Deflate tells its own end, and takes no byte more from a ByteReader.
		in := flate.NewReader(r)
		s.content(ctx, in, depth)
		_, err := io.Copy(io.Discard, &meter{ctx: ctx, s: s, r: in})
		return err
	}
	var content io.Reader = io.LimitReader(r, int64(min(m.packed, 1<<62)))
	if m.flags&flagDescriptor != 0 && m.packed == 0 {
		content = &unsized{r: r}
	}
	switch {
	case m.flags&flagEncrypted != 0:
		s.unread(errEncrypted)
	case m.method == methodStored:
		s.content(ctx, content, depth)
	case m.method == methodBzip2:
		s.content(ctx, bzip2.NewReader(content), depth)
	default:
		s.unread(fmt.Errorf("it is packed by method %d, which is not known here", m.method))
	}
	_, err := io.Copy(io.Discard, &meter{ctx: ctx, s: s, r: content})
	return err
}

// unsized reads a content that ends where its descriptor says how long it was.
type unsized struct {
	r    *bufio.Reader
	size uint64 // read so far
}

// Read implements io.Reader.
func (u *unsized) Read(p []byte) (int, error) {
	b, err := u.r.Peek(min(max(len(p), 2*descriptorSize), u.r.Size()))
	if len(b) < descriptorSize {
		return 0, errors.Join(io.ErrUnexpectedEOF, err)
	}
	b = b[:len(b)-descriptorSize+1] // the rest may be a part of it
	switch i := bytes.Index(b, []byte(descriptor)); {
	case i > 0:
		b = b[:i]
	case i == 0 && u.endsHere():
		return 0, io.EOF
	case i == 0:
		b = b[:1]
	}
	n := copy(p, b)
	u.size += uint64(n)
	_, err = u.r.Discard(n)
	return n, err
}

// endsHere reports whether the descriptor that may come next gives the size.
func (u *unsized) endsHere() bool {
	b, _ := u.r.Peek(descriptorSize)
	return uint64(binary.LittleEndian.Uint32(b[8:])) == u.size || binary.LittleEndian.Uint64(b[8:]) == u.size
}

// skipDescriptor skips CRC and sizes behind a content. Whether they are led by
// a signature, and how long they are, shows by what follows.
func skipDescriptor(r *bufio.Reader, large bool) error {
	sizes := []int{12, 20}
	if head, err := r.Peek(4); err == nil && string(head) == descriptor {
		sizes = []int{16, 24}
	}
	if large {
		sizes[0], sizes[1] = sizes[1], sizes[0]
	}
	for _, size := range sizes {
		b, _ := r.Peek(size + 2)
		if len(b) == size+2 && bytes.HasSuffix(b, []byte("PK")) {
			_, err := r.Discard(size)
			return err
		}
	}
	return errors.New("a damaged zip archive")
}
