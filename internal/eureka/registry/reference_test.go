package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ccms/internal/eureka/registry"
)

// goldenAnswers holds what the reference server (Spring Cloud's, see
// peers/eureka-reference) answered to the script.
const goldenAnswers = "testdata/reference.json"

// step is one request of the script.
type step struct {
	method, path, body string
	headers            []string
	noID               bool // the registrant gave no id: ours fills it in, which loses nobody (§5.1)
}

var (
	asJSON = []string{"Accept", "application/json"}
	asXML  = []string{"Accept", "application/xml"}
	sends  = []string{"Content-Type", "application/json"}
	sendsX = []string{"Content-Type", "application/xml"}
	peers  = []string{"x-netflix-discovery-replication", "true", "Accept", "application/json"}
)

func with(lists ...[]string) []string { return slices.Concat(lists...) }

func at(dirty string, more ...string) []string {
	return append([]string{`"lastDirtyTimestamp":"` + dirty + `"`}, more...)
}

// script is a registry's day. Lists hold one application, so that an order that
// means nothing is not compared.
func script() []step {
	a := "/eureka/apps/SVC-A"
	known := func(app, id string, more ...string) string { // the reference takes no class it does not know
		return strings.Replace(instanceJSON(app, id, more...), `"@class":"x"`, `"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"`, 1)
	}
	register := func(id string, more ...string) step {
		return step{method: "POST", path: a, body: known("SVC-A", id, more...), headers: sends}
	}
	all := func() []step {
		return []step{
			{method: "GET", path: "/eureka/apps/", headers: asJSON},
			{method: "GET", path: "/eureka/apps/delta", headers: asJSON},
			{method: "GET", path: a, headers: asXML},
		}
	}
	amazon := `{"instance":{"hostName":"h","app":"SVC-A","ipAddr":"1.2.3.4","status":"UP","lastDirtyTimestamp":5,"dataCenterInfo":{"@class":"com.netflix.appinfo.AmazonInfo","name":"Amazon","metadata":{"instance-id":"i-1","public-hostname":"p"}}}}`
	spring := `{"instance":{"instanceId":"h:foo:80","app":"SVC-A","appGroupName":null,"ipAddr":"1.2.3.4","sid":"na","homePageUrl":null,"statusPageUrl":null,"healthCheckUrl":null,"secureHealthCheckUrl":null,"vipAddress":"foo","secureVipAddress":null,"countryId":1,"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},"hostName":"h","status":"UP","overriddenStatus":"UNKNOWN","leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,"registrationTimestamp":0,"lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},"isCoordinatingDiscoveryServer":false,"lastUpdatedTimestamp":1795310386532,"lastDirtyTimestamp":1795310386532,"actionType":null,"asgName":null,"port":{"$":80,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"metadata":{"k":"v"}}}`
	steps := []step{{method: "GET", path: "/eureka/apps", headers: asJSON}, {method: "GET", path: "/eureka/apps", headers: asXML}, register("i", at("10")...)}
	steps = append(steps, all()...)
	steps = append(steps, []step{
		{method: "GET", path: "/eureka/v2/apps/svc-a/i/", headers: asJSON}, {method: "GET", path: "/eureka/instances/i", headers: asJSON},
		{method: "GET", path: "/eureka/vips/vip-svc-a", headers: asJSON}, {method: "GET", path: "/eureka/vips/none", headers: asJSON},
		{method: "GET", path: "/eureka/svips/none", headers: asXML}, {method: "GET", path: "/eureka/apps/NONE", headers: asJSON},
		{method: "GET", path: a + "/none", headers: asJSON}, {method: "GET", path: "/eureka/instances/none", headers: asJSON},
		{method: "GET", path: "/eureka/apps/delta", headers: with(asJSON, []string{"X-Eureka-Accept", "compact"})},
		{method: "GET", path: a, headers: with(asXML, []string{"X-Eureka-Accept", "Compact"})},
		{method: "GET", path: "/eureka/apps/"}, {method: "GET", path: "/eureka/apps/", headers: []string{"Accept", "text/html"}},
		{method: "GET", path: "/eureka/nothing"}, {method: "GET", path: "/eureka/"},
		// Heartbeats (6.6).
		{method: "PUT", path: a + "/i"}, {method: "PUT", path: a + "/i?status=UP&lastDirtyTimestamp=10"},
		{method: "PUT", path: a + "/i?lastDirtyTimestamp=9"}, {method: "PUT", path: a + "/i?lastDirtyTimestamp=11"},
		{method: "PUT", path: a + "/i?lastDirtyTimestamp=9", headers: peers}, {method: "PUT", path: a + "/i?lastDirtyTimestamp=11", headers: peers},
		{method: "PUT", path: a + "/none", headers: asJSON}, {method: "PUT", path: "/eureka/apps/NONE/i"},
		// Status and override (6.8, 6.9, 7.4).
		{method: "PUT", path: a + "/i/status?value=UP"}, {method: "PUT", path: a + "/i/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=12"},
		{method: "PUT", path: a + "/none/status?value=UP"}, {method: "PUT", path: a + "/i/status?value=up"}, {method: "PUT", path: a + "/i/status"},
	}...)
	steps = append(steps, all()...)
	steps = append(steps, register("i", at("13")...), register("i", at("14", `"status":"DOWN"`)...))
	steps = append(steps, all()...)
	steps = append(steps, register("i", at("15", `"status":"UP"`)...), register("i", at("3", `"status":"DOWN"`)...))
	steps = append(steps, all()...)
	steps = append(steps, []step{
		{method: "DELETE", path: a + "/i/status"}, {method: "PUT", path: a + "/i"}, {method: "DELETE", path: a + "/i/status?value=UP"},
		register("i", at("16")...), {method: "PUT", path: a + "/i"},
		// Metadata (6.10).
		{method: "PUT", path: a + "/i/metadata?zone=z1&a%3Cb=2"}, {method: "PUT", path: a + "/none/metadata?a=b"},
	}...)
	steps = append(steps, all()...)
	steps = append(steps, []step{
		{method: "DELETE", path: a + "/i"}, {method: "DELETE", path: a + "/i"}, {method: "GET", path: "/eureka/apps/", headers: asJSON},
		{method: "GET", path: "/eureka/apps/delta", headers: asJSON},
		// Bodies (6.4 and 5.3).
		{method: "POST", path: a, body: "garbage", headers: sends}, {method: "POST", path: a, body: "garbage", headers: sendsX},
		{method: "POST", path: a, body: "{}", headers: sends}, {method: "POST", path: a, body: "", headers: sends},
		{method: "POST", path: a, body: known("SVC-A", "x")}, {method: "POST", path: a, body: "x", headers: []string{"Content-Type", "text/plain"}},
		{method: "POST", path: a, body: known("OTHER", "x"), headers: sends},
		{method: "POST", path: a, body: `{"instance":{"app":"SVC-A","hostName":"","ipAddr":"1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`, headers: sends},
		{method: "POST", path: a, body: `{"instance":{"instanceId":"x","app":"SVC-A","ipAddr":"1","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`, headers: sends},
		{method: "POST", path: a, body: `{"instance":{"instanceId":"x","app":"SVC-A","hostName":"h","dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`, headers: sends},
		{method: "POST", path: a, body: `{"instance":{"instanceId":"x","app":"SVC-A","hostName":"h","ipAddr":"1"}}`, headers: sends},
		{method: "POST", path: a, body: amazon, headers: sends}, {method: "GET", path: a + "/i-1", headers: asJSON, noID: true}, {method: "GET", path: a, headers: asXML, noID: true}, {method: "DELETE", path: a + "/i-1"},
		{method: "POST", path: a, body: spring, headers: sends}, {method: "GET", path: a, headers: asJSON}, {method: "DELETE", path: a + "/h:foo:80"},
	}...)
	for _, more := range []string{
		`"port":{"$":"9090","@enabled":true}`, `"port":null`, `"port":{"$":"x","@enabled":"TRUE"}`, `"status":null`, `"status":""`, `"status":"up"`, `"status":"NONSENSE"`,
		`"countryId":"7"`, `"countryId":0`, `"leaseInfo":{"renewalIntervalInSecs":"5","durationInSecs":0,"evictionDurationInSecs":9}`, `"leaseInfo":null`,
		`"metadata":null`, `"metadata":{}`, `"metadata":{"@class":"x"}`, `"metadata":{"n":5,"b":true,"a<b":"&","1abc":"x","my_key":"y"}`,
		`"sid":"x"`, `"appGroupName":"grp"`, `"vipAddress":""`, `"unknown":5`, `"asgName":"asg"`, `"overriddenstatus":"DOWN"`, `"overriddenStatus":""`,
		`"isCoordinatingDiscoveryServer":true`, `"actionType":"DELETED"`, `"healthCheckUrl":"http://h/","secureHealthCheckUrl":"https://h/"`,
	} {
		steps = append(steps, register("v", append(at("7"), more)...), step{method: "GET", path: a + "/v", headers: asJSON}, step{method: "GET", path: a, headers: asXML}, step{method: "DELETE", path: a + "/v"})
	}
	batch := func(items ...string) step {
		return step{method: "POST", path: "/eureka/peerreplication/batch/", body: `{"replicationList":[` + strings.Join(items, ",") + `]}`, headers: with(sends, asJSON)}
	}
	const myOwn = `"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}`
	in := func(app, id, dirty string) string {
		return fmt.Sprintf(`"instanceInfo":{"instanceId":%q,"app":%q,"hostName":"h","ipAddr":"1.1.1.1","lastDirtyTimestamp":"%s",%s}`, id, app, dirty, myOwn)
	}
	steps = append(steps,
		batch(item("Register", "SVC-A", "b", in("SVC-A", "b", "5")), item("Heartbeat", "SVC-A", "b", `"lastDirtyTimestamp":5`, `"status":"UP"`), item("Heartbeat", "SVC-A", "none", `"lastDirtyTimestamp":5`)),
		batch(item("Heartbeat", "SVC-A", "b", `"lastDirtyTimestamp":4`)), batch(item("Heartbeat", "SVC-A", "b", `"lastDirtyTimestamp":6`)),
		batch(item("StatusUpdate", "SVC-A", "b", `"lastDirtyTimestamp":5`, `"status":"DOWN"`), item("StatusUpdate", "SVC-A", "none", `"status":"DOWN"`)),
		step{method: "GET", path: a, headers: asJSON},
		batch(item("DeleteStatusOverride", "SVC-A", "b", `"lastDirtyTimestamp":5`, `"status":"UP"`), item("Cancel", "SVC-A", "b"), item("Cancel", "SVC-A", "b")),
		batch(), batch(item("Explode", "SVC-A", "b")),
		step{method: "POST", path: "/eureka/peerreplication/batch/", body: `{`, headers: with(sends, asJSON)},
		step{method: "GET", path: "/eureka/apps/", headers: asJSON},
		step{method: "PUT", path: "/eureka/asg/x/status?value=ENABLED"},
	)
	for _, path := range []string{"/eureka/apps", a, a + "/i", a + "/i/status", a + "/i/metadata", "/eureka/instances/i", "/eureka/vips/x", "/eureka/peerreplication/batch"} {
		steps = append(steps, step{method: "PATCH", path: path}, step{method: "OPTIONS", path: path})
	}
	return steps
}

