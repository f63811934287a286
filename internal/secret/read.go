package secret

import "io"

// minRead is the least that is asked of a reader at once.
const minRead = 512

// ReadAll reads r to its end, as io.ReadAll does, and wipes every buffer that
// became too small on the way. size is how many bytes are expected, 0 when
// nobody knows. What was read before an error comes with it; the caller wipes
// it.
func ReadAll(r io.Reader, size int) (Bytes, error) {
	// One more byte than expected lets the end be seen without a larger buffer.
	b := make([]byte, 0, max(size+1, minRead))
	var err error
	Do(func() { b, err = readAll(r, b) })
	return New(b), err
}

func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
		if len(b) == cap(b) {
			larger := append(make([]byte, 0, 2*cap(b)), b...)
			clear(b)
			b = larger
		}
	}
}
