package wire_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"ccms/internal/secret/wire"
)

// pair is a connection of ours and its other end.
func pair(t *testing.T) (*wire.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	near, err := wire.Accepting(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	return near.(*wire.Conn), far
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// held is all of a reader's buffer, used or not.
func held(b *bufio.Reader) []byte {
	seen, _ := b.Peek(b.Buffered())
	return seen[:cap(seen)]
}

func TestABufferIsWipedBeforeItIsFilled(t *testing.T) {
	near, far := pair(t)
	send(t, far, "first a secret;")
	in := bufio.NewReader(near)
	if _, err := in.ReadString(';'); err != nil {
		t.Fatal(err)
	}
	buffer := held(in)
	send(t, far, "then;")
	if got, err := in.ReadString(';'); err != nil || got != "then;" {
		t.Fatalf("%q %v", got, err)
	}
	if bytes.Contains(buffer, []byte("secret")) {
		t.Errorf("the buffer holds %q", buffer)
	}
}

func TestForgetWipesWhatWasReadAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name, sent string
		read       []int // bytes, one piece after another; the first is not a body
		gone       string
		unread     string
	}{
		{"all of a body", "HEADER secret", []int{7, 6}, "secret", ""},
		{"a body in pieces", "HEADER secret", []int{7, 3, 3}, "secret", ""},
		{"a body before another request", "HEADER secret HEADER secret", []int{7, 6}, "HEADER secret HEADER secret", " HEADER secret"},
		{"a body that is like its header", "secret secret", []int{7, 6}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := pair(t)
			send(t, far, tt.sent)
			in := bufio.NewReader(near)
			if _, err := in.Peek(len(tt.sent)); err != nil {
				t.Fatal(err)
			}
			for i, n := range tt.read {
				p := make([]byte, n)
				if _, err := io.ReadFull(in, p); err != nil {
					t.Fatal(err)
				}
				if before := string(p); i > 0 {
					if near.Forget(p); string(p) != before {
						t.Fatalf("what was read became %q", p)
					}
				}
			}
			unread, _ := in.Peek(in.Buffered())
			if string(unread) != tt.unread {
				t.Errorf("unread is %q, want %q", unread, tt.unread)
			}
			if tt.gone != "" && bytes.Contains(held(in), []byte(tt.gone)) {
				t.Errorf("the buffer holds %q", held(in)[:len(tt.sent)])
			}
		})
	}
}

func TestForgetAllWipesTheWholeBuffer(t *testing.T) {
	near, far := pair(t)
	send(t, far, "HEADER secret")
	in := bufio.NewReader(near)
	if _, err := in.Peek(13); err != nil {
		t.Fatal(err)
	}
	near.ForgetAll()
	if b := held(in); len(bytes.Trim(b, "\x00")) > 0 {
		t.Errorf("the buffer holds %q", b[:13])
	}
	near.ForgetAll()
}

func TestForgetSparesWhatWasReadWithoutABuffer(t *testing.T) {
	near, far := pair(t)
	send(t, far, "secret")
	p := make([]byte, 6)
	if _, err := io.ReadFull(near, p); err != nil {
		t.Fatal(err)
	}
	near.Forget(p)
	near.Forget(nil)
	if string(p) != "secret" {
		t.Errorf("the reader has %q", p)
	}
}

func TestOneDirectionCanBeClosed(t *testing.T) {
	near, far := pair(t)
	if err := near.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(far); err != nil || len(b) > 0 {
		t.Errorf("%q %v", b, err)
	}
}

// lender is a reader that keeps every buffer it filled.
type lender struct {
	io.Reader
	lent [][]byte
}

func (l *lender) Read(p []byte) (int, error) {
	l.lent = append(l.lent, p)
	return l.Reader.Read(p)
}

func TestWhatIsSentFromAReaderLeavesNothing(t *testing.T) {
	for name, limited := range map[string]bool{"of a known length": true, "of any length": false} {
		t.Run(name, func(t *testing.T) {
			near, far := pair(t)
			body := strings.Repeat("secret", 10_000)
			from := &lender{Reader: strings.NewReader(body)}
			var in io.Reader = from
			if limited {
				in = io.LimitReader(from, int64(len(body)))
			}
			sent := make(chan error, 1)
			go func() {
				_, err := io.Copy(wire.Dialled(near), in)
				_ = near.CloseWrite()
				sent <- err
			}()
			got, err := io.ReadAll(far)
			if failed := <-sent; err != nil || failed != nil || string(got) != body {
				t.Fatalf("%d bytes, %v, %v", len(got), err, failed)
			}
			for _, b := range from.lent {
				if bytes.Contains(b, []byte("secret")) {
					t.Fatalf("a buffer holds %q", b[:32])
				}
			}
		})
	}
}