// said is an answer without what differs from run to run and what is meant to
// differ.
type said struct {
	Step   string `json:"step"`
	Status int    `json:"status"`
	Type   string `json:"type,omitempty"`
	Allow  string `json:"allow,omitempty"`
	Body   string `json:"body,omitempty"`
}

var (
	stampsPattern  = regexp.MustCompile(`("?(?:registrationTimestamp|lastRenewalTimestamp|evictionTimestamp|serviceUpTimestamp|lastUpdatedTimestamp)"?[:>]"?)[1-9][0-9]*`)
	idPattern      = regexp.MustCompile(`"instanceId":"[^"]*",|\s*<instanceId>[^<]*</instanceId>`)
	metaPattern    = regexp.MustCompile(`(?s)<metadata>(.*?)</metadata>`)
	versionPattern = regexp.MustCompile(`("?versions__delta"?[:>]"?)[0-9]+`)
	// Boot's error document, where Netflix's own server and ours send nothing.
	bootPattern = regexp.MustCompile(`(?s)^(\{"timestamp":.*"path":.*\}|<.*timestamp.*|<html>.*Whitelabel.*)$`)
)

// normal is what two servers must agree on.
func normal(s step, r reply) said {
	out := said{Step: s.method + " " + s.path, Status: r.status, Type: r.header.Get("Content-Type"), Allow: r.header.Get("Allow"), Body: r.body}
	out.Type, _, _ = strings.Cut(out.Type, ";") // §18: charset
	if s.method == "OPTIONS" {
		out.Status, out.Body = 0, "" // 200 or 204
	}
	methods := slices.DeleteFunc(strings.Split(out.Allow, ","), func(m string) bool { return m == "" || m == "HEAD" || m == "OPTIONS" })
	slices.Sort(methods)
	out.Allow = strings.Join(methods, ",")
	if out.Status >= 400 && bootPattern.MatchString(out.Body) {
		out.Body = ""
	}
	if out.Body == "" || strings.HasPrefix(out.Body, "Mis") {
		out.Type = "" // a sentence is text with us, whatever was asked for (§18: body and label agree)
	}
	if s.noID {
		out.Body = idPattern.ReplaceAllString(out.Body, "")
	}
	out.Body = metaPattern.ReplaceAllStringFunc(out.Body, func(m string) string { // an order by hash code
		lines := strings.Split(m, "\n")
		slices.Sort(lines[1 : len(lines)-1])
		return strings.Join(lines, "\n")
	})
	out.Body = stampsPattern.ReplaceAllString(out.Body, "${1}1")
	out.Body = versionPattern.ReplaceAllString(out.Body, "${1}1")
	out.Body = sorted(out.Body)
	return out
}

