package sqlitestore_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

// childPath is the variable that turns the test binary into the process that
// is killed; childRound makes its ids new.
const (
	childPath  = "STORE_TEST_CHILD_PATH"
	childRound = "STORE_TEST_CHILD_ROUND"
)

var killSpec = store.Spec{Name: "Thing", Unique: []string{"email"}, Ordered: []string{"n"}}

func TestMain(m *testing.M) {
	if path := os.Getenv(childPath); path != "" {
		writeUntilKilled(path, os.Getenv(childRound))
		return
	}
	goleak.VerifyTestMain(m)
}

// writeUntilKilled is the child: eight writers that insert documents and
// replace every second one, and print id and revision of each acknowledged
// write. A line is one write to a pipe, so it survives the kill.
func writeUntilKilled(path, round string) {
	ctx := context.Background()
	db, err := sqlitestore.Open(ctx, sqlitestore.Config{Path: path})
	if err != nil {
		panic(err)
	}
	c, err := db.Collection(ctx, killSpec)
	if err != nil {
		panic(err)
	}
	var wg sync.WaitGroup
	for w := range int64(8) {
		wg.Go(func() {
			for i := w; ; i += 8 {
				d := payload(i)
				d.ID = fmt.Sprintf("%s-%d", round, i)
				d.Body = bytes.Replace(d.Body, []byte("@example.org"), []byte("@"+round+"ample.org"), 1)
				acknowledged(d.ID, 1, c.Insert(ctx, d))
				if i%2 == 0 {
					d.Rev = 1
					acknowledged(d.ID, 2, c.Replace(ctx, d))
				}
			}
		})
	}
	wg.Wait()
}

func acknowledged(id string, rev int, err error) {
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, id, rev)
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	const kills = 50
	path := filepath.Join(t.TempDir(), "killed.db")
	all := map[string]int64{}
	for round := range kills {
		acked := kill(t, path, fmt.Sprint(10+round)) // two digits: ids of a round are a range
		start := time.Now()
		db := open(t, sqlitestore.Config{Path: path})
		c, err := db.Collection(t.Context(), killSpec)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("kill %d: ready after %v", round, took)
		}
		prefix := fmt.Sprint(10+round, "-")
		present(t, c, store.Query{Where: []store.Cond{{Field: "_id", Op: store.Gt, Value: prefix}}}, acked)
		maps.Copy(all, acked)
		if round == kills-1 {
			present(t, c, store.Query{Order: "n"}, all)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 2*kills { // a busy machine under the race detector gets through few
		t.Errorf("only %d documents were acknowledged: the test says little", len(all))
	}
	t.Logf("%d documents acknowledged in %d processes", len(all), kills)
}

// kill runs the child and kills it at a random moment. It returns the newest
// acknowledged revision of each document.
func kill(t *testing.T, path, round string) map[string]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(130*time.Millisecond))
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), childPath+"="+path, childRound+"="+round)
	var out, complaint bytes.Buffer
	child.Stdout, child.Stderr = &out, &complaint
	err := child.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Exited() {
		t.Fatalf("the child was not killed: %v\n%s", err, &complaint)
	}
	acked := map[string]int64{}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		var id string
		var rev int64
		if _, err := fmt.Sscan(lines.Text(), &id, &rev); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		acked[id] = max(acked[id], rev)
	}
	return acked
}

// present fails unless q finds every acknowledged document in its revision or
// a later one, whole and by its unique key. There may be more: a write may be
// durable whose acknowledgement was not printed.
func present(t *testing.T, c store.Collection, q store.Query, acked map[string]int64) {
	t.Helper()
	found := map[string]int64{}
	for d, err := range c.Find(t.Context(), q) {
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Body.Validate(); err != nil {
			t.Errorf("document %s: %v", d.ID, err)
		}
		found[d.ID] = d.Rev
	}
	for id, rev := range acked {
		if found[id] < rev {
			t.Errorf("document %s: revision %d was acknowledged, %d is there", id, rev, found[id])
		}
	}
}
