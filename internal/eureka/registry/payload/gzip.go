package payload

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/lease"
)

// piece is an application or some instances of one, compressed without
// reference to anything before it, so that it may stand anywhere in a deflate
// stream.
type piece struct {
	stamp  lease.Stamp
	packed []byte // whole blocks; the last is stored, and its length is missing
	size   int    // unpacked
	crc    uint32 // of the unpacked bytes
	shift  uint32 // what appending so many bytes does to a CRC
}

// level is the one gzip itself takes. Lists are read far more often than they
// change, so their size matters more than the time to make a piece.
const level = flate.DefaultCompression

// packers are compressors to be used again: one takes a megabyte to make.
type packers struct{ pool sync.Pool }

// pack compresses raw and ends on a byte's boundary: Flush writes an empty
// stored block, of which the length is cut off. The splicer writes it, and puts
// what stands between two pieces into the block on the way.
func (p *packers) pack(raw []byte) *piece {
	var b bytes.Buffer
	w, ok := p.pool.Get().(*flate.Writer)
	if !ok {
		w, _ = flate.NewWriter(nil, level) // the level is valid
	}
	w.Reset(&b)
	_, _ = w.Write(raw) // into memory: cannot fail
	_ = w.Flush()
	p.pool.Put(w)
	packed := bytes.Clone(b.Bytes()[:b.Len()-4])
	return &piece{packed: packed, size: len(raw), crc: crc32.ChecksumIEEE(raw), shift: shiftOf(len(raw))}
}

// gzipHeader says deflate, no name, no time, any system (RFC 1952).
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// join splices a frame and applications into one gzip member. A client that
// stops after the first member reads all of it.
func join(w eureka.Frame, apps []*application) []byte {
	n := len(gzipHeader) + 64
	for _, a := range apps {
		for _, p := range a.pieces {
			n += len(p.packed) + 64
		}
	}
	s := splicer{b: append(make([]byte, 0, n), gzipHeader...)}
	s.b = append(s.b, 0) // a stored block that is not the last one
	s.plain(w.Before)
	for i, a := range apps {
		if i > 0 {
			s.plain(w.Between)
		}
		s.plain(a.frame.Before)
		for j, p := range a.pieces {
			if j > 0 {
				s.plain(a.frame.Between)
			}
			s.piece(p)
		}
		s.plain(a.frame.After)
	}
	return s.end(w.After)
}

// splicer builds the stream and its trailer.
type splicer struct {
	b    []byte
	open []byte // of the stored block that was begun
	crc  uint32
	size uint32 // modulo 2³², as the trailer wants it
}

// plain adds bytes to the stored block that was begun.
func (s *splicer) plain(b []byte) { s.open = append(s.open, b...) }

// close ends the stored block that was begun; one that is too long, as by a
// name of 60,000 letters, becomes several.
func (s *splicer) close() {
	rest := s.open
	for len(rest) > maxStored {
		s.stored(rest[:maxStored])
		s.b = append(s.b, 0)
		rest = rest[maxStored:]
	}
	s.stored(rest)
	s.open = s.open[:0]
}

const maxStored = 1<<16 - 1

// stored writes what follows the first byte of a stored block: length, its
// complement, and the bytes (RFC 1951 3.2.4).
func (s *splicer) stored(b []byte) {
	n := uint16(len(b))
	s.b = binary.LittleEndian.AppendUint16(s.b, n)
	s.b = binary.LittleEndian.AppendUint16(s.b, ^n)
	s.b = append(s.b, b...)
	s.crc = crc32.Update(s.crc, crc32.IEEETable, b)
	s.size += uint32(n)
}

func (s *splicer) piece(p *piece) {
	s.close()
	s.b = append(s.b, p.packed...)
	s.crc = multiply(p.shift, s.crc) ^ p.crc
	s.size += uint32(p.size)
}

// end writes the last block and the trailer (RFC 1952).
func (s *splicer) end(b []byte) []byte {
	s.close()
	s.b = append(s.b, 1) // the last block
	s.plain(b)
	s.close()
	s.b = binary.LittleEndian.AppendUint32(s.b, s.crc)
	return binary.LittleEndian.AppendUint32(s.b, s.size)
}

// A CRC is a polynomial over two elements, the highest power in the lowest
// bit, modulo crc32.IEEE. The CRC of two texts put together is that of the
// first, shifted by the length of the second, plus that of the second.

// multiply is a product modulo the polynomial.
func multiply(a, b uint32) uint32 {
	var p uint32
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		if b&1 != 0 {
			b = b>>1 ^ crc32.IEEE
		} else {
			b >>= 1
		}
	}
	return p
}

// shiftOf is x to the power of 8n: the factor that n bytes stand for.
func shiftOf(n int) uint32 {
	result, square := uint32(1<<31), uint32(1<<23) // 1, and x⁸
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = multiply(square, result)
		}
		square = multiply(square, square)
	}
	return result
}
