package idempotency_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/idempotency"
	"ccms/internal/problem"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func TestWithoutAKeyEveryRequestRuns(t *testing.T) {
	k := newWorld(t).keys(t)
	n := 0
	for range 3 {
		body, err := k.Do(t.Context(), request("", "b"), answering(&n, "x"))
		wantBody(t, body, err, "x")
	}
	if n != 3 {
		t.Fatalf("ran %d times, want 3", n)
	}
}

func TestTheSameRequestAgainGetsTheFirstAnswerOnEveryInstance(t *testing.T) {
	w := newWorld(t)
	n := 0
	body, err := w.keys(t).Do(t.Context(), request("k", "b"), answering(&n, `{"a":1}`))
	wantBody(t, body, err, `{"a":1}`)
	body, err = w.keys(t).Do(t.Context(), request("k", "b"), answering(&n, `{"a":2}`))
	wantBody(t, body, err, `{"a":1}`)
	if n != 1 {
		t.Fatalf("ran %d times, want once", n)
	}
}

func TestAnotherBodyUnderTheKeyIsRefused(t *testing.T) {
	k := newWorld(t).keys(t)
	n := 0
	_, _ = k.Do(t.Context(), request("k", "b"), answering(&n, "x"))
	_, err := k.Do(t.Context(), request("k", "c"), answering(&n, "y"))
	wantCode(t, err, "IDEMPOTENCY_MISMATCH")
}

func TestPrincipalRouteAndKeyAreIndependent(t *testing.T) {
	k := newWorld(t).keys(t)
	n := 0
	requests := []idempotency.Request{
		{Principal: "a", Route: "r", Key: "k"},
		{Principal: "b", Route: "r", Key: "k"},
		{Principal: "a", Route: "s", Key: "k"},
		{Principal: "a", Route: "r", Key: "K"},
		{Principal: "ar", Route: "", Key: "k"},
		{Principal: "", Route: "ar", Key: "k"},
	}
	for i, r := range requests {
		r.Body = []byte("b")
		want := fmt.Sprint(i)
		body, err := k.Do(t.Context(), r, answering(&n, want))
		wantBody(t, body, err, want)
	}
}

func TestWhileARequestRunsItsTwinIsToldSo(t *testing.T) {
	k := newWorld(t).keys(t)
	n := 0
	_, err := k.Do(t.Context(), request("k", "b"), func(ctx context.Context, _ []string) ([]byte, error) {
		_, err := k.Do(ctx, request("k", "b"), answering(&n, "twin"))
		wantCode(t, err, "IDEMPOTENCY_IN_PROGRESS")
		_, err = k.Do(ctx, request("k", "c"), answering(&n, "other"))
		wantCode(t, err, "IDEMPOTENCY_MISMATCH")
		return []byte("x"), nil
	})
	if err != nil || n != 0 {
		t.Fatalf("error %v, twins ran %d times", err, n)
	}
}

func TestAfterACrashTheNextTryGoesOnWithTheSameIDs(t *testing.T) {
	w := newWorld(t)
	crash := func() {
		defer func() { _ = recover() }()
		_, _ = w.keys(t).Do(t.Context(), request("k", "b", "id-1"), func(context.Context, []string) ([]byte, error) {
			panic("the process dies after the commit")
		})
	}
	crash()
	w.clock.Advance(30*time.Second - time.Millisecond)
	n := 0
	_, err := w.keys(t).Do(t.Context(), request("k", "b", "id-2"), answering(&n, "x"))
	wantCode(t, err, "IDEMPOTENCY_IN_PROGRESS")
	w.clock.Advance(time.Millisecond)
	body, err := w.keys(t).Do(t.Context(), request("k", "b", "id-3"), func(_ context.Context, ids []string) ([]byte, error) {
		if !slices.Equal(ids, []string{"id-1"}) {
			t.Errorf("ids %v, want those of the first try", ids)
		}
		return []byte("x"), nil
	})
	wantBody(t, body, err, "x")
}

func TestASlowFirstTryAndItsSuccessorAnswerAlike(t *testing.T) {
	w := newWorld(t)
	k := w.keys(t)
	body, err := k.Do(t.Context(), request("k", "b", "id"), func(ctx context.Context, _ []string) ([]byte, error) {
		w.clock.Advance(31 * time.Second)
		n := 0
		body, err := k.Do(ctx, request("k", "b"), answering(&n, "second"))
		wantBody(t, body, err, "second")
		return []byte("first"), nil
	})
	wantBody(t, body, err, "second")
}

