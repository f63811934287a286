package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
)

const batchPath = "/eureka/peerreplication/batch/"

// batch sends items and returns their codes.
func (s *rest) batch(items string, headers ...string) []int {
	s.t.Helper()
	got := s.want(http.StatusOK, "POST", batchPath, `{"replicationList":[`+items+`]}`, append([]string{"Content-Type", "application/json"}, headers...)...)
	var out struct {
		ResponseList []struct {
			StatusCode     int
			ResponseEntity map[string]any
		}
	}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil {
		s.t.Fatalf("%v: %s", err, got.body)
	}
	var codes []int
	for _, r := range out.ResponseList {
		if (r.ResponseEntity != nil) != (r.StatusCode == http.StatusConflict) {
			s.t.Errorf("entity with %d: %s", r.StatusCode, got.body)
		}
		codes = append(codes, r.StatusCode)
	}
	return codes
}

func unrooted(app, id string, more ...string) string {
	in := instanceJSON(app, id, more...)
	return strings.TrimSuffix(strings.TrimPrefix(in, `{"instance":`), `}`)
}

func item(action, app, id string, more ...string) string {
	return fmt.Sprintf(`{"appName":%q,"id":%q,"action":%q%s}`, app, id, action, strings.Join(append([]string{""}, more...), ","))
}

// T21: every action, in order, answered item by item.
func TestABatchIsAnsweredItemByItem(t *testing.T) {
	s := serve(t, registry.Config{})
	s.register("SVC", "old", `"lastDirtyTimestamp":"9000"`)
	got := s.batch(strings.Join([]string{
		item("Register", "SVC", "a", `"lastDirtyTimestamp":5`, `"status":"UP"`, `"instanceInfo":`+unrooted("SVC", "a", `"lastDirtyTimestamp":"5"`)),
		item("Heartbeat", "svc", "a", `"lastDirtyTimestamp":5`, `"status":"UP"`),
		item("Heartbeat", "SVC", "none", `"lastDirtyTimestamp":5`),
		item("Heartbeat", "SVC", "old", `"lastDirtyTimestamp":8000`),
		item("StatusUpdate", "SVC", "a", `"lastDirtyTimestamp":5`, `"status":"OUT_OF_SERVICE"`),
		item("StatusUpdate", "SVC", "a", `"status":"up"`),
		item("StatusUpdate", "SVC", "none", `"status":"DOWN"`),
		item("Register", "SVC", "b"),
		item("Register", "SVC", "b", `"instanceInfo":`+unrooted("OTHER", "b")),
		item("Register", "SVC", "c", `"instanceInfo":`+unrooted("SVC", "c")),
		item("Cancel", "SVC", "c"),
		item("Cancel", "SVC", "c"),
	}, ","))
	want := []int{200, 200, 404, 409, 200, 500, 404, 500, 200, 200, 200, 404}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if in := s.instance("SVC", "a"); in.Status != eureka.OutOfService || in.Overridden != eureka.OutOfService {
		t.Errorf("status %s, overridden %s", in.Status, in.Overridden)
	}
	if got := s.batch(item("DeleteStatusOverride", "SVC", "a", `"status":"UP"`)); !slices.Equal(got, []int{200}) {
		t.Errorf("override not removed: %v", got)
	}
	if in := s.instance("SVC", "a"); in.Status != eureka.Up || in.Overridden != eureka.Unknown {
		t.Errorf("status %s, overridden %s", in.Status, in.Overridden)
	}
	if a := s.apps("/apps"); a.Hash != "UP_2_" {
		t.Errorf("hash %s: an instance whose names disagree came in", a.Hash)
	}
	if got := s.batch(item("Heartbeat", "SVC", "a", `"lastDirtyTimestamp":"6"`, `"overriddenStatus":"DOWN"`)); !slices.Equal(got, []int{404}) {
		t.Errorf("newer heartbeat: %v", got)
	}
}

