package wire_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ccms/internal/secret/wire"
)

// certified returns how a server shows the certificate of httptest, and how a
// client believes it.
func certified(t *testing.T) (showing, believing *tls.Config) {
	t.Helper()
	example := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(example.Close)
	showing = &tls.Config{Certificates: example.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	roots := example.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	return showing, &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
}

func securing(t *testing.T, showing *tls.Config) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = wire.Securing(l, showing, 10*time.Second)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestAConnectionIsWhatItsProtocolNeeds(t *testing.T) {
	showing, believing := certified(t)
	l := securing(t, showing)
	for _, tt := range []struct {
		name   string
		offers []string
		own    bool
	}{
		{"a client that says nothing", nil, true},
		{"a client that speaks HTTP/1.1", []string{"http/1.1"}, true},
		{"a client that speaks HTTP/2", []string{"h2", "http/1.1"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := believing.Clone()
			cfg.NextProtos = tt.offers
			dialled := make(chan error, 1)
			go func() {
				c, err := tls.Dial("tcp", l.Addr().String(), cfg)
				if err == nil {
					_, err = io.WriteString(c, "hello")
					defer c.Close()
				}
				dialled <- err
			}()
			c, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p := make([]byte, 5)
			if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
				t.Errorf("%q %v", p, err)
			}
			if err := <-dialled; err != nil {
				t.Error(err)
			}
			own, ok := c.(*wire.SecureConn)
			if ok != tt.own {
				t.Errorf("it is a %T", c)
			}
			if ok && own.ConnectionState().Version < tls.VersionTLS12 {
				t.Error("it does not know its TLS")
			}
		})
	}
}

// TestAFailedHandshakeIsHandedOn would fail if one client that speaks no TLS
// kept others away, or got no answer.
func TestAFailedHandshakeIsHandedOn(t *testing.T) {
	showing, _ := certified(t)
	l := securing(t, showing)
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if _, err := io.WriteString(far, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	secure, ok := c.(*tls.Conn)
	if !ok {
		t.Fatalf("it is a %T", c)
	}
	if _, plain := errors.AsType[tls.RecordHeaderError](secure.Handshake()); !plain {
		t.Error("the reason is lost")
	}
}

// TestAHandshakeUnderWayOutlivesClose would fail if a client that had shaken
// hands when the listener closed got no answer to its request.
func TestAHandshakeUnderWayOutlivesClose(t *testing.T) {
	showing, believing := certified(t)
	begun, closed := make(chan struct{}), make(chan struct{})
	showing.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		close(begun)
		<-closed
		return nil, nil
	}
	l := securing(t, showing)
	dialled := make(chan error, 1)
	go func() {
		c, err := tls.Dial("tcp", l.Addr().String(), believing)
		if err == nil {
			_, err = io.WriteString(c, "hello")
			defer c.Close()
		}
		dialled <- err
	}()
	<-begun
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	close(closed)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p := make([]byte, 5)
	if _, err := io.ReadFull(c, p); err != nil || string(p) != "hello" {
		t.Errorf("%q %v", p, err)
	}
	if err := <-dialled; err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestCloseEndsHandshakesThatTakeLong would fail if who never ends his handshake
// kept a process from ending.
func TestCloseEndsHandshakesThatTakeLong(t *testing.T) {
	showing, _ := certified(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l := securing(t, showing)
	far, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for err == nil { // the connection, when it was accepted at all
		var c net.Conn
		if c, err = l.Accept(); err == nil {
			_ = c.Close()
		}
	}
	if !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

func TestALargerBufferBelowTLSLeavesNothingInTheSmallerOne(t *testing.T) {
	near, far := pair(t)
	below := wire.Below(near)
	send(t, far, "\x17\x03\x03\x00\x0cfirst second\x17\x03\x03\x00\x05third")
	small, large := make([]byte, 20), make([]byte, 40)
	for _, tt := range []struct {
		into []byte
		want string
	}{
		{small, "\x17\x03\x03\x00\x0c"},
		{small[5:11], "first "},
		{small[11:], "second"},
		{large, "\x17\x03\x03\x00\x05"},
		{large[5:], "third"},
	} {
		n, err := below.Read(tt.into)
		if err != nil || string(tt.into[:n]) != tt.want {
			t.Fatalf("%q, %v, want %q", tt.into[:n], err, tt.want)
		}
		if &tt.into[0] == &small[11] && string(small[5:17]) != "first second" {
			t.Fatalf("what is still needed became %q", small)
		}
	}
	if len(bytes.Trim(small, "\x00")) > 0 {
		t.Errorf("the smaller one holds %q", small)
	}
}
