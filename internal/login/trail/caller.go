package trail

import (
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/limit"
)

// Caller is who asks, as far as the connection shows. The zero Caller is the
// service itself.
type Caller struct {
	Address string // of the client
	Network string // its /24 or /56
	Device  string // what it calls itself
	Request string // request id
}

// maxDevice is where a User-Agent is cut.
const maxDevice = 200

// CallerOf is who sent r.
func CallerOf(r *http.Request) Caller {
	a := httpserver.Client(r)
	return Caller{
		Address: a.String(),
		Network: limit.Network(a),
		Device:  printable(r.UserAgent(), maxDevice),
		Request: httpserver.RequestID(r.Context()),
	}
}

// printable keeps the printable ASCII of s, at most n bytes of it.
func printable(s string, n int) string {
	out := make([]byte, 0, min(len(s), n))
	for i := 0; i < len(s) && len(out) < n; i++ {
		if ' ' <= s[i] && s[i] <= '~' {
			out = append(out, s[i])
		}
	}
	return string(out)
}