// T21: what is no batch.
func TestWhatIsNoBatchIsRefused(t *testing.T) {
	s := serve(t, registry.Config{})
	if got := s.want(http.StatusOK, "POST", batchPath, `{"replicationList":[]}`, "Content-Type", "application/json"); got.body != `{"responseList":[]}` {
		t.Errorf("an empty list: %s", got.body)
	}
	for body, status := range map[string]int{
		`{}`:                       500,
		`{"replicationList":null}`: 500,
		``:                         400,
		`[]`:                       400,
		`{"replicationList":[{}]}`: 400,
		`{"replicationList":[1]}`:  400,
		`{"replicationList":[`:     400,
		"{\"replicationList\":[" + item("Explode", "A", "b") + "]}":                               400,
		"{\"replicationList\":[" + item("Heartbeat", "A", "b", `"lastDirtyTimestamp":"x"`) + "]}": 400,
	} {
		got := s.want(status, "POST", batchPath, body, "Content-Type", "application/json")
		if status == 500 && got.body != "" || status == 400 && got.body != `{"error": "cannot parse request body"}` {
			t.Errorf("%s: %s", body, got.body)
		}
	}
	s.want(http.StatusUnsupportedMediaType, "POST", batchPath, `<a/>`, "Content-Type", "application/xml")
	s.want(http.StatusRequestEntityTooLarge, "POST", batchPath, strings.Repeat(" ", 16<<20+1), "Content-Type", "application/json")
	s.want(http.StatusMethodNotAllowed, "GET", batchPath, "")
}

// Decision E3: per item, whatever names the item and its instance go by.
func TestABatchWritesReservedNamesOnlyWithProof(t *testing.T) {
	s := serve(t, registry.Config{Authorize: func(r *http.Request) bool { return r.Header.Get("CCMS-Proof") == "good" }})
	list := strings.Join([]string{
		item("Register", "LOGIN-SERVICE", "l", `"instanceInfo":`+unrooted("LOGIN-SERVICE", "l")),
		item("Register", "OTHER", "l", `"instanceInfo":`+unrooted("login-service", "l")),
		item("Register", "portal", "p", `"instanceInfo":`+unrooted("OTHER", "p")),
		item("Register", "OTHER", "v", `"instanceInfo":`+unrooted("OTHER", "v", `"vipAddress":"x,Portal"`)),
		item("Register", "OTHER", "o", `"instanceInfo":`+unrooted("OTHER", "o")),
		item("Heartbeat", "LOGIN-SERVICE", "l"),
		item("StatusUpdate", "LOGIN-SERVICE", "l", `"status":"DOWN"`),
		item("Cancel", "login-service", "l"),
	}, ",")
	if got, want := s.batch(list), []int{403, 403, 403, 403, 200, 403, 403, 403}; !slices.Equal(got, want) {
		t.Errorf("without proof: %v, want %v", got, want)
	}
	if got, want := s.batch(list, "CCMS-Proof", "good"), []int{200, 200, 200, 200, 200, 200, 200, 200}; !slices.Equal(got, want) {
		t.Errorf("with proof: %v, want %v", got, want)
	}
}

// T29
func TestALargeBatchIsAnsweredInTime(t *testing.T) {
	s := serve(t, registry.Config{})
	var registers, beats []string
	for i := range 250 {
		id := fmt.Sprintf("host-%d:svc:8080", i)
		registers = append(registers, item("Register", "SVC", id, `"instanceInfo":`+unrooted("SVC", id, `"lastDirtyTimestamp":"5"`)))
		beats = append(beats, item("Heartbeat", "SVC", id, `"lastDirtyTimestamp":5`))
	}
	all200 := func(codes []int) bool {
		return len(codes) == 250 && !slices.ContainsFunc(codes, func(c int) bool { return c != 200 })
	}
	for _, list := range [][]string{registers, beats} {
		best := time.Hour // of three: the machine may be busy
		for range 3 {
			start := time.Now()
			if !all200(s.batch(strings.Join(list, ","))) {
				t.Fatal("not all were taken")
			}
			best = min(best, time.Since(start))
		}
		if best > 200*time.Millisecond {
			t.Errorf("%v", best)
		}
	}
}
