//go:build peers

package mongostore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// deployment returns the URL of a database of its own for a test, on the
// deployment CCMS_TEST_MONGODB_URL names. It is dropped when the test ends.
func deployment(t testing.TB, name string) string {
	t.Helper()
	given := os.Getenv("CCMS_TEST_MONGODB_URL")
	if given == "" {
		t.Fatal("these tests need a MongoDB: give its URL in CCMS_TEST_MONGODB_URL, or run make check-peers")
	}
	sum := sha256.Sum256([]byte(name))
	before, query, _ := strings.Cut(given, "?")
	scheme, rest, _ := strings.Cut(before, "://")
	hosts, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + hosts + "/ccms_test_" + hex.EncodeToString(sum[:8]) + "?" + query
}

func openPeer(t testing.TB, cfg Config) *DB {
	t.Helper()
	cfg.AllowStandalone = true
	db, err := openPatiently(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// openPatiently gives a server that shares a busy machine some tries, as boot
// does at the start of a process.
func openPatiently(ctx context.Context, cfg Config) (*DB, error) {
	for try := 0; ; try++ {
		db, err := Open(ctx, cfg)
		if err == nil || try == 20 || !errors.Is(err, ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) {
			return db, err
		}
	}
}

// drop removes the database of a test.
func drop(t testing.TB, mongoURL string) {
	db, err := openPatiently(context.Background(), Config{URL: mongoURL, AllowStandalone: true})
	if err != nil {
		t.Error(err)
		return
	}
	if err := db.db.Drop(context.Background()); err != nil {
		t.Log("not tidied up:", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// writes are the commands that change documents.
var writes = []string{"insert", "update", "delete", "findAndModify", "bulkWrite"}

// concerns watches that every write is durable and every read majority.
type concerns struct {
	mu     sync.Mutex
	writes int
	bad    []string
}

func (c *concerns) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case slices.Contains(writes, e.CommandName):
			c.writes++
			concern := e.Command.Lookup("writeConcern")
			w, _ := concern.Document().Lookup("w").StringValueOK()
			j, _ := concern.Document().Lookup("j").BooleanOK()
			if w != "majority" || !j {
				c.bad = append(c.bad, e.CommandName+" with "+concern.String())
			}
		case e.CommandName == "find":
			if level, _ := e.Command.Lookup("readConcern", "level").StringValueOK(); level != "majority" {
				c.bad = append(c.bad, "find with "+e.Command.Lookup("readConcern").String())
			}
		}
	}}
}

// TestSuite holds the driver against the contract, and every command it sends
// on the way against what is durable.
func TestSuite(t *testing.T) {
	var watched concerns
	var mu sync.Mutex
	dropped := map[string]bool{}
	t.Run("contract", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB, path string, now func() time.Time) store.DB {
			at := deployment(t, path)
			mu.Lock()
			if !dropped[at] {
				dropped[at] = true
				t.Cleanup(func() { drop(t, at) })
			}
			mu.Unlock()
			return openPeer(t, Config{URL: weaker(t, at), Now: now, monitor: watched.monitor()})
		}, deviations(t)...)
	})
	if len(watched.bad) > 0 {
		t.Errorf("%d commands were not durable, e.g. %s", len(watched.bad), watched.bad[0])
	}
	if watched.writes < 10_000 {
		t.Errorf("only %d writes were seen: the test says little", watched.writes)
	}
	t.Logf("%d writes, all w:majority and j:true", watched.writes)
}

// deviations asks the server where it differs from MongoDB.
func deviations(t *testing.T) []storetest.Deviation {
	at := deployment(t, t.Name())
	t.Cleanup(func() { drop(t, at) })
	db := openPeer(t, Config{URL: at})
	defer db.Close()
	c, err := db.Collection(t.Context(), store.Spec{Name: "Order"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"\uff61", "\U0001f0a1"} {
		if err := c.Insert(t.Context(), store.Doc{ID: id, Body: bson.Raw("\x05\x00\x00\x00\x00")}); err != nil {
			t.Fatal(err)
		}
	}
	for d := range c.Find(t.Context(), store.Query{}) {
		if d.ID != "\uff61" {
			t.Logf("this server: %s", storetest.UTF16Order)
			return []storetest.Deviation{storetest.UTF16Order}
		}
		break
	}
	return nil
}

// weaker adds options to the URL that would make writes less than durable.
func weaker(t testing.TB, text string) string {
	t.Helper()
	before, query, _ := strings.Cut(text, "?")
	v, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	v.Set("w", "1")
	v.Set("journal", "false")
	v.Set("readConcernLevel", "local")
	v.Set("readPreference", "secondaryPreferred")
	return before + "?" + v.Encode()
}
