package boot

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadinessEndsBeforeTheListener asks a service that was told to stop: a
// load balancer must hear 503 while requests are still answered.
func TestReadinessEndsBeforeTheListener(t *testing.T) {
	s := settings(t, "log.level", "error")
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- One(ctx, "eureka", Start{Settings: s, Console: Console{Out: w, Err: t.Output()}})
		_ = w.Close()
	}()
	welcome := make([]byte, 256)
	n, err := r.Read(welcome)
	at := regexp.MustCompile(`http://\S+`).FindString(string(welcome[:n]))
	if err != nil || at == "" {
		t.Fatalf("it said %q, %v, and ended with %v", welcome[:n], err, <-ended)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	client := http.Client{Transport: &http.Transport{}, Timeout: 2 * time.Minute}
	defer client.CloseIdleConnections()
	ready := func() (int, string, error) {
		res, err := client.Get(at + "/actuator/health/readiness")
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
	if status, body, err := ready(); status != 200 || err != nil {
		t.Fatalf("readiness before the end: %d %s %v", status, body, err)
	}
	stop()
	for {
		status, body, err := ready()
		if err != nil {
			t.Fatalf("the listener closed without a word before: %v", err)
		}
		if status == http.StatusServiceUnavailable {
			if !strings.Contains(body, "OUT_OF_SERVICE") {
				t.Errorf("readiness: %s", body)
			}
			break
		}
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
