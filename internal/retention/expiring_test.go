package retention_test

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/retention"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

func TestDocumentsThatTheStoreShouldHaveRemovedAreOverdue(t *testing.T) {
	db := storetest.New(t)
	// Without an expiry in its Spec the store removes nothing: the sweeper broke.
	c, err := db.Collection(t.Context(), store.Spec{Name: "Thing"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for id, body := range map[string]bson.D{
		"live": {{Key: "gone", Value: now.Add(time.Hour)}},
		"just": {{Key: "gone", Value: now.Add(-time.Minute)}},
		"late": {{Key: "gone", Value: now.Add(-time.Hour)}},
		"none": {{Key: "n", Value: 1}},
	} {
		raw, err := bson.Marshal(body)
		if err == nil {
			err = c.Insert(t.Context(), store.Doc{ID: id, Body: raw})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	source := retention.Expiring{Name: "things", Justification: "a test", Keep: 24 * time.Hour, Collection: "Thing", Field: "gone"}.In(db.(store.Dumper))
	got, err := source(t.Context(), now)
	if err != nil || got.Kept != 3 || got.Overdue != 1 || !got.Oldest.Equal(now.Add(-25*time.Hour)) || got.Name != "things" {
		t.Errorf("%+v, %v", got, err)
	}
}