func TestConflictsAreKeptWithTheirTime(t *testing.T) {
	w := newWorld(t)
	k := w.keys(t)
	n := 0
	refuse := failing(&n, problem.New(problem.Conflict, "CARD_EXISTS", "Credit card already exists", "d"))
	_, first := k.Do(t.Context(), request("k", "b"), refuse)
	w.clock.Advance(time.Hour)
	_, again := k.Do(t.Context(), request("k", "b"), answering(&n, "x"))
	a, b := problem.From(first), problem.From(again)
	if n != 1 || a.Code != "CARD_EXISTS" || a.At.IsZero() {
		t.Fatalf("ran %d times, first %+v", n, a)
	}
	if a.Kind != b.Kind || a.Code != b.Code || a.Message != b.Message || a.Details != b.Details || !a.At.Equal(b.At) {
		t.Fatalf("first %+v, again %+v", a, b)
	}
}

func TestWhatIsNotKeptRunsAgain(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		sameIDs bool // the act may have happened
	}{
		{"shape error", problem.Validation("d"), false},
		{"no token", problem.NoToken(), false},
		{"denied", problem.Denied("d"), false},
		{"throttled", problem.Throttled(time.Second), false},
		{"database", problem.Database(errors.New("down")), true},
		{"time-out", problem.TimedOut(errors.New("slow")), true},
		{"unavailable", problem.ServiceUnavailable(time.Second), true},
		{"unknown", errors.New("who knows"), true},
		{"caller gone", context.Canceled, true},
	}
	w := newWorld(t)
	k := w.keys(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			_, err := k.Do(t.Context(), request(tt.name, "b", "id-1"), failing(&n, tt.err))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			want := "id-2"
			if tt.sameIDs {
				want = "id-1"
			}
			body, err := k.Do(t.Context(), request(tt.name, "b", "id-2"), func(_ context.Context, ids []string) ([]byte, error) {
				return []byte(ids[0]), nil
			})
			wantBody(t, body, err, want)
		})
	}
}

func TestAnAnswerIsKeptFor24Hours(t *testing.T) {
	w := newWorld(t)
	k := w.keys(t)
	n := 0
	_, _ = k.Do(t.Context(), request("k", "b"), answering(&n, "old"))
	w.clock.Advance(24*time.Hour - time.Millisecond)
	body, err := k.Do(t.Context(), request("k", "b"), answering(&n, "new"))
	wantBody(t, body, err, "old")
	w.clock.Advance(time.Millisecond)
	body, err = k.Do(t.Context(), request("k", "c"), answering(&n, "new"))
	wantBody(t, body, err, "new")
}

