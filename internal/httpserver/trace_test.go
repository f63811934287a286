package httpserver

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736" // the standard's example
	someParent = "00f067aa0ba902b7"
)

func TestOnlyAWellFormedTraceGoesOn(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		goesOn bool
		flags  byte
	}{
		{"the standard's example", []string{"00-" + someTrace + "-" + someParent + "-01"}, true, 1},
		{"not sampled", []string{"00-" + someTrace + "-" + someParent + "-00"}, true, 0},
		{"flags nobody knows are not passed on", []string{"00-" + someTrace + "-" + someParent + "-ff"}, true, 3},
		{"a later version", []string{"01-" + someTrace + "-" + someParent + "-01"}, true, 1},
		{"a later version with more", []string{"cc-" + someTrace + "-" + someParent + "-01-what-the-future-brings"}, true, 1},
		{"a later version with more but no hyphen", []string{"cc-" + someTrace + "-" + someParent + "-01.what"}, false, 0},
		{"version 00 with more", []string{"00-" + someTrace + "-" + someParent + "-01-x"}, false, 0},
		{"version 00 with a hyphen more", []string{"00-" + someTrace + "-" + someParent + "-01-"}, false, 0},
		{"version ff", []string{"ff-" + someTrace + "-" + someParent + "-01"}, false, 0},
		{"none", nil, false, 0},
		{"an empty one", []string{""}, false, 0},
		{"two", []string{"00-" + someTrace + "-" + someParent + "-01", "00-" + someTrace + "-" + someParent + "-01"}, false, 0},
		{"capitals", []string{"00-" + strings.ToUpper(someTrace) + "-" + someParent + "-01"}, false, 0},
		{"a trace id of zeros", []string{"00-" + strings.Repeat("0", 32) + "-" + someParent + "-01"}, false, 0},
		{"a parent id of zeros", []string{"00-" + someTrace + "-" + strings.Repeat("0", 16) + "-01"}, false, 0},
		{"a short trace id", []string{"00-" + someTrace[1:] + "-" + someParent + "-01"}, false, 0},
		{"a long parent id", []string{"00-" + someTrace + "-" + someParent + "0-01"}, false, 0},
		{"a character that is none", []string{"00-" + someTrace[:31] + "g-" + someParent + "-01"}, false, 0},
		{"short flags", []string{"00-" + someTrace + "-" + someParent + "-1"}, false, 0},
		{"space around it", []string{" 00-" + someTrace + "-" + someParent + "-01"}, false, 0},
		{"a line end", []string{"00-" + someTrace + "-" + someParent + "-01\n"}, false, 0},
		{"a card number", []string{"00-abcdabcd4111111111111111abcdabcd-" + someParent + "-01"}, false, 0},
		{"two card numbers", []string{"00-41111111111111114111111111111111-" + someParent + "-01"}, false, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			for _, v := range tc.values {
				h.Add("traceparent", v)
			}
			got := newTrace(h)
			if (got.id == someTrace) != tc.goesOn || got.flags != tc.flags {
				t.Errorf("got %+v, goes on: %v with flags %d", got, tc.goesOn, tc.flags)
			}
			if again := newTrace(http.Header{traceParent: {got.parent()}}); again.id != got.id || again.flags != got.flags {
				t.Errorf("our own traceparent %q is not understood", got.parent())
			}
			if got.span == someParent || !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(got.span) {
				t.Errorf("span %q", got.span)
			}
		})
	}
}

