package identity

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
)

// maxToken is the length of the longest token looked at, in bytes (RFC 8725
// asks for a limit; ours are about 600).
const maxToken = 4 << 10

// segment is base64url without padding. Strict refuses spare trailing bits, so
// that one token has one spelling.
var segment = base64.RawURLEncoding.Strict()

var (
	errShape  = errors.New("not a compact token")
	errHeader = errors.New("header not acceptable")
)

// header is all a token of ours says about itself. Every other member (crit,
// jku, jwk, x5u, x5c, cty, b64, zip) is refused with the token: RFC 8725
// section 3.10, RFC 7515 section 4.1.11.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// token is a compact JWS taken apart; nothing in it is verified.
type token struct {
	header    header
	signed    string // what the signature covers: the first two segments
	payload   []byte
	signature []byte
}

// WellFormed reports whether s could be a token: at most 4 KiB, exactly two
// dots, and only the letters of base64url around them. It allocates nothing.
func WellFormed(s string) bool { return compact(s, maxToken) }

// compact is WellFormed with another limit.
func compact(s string, limit int) bool {
	if len(s) > limit {
		return false
	}
	dots := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			dots++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false // also CR and LF, which package base64 would skip
		}
	}
	return dots == 2
}

// split takes s apart and accepts only the header our issuer writes: typ JWT,
// an algorithm, a key id, nothing else.
func split(s string) (token, error) {
	if !WellFormed(s) {
		return token{}, errShape
	}
	first, last := strings.IndexByte(s, '.'), strings.LastIndexByte(s, '.')
	t := token{signed: s[:last]}
	head, err := segment.DecodeString(s[:first])
	if err != nil {
		return token{}, errShape
	}
	if err := json.Unmarshal(head, &t.header, json.RejectUnknownMembers(true)); err != nil {
		return token{}, errHeader
	}
	if t.header.Type != "JWT" || t.header.Algorithm == "" || t.header.KeyID == "" {
		return token{}, errHeader
	}
	if t.payload, err = segment.DecodeString(s[first+1 : last]); err != nil {
		return token{}, errShape
	}
	if t.signature, err = segment.DecodeString(s[last+1:]); err != nil {
		return token{}, errShape
	}
	return t, nil
}
