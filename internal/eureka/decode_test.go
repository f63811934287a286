package eureka_test

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"ccms/internal/eureka"
)

// parse reads an instance whose other members are in order.
func parse(t *testing.T, members string) *eureka.Instance {
	t.Helper()
	in, err := eureka.ParseInstance(false, []byte(`{"instance":{"app":"svc","hostName":"h","ipAddr":"1.2.3.4",`+members+`}}`))
	if err != nil {
		t.Fatalf("%s: %v", members, err)
	}
	return in
}

// T25: the leniency table.
func TestJSONIsReadAsLenientlyAsTheReferenceReadsIt(t *testing.T) {
	type read = func(*eureka.Instance) any
	port := func(in *eureka.Instance) any { return in.Port }
	secure := func(in *eureka.Instance) any { return in.SecurePort }
	status := func(in *eureka.Instance) any { return in.Status }
	overridden := func(in *eureka.Instance) any { return in.Overridden }
	country := func(in *eureka.Instance) any { return in.CountryID }
	lease := func(in *eureka.Instance) any { return [2]int{in.Lease.RenewalInterval, in.Lease.Duration} }
	center := func(in *eureka.Instance) any { return *in.DataCenter }
	dirty := func(in *eureka.Instance) any { return in.LastDirty }
	for _, c := range []struct {
		name, members string
		read          read
		want          any
	}{
		{"a missing port is 7001", `"x":1`, port, eureka.Port{Number: 7001, Enabled: true}},
		{"a null port is 7001", `"port":null`, port, eureka.Port{Number: 7001, Enabled: true}},
		{"a missing secure port is 7002 and off", `"x":1`, secure, eureka.Port{Number: 7002}},
		{"numbers may be text", `"port":{"$":"9090","@enabled":"true"}`, port, eureka.Port{Number: 9090, Enabled: true}},
		{"enabled may be a bool", `"port":{"$":1,"@enabled":true}`, port, eureka.Port{Number: 1, Enabled: true}},
		{"only true is true", `"port":{"$":1,"@enabled":"TRUE"}`, port, eureka.Port{Number: 1}},
		{"a port that is no number is 0", `"port":{"$":"x","@enabled":"true"}`, port, eureka.Port{Enabled: true}},
		{"a bare port is on", `"port":8080`, port, eureka.Port{Number: 8080, Enabled: true}},
		{"a missing status is UP", `"x":1`, status, eureka.Up},
		{"a null status is UP", `"status":null`, status, eureka.Up},
		{"an empty status is UNKNOWN", `"status":""`, status, eureka.Unknown},
		{"a lower-case status is UNKNOWN", `"status":"up"`, status, eureka.Unknown},
		{"an override, old spelling", `"overriddenstatus":"DOWN"`, overridden, eureka.Down},
		{"an override, new spelling", `"overriddenStatus":"DOWN"`, overridden, eureka.Down},
		{"an empty override is none", `"overriddenstatus":""`, overridden, eureka.Unknown},
		{"an unknown override is none", `"overriddenStatus":"MAYBE"`, overridden, eureka.Unknown},
		{"a missing country is 1", `"x":1`, country, 1},
		{"a country as text", `"countryId":"7"`, country, 7},
		{"country 0 stays", `"countryId":0`, country, 0},
		{"a missing lease is 30/90", `"leaseInfo":null`, lease, [2]int{30, 90}},
		{"lease values not above 0 are replaced", `"leaseInfo":{"renewalIntervalInSecs":0,"durationInSecs":-5}`, lease, [2]int{30, 90}},
		{"lease values as text, unknown ones ignored", `"leaseInfo":{"renewalIntervalInSecs":"5","durationInSecs":"15","evictionDurationInSecs":{"a":1}}`, lease, [2]int{5, 15}},
		{"a data center without class goes by its name", `"dataCenterInfo":{"name":"Amazon","metadata":{"instance-id":"i-1"}}`, center,
			eureka.DataCenter{Name: "Amazon", Metadata: map[string]string{"instance-id": "i-1"}}},
		{"an unknown data center is MyOwn", `"dataCenterInfo":{"name":"Cellar","@class":"x.Y"}`, center, eureka.DataCenter{Name: "MyOwn"}},
		{"the class may come last", `"dataCenterInfo":{"name":"Netflix","@class":"com.netflix.appinfo.MyDataCenterInfo"}`, center, eureka.DataCenter{Name: "Netflix"}},
		{"a data center without name is told from none", `"dataCenterInfo":{"@class":"x"}`, center, eureka.DataCenter{}},
		{"a time stamp as text", `"lastDirtyTimestamp":"1700000000000"`, dirty, int64(1700000000000)},
		{"a time stamp as a number", `"lastDirtyTimestamp":1700000000000`, dirty, int64(1700000000000)},
		{"a time stamp as a float", `"lastDirtyTimestamp":1.7e12`, dirty, int64(1700000000000)},
		{"the last of a name wins", `"status":"DOWN","status":"STARTING"`, status, eureka.Starting},
		{"unknown objects and arrays are ignored", `"a":{"b":[1,{"c":2}]},"d":[[]],"status":"DOWN"`, status, eureka.Down},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.read(parse(t, c.members)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestMetadataBecomesText(t *testing.T) {
	for in, want := range map[string]map[string]string{
		`null`:             nil,
		`{}`:               nil,
		`{"@class":"x.Y"}`: nil,
		`{"n":5,"b":true,"s":"t","gone":null,"@class":"x"}`: {"n": "5", "b": "true", "s": "t"},
	} {
		if got := parse(t, `"metadata":`+in).Metadata; !maps.Equal(got, want) {
			t.Errorf("%s: got %v", in, got)
		}
	}
}

func TestWhatIsNoInstanceIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40)
	many := `{"instance":{"app":"a","x":[` + strings.Repeat("1,", 20_000) + `1]}}`
	for _, body := range []string{
		``, `x`, `null`, `[]`, `{}`, `{"instance":5}`, `{"instance":{}}`, `{"instance":{"app":null}}`,
		`{"instance":{"app":"a"}} {}`, `{"instance":{"app":"a"}}x`, `{"instance":{"app":"a"}`,
		`{"instance":{"app":"a","metadata":{"k":{}}}}`, `{"instance":{"app":"a","metadata":{"k":["b"]}}}`,
		`{"instance":{"app":{}}}`, `{"instance":{"app":"a","hostName":[]}}`,
		`{"instance":{"app":"a","x":` + deep + `}}`, many,
	} {
		if _, err := eureka.ParseInstance(false, []byte(body)); !errors.Is(err, eureka.ErrSyntax) {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	manyXML := `<instance` + strings.Repeat(` a=""`, 20_000) + `><app>a</app></instance>`
	deepXML := strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40)
	for _, body := range []string{
		``, `x`, `<instance/>`, `<instance></instance>`, `<x><app>a</app></x>`,
		`<instance><app>a</app>`, `<instance><app>a</instance>`, `<instance><app>a</app></instance><instance/>`,
		`<instance><app>a</app></instance>x`, `<!DOCTYPE x><instance><app>a</app></instance>`,
		`<!DOCTYPE x [<!ENTITY e "boom">]><instance><app>&e;</app></instance>`,
		`<instance><app>&e;</app></instance>`, `<instance><!DOCTYPE y><app>a</app></instance>`,
		`<instance><app>a</app>` + deepXML + `</instance>`, manyXML,
		`<instance><app>a</app><metadata><k><b>1</b></k></metadata></instance>`,
		`<?xml version="1.0" encoding="utf-16"?><instance><app>a</app></instance>`,
	} {
		if _, err := eureka.ParseInstance(true, []byte(body)); !errors.Is(err, eureka.ErrSyntax) {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

func TestXMLIsReadWithItsOwnLeniency(t *testing.T) {
	in, err := eureka.ParseInstance(true, []byte(`<?xml version="1.0" encoding="ISO-8859-1"?>
<!-- written by hand --><instance>
 <app>svc</app><hostName>h`+"\xfc"+`</hostName><ipAddr/><status>up</status><overriddenstatus></overriddenstatus>
 <port enabled="true"> 9090 </port><securePort enabled="false">1</securePort>
 <dataCenterInfo><name>MyOwn</name></dataCenterInfo><metadata><a_.003cb>1</a_.003cb><x:y class="s"><![CDATA[<2>]]></x:y><lone_>3</lone_></metadata>
 <vipAddress></vipAddress></instance>`))
	if err != nil {
		t.Fatal(err)
	}
	if in.App != "SVC" || in.HostName != "hü" || in.Status != eureka.Up || in.Overridden != eureka.Unknown {
		t.Errorf("got %+v", in)
	}
	if in.Port != (eureka.Port{Number: 9090, Enabled: true}) || in.SecurePort != (eureka.Port{Number: 1}) {
		t.Errorf("ports %v %v", in.Port, in.SecurePort)
	}
	if want := map[string]string{"a<b": "1", "x:y": "<2>", "lone_": "3"}; !maps.Equal(in.Metadata, want) {
		t.Errorf("metadata %v", in.Metadata)
	}
	if in.VIPAddress == nil || *in.VIPAddress != "" || in.HomePageURL != nil {
		t.Error("empty and absent text are not told apart")
	}
}

func TestWhatSpringSendsIsUnderstood(t *testing.T) {
	in, err := eureka.ParseInstance(false, []byte(`{"instance":{"instanceId":"h:foo:80","app":"FOO","appGroupName":null,"ipAddr":"1.2.3.4","sid":"na","homePageUrl":null,
"statusPageUrl":null,"healthCheckUrl":null,"secureHealthCheckUrl":null,"vipAddress":"foo","secureVipAddress":null,
"countryId":1,"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},
"hostName":"h","status":"UP","overriddenStatus":"UNKNOWN","leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,
"registrationTimestamp":0,"lastRenewalTimestamp":0,"evictionTimestamp":0,"serviceUpTimestamp":0},
"isCoordinatingDiscoveryServer":false,"lastUpdatedTimestamp":1795310386532,"lastDirtyTimestamp":1795310386532,
"actionType":null,"asgName":null,"port":{"$":80,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},"metadata":{"k":"v"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if in.ID != "h:foo:80" || in.LastDirty != 1795310386532 || in.AppGroup != nil || in.Metadata["k"] != "v" || in.Action != "" {
		t.Errorf("got %+v", in)
	}
	if out := string(eureka.Form{}.Instance(nil, in)); strings.Contains(out, "sid") {
		t.Errorf("sid na is not left out: %s", out)
	}
}

func TestTheIDFallsBackToAmazonsAndTheHost(t *testing.T) {
	in := &eureka.Instance{HostName: "h"}
	if got := in.ResolveID(); got != "h" {
		t.Error(got)
	}
	in.DataCenter = &eureka.DataCenter{Name: eureka.Amazon, Metadata: map[string]string{"instance-id": "i-1"}}
	if got := in.ResolveID(); got != "i-1" {
		t.Error(got)
	}
	in.ID = "own"
	if got := in.ResolveID(); got != "own" {
		t.Error(got)
	}
}

func TestFullDocumentsComeBackAsTheyWent(t *testing.T) {
	for _, isXML := range []bool{false, true} {
		in := amazon()
		in.Metadata = map[string]string{"a<b": `<&>"'`, "1abc": "ü\nx", "my_key$": "", "😀": "ok"}
		want := eureka.Applications{Version: 7, Hash: "UP_2_", Apps: []eureka.Application{{Name: "SVC-A", Instances: []*eureka.Instance{in, sample()}}}}
		got, err := eureka.ParseApplications(isXML, eureka.Form{XML: isXML}.Applications(nil, want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("XML %t: got %+v", isXML, got.Apps[0].Instances[0])
		}
	}
}

func TestASingleObjectPassesForAListOfOne(t *testing.T) {
	a, err := eureka.ParseApplications(false, []byte(`{"applications":{"versions__delta":1,"application":{"name":"a","instance":{"app":"A","hostName":"h"}}}}`))
	if err != nil || len(a.Apps) != 1 || len(a.Apps[0].Instances) != 1 || a.Version != 1 || a.Apps[0].Name != "A" {
		t.Errorf("got %+v, %v", a, err)
	}
}