func TestTraceStateIsPassedOnOnlyIfItFollowsTheStandard(t *testing.T) {
	long := "a=" + strings.Repeat("x", 256)
	var many []string
	for i := range 33 {
		many = append(many, string(rune('a'+i%26))+string(rune('a'+i/26))+"=1")
	}
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"one member", []string{"congo=t61rcWkgMzE"}, "congo=t61rcWkgMzE"},
		{"several, with space", []string{"rojo=00f067aa0ba902b7 , congo=t61"}, "rojo=00f067aa0ba902b7,congo=t61"},
		{"several headers", []string{"a=1", "b=2"}, "a=1,b=2"},
		{"a tenant", []string{"0tenant@sys-1=x"}, "0tenant@sys-1=x"},
		{"empty members", []string{"a=1,,", ",b=2"}, "a=1,b=2"},
		{"32 members", many[:32], strings.Join(many[:32], ",")},
		{"33 members", many, ""},
		{"the longest member", []string{long}, long},
		{"a value too long", []string{long + "x"}, ""},
		{"too much in all", []string{long, "b" + long}, ""},
		{"the same key twice", []string{"a=1,a=2"}, ""},
		{"a capital in a key", []string{"A=1"}, ""},
		{"no value", []string{"a="}, ""},
		{"an equals sign in a value", []string{"a=b=c"}, ""},
		{"no key", []string{"=b"}, ""},
		{"not ASCII", []string{"a=\u00e9"}, ""},
		{"a card number", []string{"a=1,b=4111111111111111,c=3"}, "a=1,c=3"},
		{"a card number in groups", []string{"a=4111 1111 1111 1111"}, ""},
		{"none", nil, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{traceParent: {"00-" + someTrace + "-" + someParent + "-01"}, traceState: tc.values}
			if got := newTrace(h).state; got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if got := newTrace(http.Header{traceState: tc.values}).state; got != "" {
				t.Errorf("without a traceparent: %q", got)
			}
		})
	}
}

func TestNewIdsNeverLookLikeANumber(t *testing.T) {
	for range 20_000 { // without the check about 600 of them would
		if id := newTraceID(16); looksLikeNumber(id) {
			t.Fatal(id)
		}
	}
}

func TestOriginLeadsBackToItsRequest(t *testing.T) {
	if Origin(t.Context()) != "" {
		t.Error("there is an origin without a request")
	}
	first := Resume(t.Context(), "")
	if RequestID(first) == "" {
		t.Error("resumed work has no id of its own")
	}
	later := Resume(context.Background(), Origin(first))
	a, b := info(first), info(later)
	if a.id != b.id || a.trace.id != b.trace.id || a.trace.span == b.trace.span {
		t.Errorf("%+v became %+v", a, b)
	}
	for _, bad := range []string{"x", "4111 1111", "abcdefgh\nxxx 00-", strings.Repeat("a", 99) + " " + a.trace.parent()} {
		if id := RequestID(Resume(t.Context(), bad)); id == "" || strings.HasPrefix(bad, id) {
			t.Errorf("%q gives %q", bad, id)
		}
	}
}

func TestPropagateReplacesWhatACallerSent(t *testing.T) {
	h := http.Header{}
	for _, name := range []string{"X-Request-Id", "traceparent", "tracestate"} {
		h.Set(name, "somebody else's")
	}
	Propagate(t.Context(), h)
	if len(h) != 0 {
		t.Errorf("outside a request: %v", h)
	}
	h.Set("tracestate", "somebody else's")
	ctx := Resume(t.Context(), "")
	Propagate(ctx, h)
	if h.Get("X-Request-Id") != RequestID(ctx) || h.Get("traceparent") != info(ctx).trace.parent() || h.Get("tracestate") != "" {
		t.Errorf("got %v", h)
	}
}

func TestEveryLineOfARequestBearsItsIDs(t *testing.T) {
	var b strings.Builder
	log := slog.New(LogHandler(slog.NewTextHandler(&b, nil))).With("service.name", "test")
	ctx := Resume(t.Context(), "abcdefgh 00-"+someTrace+"-"+someParent+"-00")
	log.InfoContext(ctx, "deep inside")
	log.WithGroup("g").InfoContext(t.Context(), "elsewhere")
	lines := strings.Split(b.String(), "\n")
	if want := "http.request.id=abcdefgh trace.id=" + someTrace + " span.id=" + info(ctx).trace.span; !strings.HasSuffix(lines[0], want) {
		t.Errorf("no %q in %q", want, lines[0])
	}
	if strings.Contains(lines[1], ".id") {
		t.Errorf("ids without a request: %q", lines[1])
	}
}

func FuzzTrace(f *testing.F) {
	f.Add("00-"+someTrace+"-"+someParent+"-01", "a=1,b=2")
	f.Add("cc-"+someTrace+"-"+someParent+"-01-x", "a=4111111111111111")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := newTrace(http.Header{traceParent: {parent}, traceState: {state}})
		if looksLikeNumber(got.id) || looksLikeNumber(got.span) || looksLikeNumber(got.state) {
			t.Errorf("a number in %+v", got)
		}
		if again := newTrace(http.Header{traceParent: {got.parent()}, traceState: {got.state}}); again.id != got.id || again.state != got.state {
			t.Errorf("%+v is passed on as %+v", got, again)
		}
	})
}
