package oauth

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"ccms/internal/firm"
	"ccms/internal/identity"
)

// The benchmarks drive the endpoints with 16 clients at a time over HTTP, on the
// durable store, load and server in one process. A request that fails ends them.

// BenchmarkToken is a token by a client's secret: one signature, and its line in
// the record, durable.
func BenchmarkToken(b *testing.B) {
	h := open(b)
	c := h.usual()
	h.load(b, tokenPath, c, func() string { return grant })
}

// BenchmarkTokenAssertion is a token by private_key_jwt: the check of a
// signature and the mark of the assertion in the store come on top.
func BenchmarkTokenAssertion(b *testing.B) {
	h := open(b)
	p := h.prover(jose.ES256, firm.NewClient{})
	h.load(b, tokenPath, member{}, func() string { return proof(p.sign(b, h.claims(p, nil))) })
}

// BenchmarkIntrospect asks about the tokens of fifty clients in turn.
func BenchmarkIntrospect(b *testing.B) {
	h := open(b)
	c := h.usual()
	var bodies []string
	for range 50 {
		bodies = append(bodies, values("token", h.token(h.client(firm.NewClient{FirmID: c.FirmID}))))
	}
	var n atomic.Int64
	h.load(b, introspectPath, c, func() string { return bodies[int(n.Add(1))%len(bodies)] })
}

// BenchmarkIntrospectFresh never asks about a token twice.
func BenchmarkIntrospectFresh(b *testing.B) {
	h := open(b)
	c := h.usual()
	bodies := make([]string, b.N)
	for i := range bodies {
		bodies[i] = values("token", must(h.issuer.Issue(b.Context(), identity.Claims{
			Subject: c.ID, ClientID: c.ID, FirmID: c.FirmID, Mode: c.Mode, Scope: "cards:read",
		}, TokenLife)))
	}
	var n atomic.Int64
	h.load(b, introspectPath, c, func() string { return bodies[n.Add(1)-1] })
}

// load sends b.N requests, each on one of 16 connections. It speaks HTTP by hand:
// net/http's client would cost more than the server.
func (h *house) load(b *testing.B, path string, c member, body func() string) {
	b.Helper()
	head := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	if c.ID != "" {
		head += "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(c.ID+":"+c.secret)) + "\r\n"
	}
	b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for pb.Next() {
			text := body()
			if _, err := io.WriteString(conn, head+"Content-Length: "+strconv.Itoa(len(text))+"\r\n\r\n"+text); err != nil {
				b.Error(err)
				return
			}
			if err := good(answers); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// good reads one answer and reports anything but a 200.
func good(from *bufio.Reader) error {
	first, length := "", 0
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first == "" {
			first = string(line)
		}
		if n, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := from.Discard(length); err != nil {
		return err
	}
	if !strings.HasPrefix(first, "HTTP/1.1 200 ") {
		return errors.New(first)
	}
	return nil
}
