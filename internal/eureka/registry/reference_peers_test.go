//go:build peers

package registry_test

import (
	"encoding/json"
	"os"
	"testing"
)

// The reference still answers what the golden file holds; with
// CCMS_UPDATE_GOLDEN its answers are written there.
func TestTheReferenceAnswersAsRecorded(t *testing.T) {
	url := os.Getenv("CCMS_TEST_EUREKA_REFERENCE")
	if url == "" {
		t.Fatal("CCMS_TEST_EUREKA_REFERENCE names no server")
	}
	got := (&rest{t: t, url: url}).play()
	if os.Getenv("CCMS_UPDATE_GOLDEN") != "" {
		b, err := json.MarshalIndent(got, "", " ")
		if err == nil {
			err = os.WriteFile(goldenAnswers, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(goldenAnswers)
	if err != nil {
		t.Fatal(err)
	}
	var want []said
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers, %d recorded", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%d. %s\ngot  %+v\nwant %+v", i, got[i].Step, got[i], want[i])
		}
	}
}