// sorted orders the members of a JSON document, and drops the accident of the
// compact form.
func sorted(body string) string {
	var v any
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return body
	}
	if root, ok := v.(map[string]any); ok {
		if apps, ok := root["applications"].(map[string]any); ok {
			delete(apps, "registeredApplicationsEmpty")
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

// play sends the script and returns the answers.
func (s *rest) play() []said {
	s.t.Helper()
	var all []said
	for _, st := range script() {
		all = append(all, normal(st, s.ask(st.method, st.path, st.body, st.headers...)))
	}
	return all
}

// Every answer of ours is the reference's, but for what the specification lists.
func TestTheRegistryAnswersLikeTheReference(t *testing.T) {
	b, err := os.ReadFile(goldenAnswers)
	if err != nil {
		t.Fatal(err)
	}
	var want []said
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	compare(t, serve(t, registry.Config{}).play(), want)
}

func compare(t *testing.T, got, want []said) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d answers, want %d: play the script to the reference again", len(got), len(want))
	}
	for i := range got {
		if got[i] == want[i] {
			continue
		}
		t.Errorf("%d. %s\ngot  %d %s %s %s\nwant %d %s %s %s", i, got[i].Step, got[i].Status, got[i].Type, got[i].Allow, got[i].Body, want[i].Status, want[i].Type, want[i].Allow, want[i].Body)
	}
}