func TestACallerWhoLeavesStillGetsItsAnswerKept(t *testing.T) {
	k := newWorld(t).keys(t)
	ctx, leave := context.WithCancel(t.Context())
	n := 0
	_, err := k.Do(ctx, request("k", "b"), func(context.Context, []string) ([]byte, error) {
		leave()
		return []byte("x"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := k.Do(t.Context(), request("k", "b"), answering(&n, "y"))
	wantBody(t, body, err, "x")
}

func TestParallelTriesOfOneKeyRunOnce(t *testing.T) {
	w := newWorld(t)
	instances := []*idempotency.Keys{w.keys(t), w.keys(t)}
	var mu sync.Mutex
	runs, answers := map[string]int{}, map[string]map[string]bool{}
	try := func(i int) (inProgress bool) {
		key := fmt.Sprint(i % 100)
		body, err := instances[i%2].Do(t.Context(), request(key, key), func(context.Context, []string) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			runs[key]++
			return []byte(rand.Text()), nil
		})
		if problem.From(err).Code == "IDEMPOTENCY_IN_PROGRESS" {
			return true
		}
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Errorf("key %s: %v", key, err)
		}
		if answers[key] == nil {
			answers[key] = map[string]bool{}
		}
		answers[key][string(body)] = true
		return false
	}
	var refused [500]bool
	var wg sync.WaitGroup
	for i := range refused {
		wg.Go(func() { refused[i] = try(i) })
	}
	wg.Wait()
	for i, inProgress := range refused {
		if inProgress && try(i) {
			t.Errorf("try %d: the key is still claimed", i)
		}
	}
	for key, n := range runs {
		if n != 1 || len(answers[key]) != 1 {
			t.Errorf("key %s: ran %d times, %d answers", key, n, len(answers[key]))
		}
	}
	if len(runs) != 100 {
		t.Errorf("%d keys ran, want 100", len(runs))
	}
}

func TestWhenAnAnswerCannotBeKept(t *testing.T) {
	down := storetest.Rule{Op: storetest.Replace, Err: errors.New("down")}
	conflict := problem.New(problem.Conflict, "CARD_EXISTS", "Credit card already exists", "d")
	t.Run("an act that happened is answered, and again from its ids", func(t *testing.T) {
		w := newWorld(t)
		k := w.keys(t)
		byIDs := func(_ context.Context, ids []string) ([]byte, error) { return []byte(ids[0]), nil }
		w.db.Add(down)
		body, err := k.Do(t.Context(), request("k", "b", "id-1"), byIDs)
		wantBody(t, body, err, "id-1")
		w.db.Clear()
		w.clock.Advance(30 * time.Second)
		body, err = k.Do(t.Context(), request("k", "b", "id-2"), byIDs)
		wantBody(t, body, err, "id-1")
	})
	t.Run("a refusal is not given, since it might fall out otherwise", func(t *testing.T) {
		w := newWorld(t)
		n := 0
		w.db.Add(down)
		_, err := w.keys(t).Do(t.Context(), request("k", "b"), failing(&n, conflict))
		wantCode(t, err, "DATABASE_ERROR")
	})
}

func TestWithoutTheStoreNothingRuns(t *testing.T) {
	w := newWorld(t)
	k := w.keys(t)
	w.db.Add(storetest.Rule{Err: errors.New("down")})
	n := 0
	_, err := k.Do(t.Context(), request("k", "b"), answering(&n, "x"))
	wantCode(t, err, "DATABASE_ERROR")
	if n != 0 {
		t.Error("the act ran without a claim")
	}
}

func TestAnAnswerMovedToAnotherKeyIsNotReplayed(t *testing.T) {
	w := newWorld(t)
	k := w.keys(t)
	n := 0
	_, _ = k.Do(t.Context(), request("one", "b"), answering(&n, "answer of one"))
	_, _ = k.Do(t.Context(), request("two", "b"), answering(&n, "answer of two"))
	c, err := w.db.Collection(t.Context(), store.Spec{Name: "Idempotency", Expires: "expiresAt"})
	if err != nil {
		t.Fatal(err)
	}
	var docs []store.Doc
	for d, err := range c.Find(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	answers := make([]bson.M, len(docs))
	for i, d := range docs {
		if err := bson.Unmarshal(d.Body, &answers[i]); err != nil {
			t.Fatal(err)
		}
	}
	answers[0]["answer"], answers[1]["answer"] = answers[1]["answer"], answers[0]["answer"]
	for i, d := range docs {
		if d.Body, err = bson.Marshal(answers[i]); err != nil {
			t.Fatal(err)
		}
		if err := c.Replace(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	body, err := k.Do(t.Context(), request("one", "b"), answering(&n, "x"))
	if err == nil || n != 2 {
		t.Fatalf("got %q, %v after %d runs", body, err, n)
	}
}

func TestTheStoreHoldsNeitherKeyNorBodyNorAnswer(t *testing.T) {
	w := newWorld(t)
	n := 0
	words := []string{rand.Text(), rand.Text(), rand.Text()}
	if _, err := w.keys(t).Do(t.Context(), request(words[0], words[1]), answering(&n, words[2])); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(w.path), "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, error %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, word := range words {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%s holds word %d", filepath.Base(f), i)
			}
		}
	}
}

func TestParseKey(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   string
		ok     bool
	}{
		{"no header is no key", nil, "", true},
		{"one character is enough", []string{"a"}, "a", true},
		{"spaces and quotes are printable", []string{`"a b~"`}, `"a b~"`, true},
		{"255 characters are the most", []string{strings.Repeat("k", 255)}, strings.Repeat("k", 255), true},
		{"256 are too many", []string{strings.Repeat("k", 256)}, "", false},
		{"an empty header is refused", []string{""}, "", false},
		{"two headers are refused", []string{"a", "a"}, "", false},
		{"a tab is refused", []string{"a\tb"}, "", false},
		{"a byte above ASCII is refused", []string{"ä"}, "", false},
		{"DEL is refused", []string{"\x7f"}, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := idempotency.ParseKey(tt.values)
			if got != tt.want || (err == nil) != tt.ok {
				t.Fatalf("got %q, %v", got, err)
			}
			if !tt.ok {
				wantCode(t, err, "VALIDATION_ERROR")
			}
		})
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"", "k", "a b", "ä", "\x00", strings.Repeat("k", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, err := idempotency.ParseKey([]string{s})
		if err == nil && (key != s || key == "" || len(key) > 255) {
			t.Fatalf("took %q as %q", s, key)
		}
		for _, c := range []byte(key) {
			if c < ' ' || c > '~' {
				t.Fatalf("took byte %#x", c)
			}
		}
	})
}
