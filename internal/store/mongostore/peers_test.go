//go:build peers

package mongostore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"ccms/internal/store"
)

// fresh opens a database of the test's own.
func fresh(t *testing.T, cfg Config) *DB {
	t.Helper()
	cfg.URL = deployment(t, t.Name())
	t.Cleanup(func() { drop(t, cfg.URL) })
	db := openPeer(t, cfg)
	t.Cleanup(func() {
		if err := db.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	})
	return db
}

func TestAServerThatIsAloneIsRefusedUnlessAllowed(t *testing.T) {
	at := deployment(t, t.Name())
	alone := openPeer(t, Config{URL: at})
	var is struct {
		SetName, Msg string
	}
	if err := alone.db.RunCommand(t.Context(), bson.D{{Key: "isMaster", Value: 1}}).Decode(&is); err != nil {
		t.Fatal(err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Config{URL: at})
	if is.SetName == "" && is.Msg == "" {
		if !errors.Is(err, ErrStandalone) || !strings.Contains(err.Error(), "store.allow-standalone") {
			t.Errorf("got %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestOpeningACollectionAgainMakesNoIndex(t *testing.T) {
	made := 0
	cfg := Config{monitor: &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "createIndexes" {
			made++
		}
	}}}
	s := store.Spec{Name: "Thing", Unique: []string{"email"}, Ordered: []string{"n"}, Expires: "gone"}
	first := fresh(t, cfg)
	if _, err := first.Collection(t.Context(), s); err != nil || made != 3 {
		t.Fatalf("%d indexes, %v", made, err)
	}
	cfg.URL = deployment(t, t.Name())
	again := openPeer(t, cfg)
	defer again.Close()
	if _, err := again.Collection(t.Context(), s); err != nil || made != 3 {
		t.Errorf("%d indexes, %v", made, err)
	}
}

func TestTheServerTidiesAnHourLater(t *testing.T) {
	db := fresh(t, Config{})
	c, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Expires: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.(*collection).docs.Indexes().ListSpecifications(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range all {
		if index.Name == "ccms_expires_gone" {
			if index.ExpireAfterSeconds == nil || *index.ExpireAfterSeconds != 3600 {
				t.Errorf("after %v", index.ExpireAfterSeconds)
			}
			return
		}
	}
	t.Errorf("no index among %v", all)
}

func TestADuplicateInAnOlderCollectionIsToldWithoutItsValue(t *testing.T) {
	db := fresh(t, Config{})
	docs := db.db.Collection("Thing")
	for _, id := range []string{"a", "b"} {
		if _, err := docs.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "email", Value: "ann@example.com"}}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Unique: []string{"email"}})
	if err == nil || strings.Contains(err.Error(), "ann") || !strings.Contains(err.Error(), "email") {
		t.Errorf("got %v", err)
	}
}

func TestNullsOfAnOlderCollectionDoNotHinderAUniqueKey(t *testing.T) {
	db := fresh(t, Config{})
	docs := db.db.Collection("Thing")
	for _, id := range []string{"a", "b"} {
		if _, err := docs.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "rev", Value: int64(1)}, {Key: "email", Value: nil}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Unique: []string{"email"}}); err != nil {
		t.Error(err)
	}
}

func TestLargeDocumentsAreReadInSmallPages(t *testing.T) {
	queries := 0
	db := fresh(t, Config{monitor: &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if e.CommandName == "find" {
			queries++
		}
	}}})
	c, err := db.Collection(t.Context(), store.Spec{Name: "Thing", Ordered: []string{"n"}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		body, err := bson.Marshal(bson.D{{Key: "n", Value: int64(i / 3)}, {Key: "blob", Value: make([]byte, 2<<20)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Insert(t.Context(), store.Doc{ID: fmt.Sprint(i), Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	for _, desc := range []bool{false, true} {
		queries = 0
		var seen strings.Builder
		for d, err := range c.Find(t.Context(), store.Query{Order: "n", Desc: desc}) {
			if err != nil {
				t.Fatal(err)
			}
			seen.WriteString(d.ID)
		}
		want := map[bool]string{false: "012345678", true: "876543210"}[desc]
		if seen.String() != want || queries < 4 {
			t.Errorf("found %s in %d queries, want %s", seen.String(), queries, want)
		}
	}
}
