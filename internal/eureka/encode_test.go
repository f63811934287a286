package eureka_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"ccms/internal/eureka"
)

// sample is the instance of the protocol's own examples.
func sample() *eureka.Instance {
	return &eureka.Instance{
		ID: "h1:svc-a:8080", HostName: "h1", App: "SVC-A", IPAddr: "10.0.0.1",
		Status: eureka.Up, Overridden: eureka.Unknown,
		Port: eureka.Port{Number: 8080, Enabled: true}, SecurePort: eureka.Port{Number: 443},
		CountryID: 1, DataCenter: &eureka.DataCenter{Name: eureka.MyOwn},
		Lease: eureka.Lease{
			RenewalInterval: 30, Duration: 90, Registered: 1795309898785, Renewed: 1795309898785, ServiceUp: 1795309898792,
		},
		Metadata:    map[string]string{"zone": "z1"},
		HomePageURL: new("http://h1:8080/"), StatusPageURL: new("http://h1:8080/info"), HealthCheckURL: new("http://h1:8080/health"),
		VIPAddress: new("svc-a,svc-alias"), SecureVIPAddress: new("svc-a"),
		LastUpdated: 1795309898792, LastDirty: 1700000000000, Action: eureka.Added,
	}
}

// amazon has every optional member, and text each syntax must escape.
func amazon() *eureka.Instance {
	in := sample()
	in.SID = "s-1"
	in.AppGroup, in.SecureHealthCheckURL, in.ASGName = new("GROUP"), new("https://h1/health"), new("asg-1")
	in.DataCenter = &eureka.DataCenter{Name: eureka.Amazon, Metadata: map[string]string{
		"instance-id": "i-1", "public-hostname": "ec2.example", "ami-id": "ami-1", "availability-zone": "us-1a",
	}}
	in.Metadata = map[string]string{"a<b": `<&>"'`, "1abc": "ü\u0007x", "my_key$": "", "": "8"}
	in.VIPAddress = new("")
	return in
}

func applications(list ...*eureka.Instance) eureka.Applications {
	return eureka.Applications{Version: 1, Hash: "UP_1_", Apps: []eureka.Application{{Name: "SVC-A", Instances: list}}}
}

func TestDocumentsAreWrittenByteForByteAsTheReferenceDoes(t *testing.T) {
	full, compact := eureka.Form{}, eureka.Form{Compact: true}
	xml, compactXML := eureka.Form{XML: true}, eureka.Form{XML: true, Compact: true}
	for file, got := range map[string][]byte{
		"full.json":        full.Applications(nil, applications(sample())),
		"full.xml":         xml.Applications(nil, applications(sample())),
		"compact.json":     compact.Applications(nil, applications(amazon())),
		"compact.xml":      compactXML.Applications(nil, applications(amazon())),
		"amazon.json":      full.Instance(nil, amazon()),
		"amazon.xml":       xml.Instance(nil, amazon()),
		"application.json": full.Application(nil, applications(sample()).Apps[0]),
		"application.xml":  xml.Application(nil, applications(sample()).Apps[0]),
		"empty.json":       full.Applications(nil, eureka.Applications{Version: 1}),
		"empty.xml":        xml.Applications(nil, eureka.Applications{Version: 1}),
	} {
		want, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSuffix(string(want), "\n") != string(got) {
			t.Errorf("%s: got\n%s", file, got)
		}
	}
}

func TestTheSampleOfTheProtocolIsTheGoldenFile(t *testing.T) {
	const published = `{"applications":{"versions__delta":"1","apps__hashcode":"UP_1_","application":[` +
		`{"name":"SVC-A","instance":[{` +
		`"instanceId":"h1:svc-a:8080","hostName":"h1","app":"SVC-A","ipAddr":"10.0.0.1",` +
		`"status":"UP","overriddenStatus":"UNKNOWN",` +
		`"port":{"$":8080,"@enabled":"true"},"securePort":{"$":443,"@enabled":"false"},` +
		`"countryId":1,` +
		`"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"},` +
		`"leaseInfo":{"renewalIntervalInSecs":30,"durationInSecs":90,"registrationTimestamp":1795309898785,` +
		`"lastRenewalTimestamp":1795309898785,"evictionTimestamp":0,"serviceUpTimestamp":1795309898792},` +
		`"metadata":{"zone":"z1"},` +
		`"homePageUrl":"http://h1:8080/","statusPageUrl":"http://h1:8080/info","healthCheckUrl":"http://h1:8080/health",` +
		`"vipAddress":"svc-a,svc-alias","secureVipAddress":"svc-a",` +
		`"isCoordinatingDiscoveryServer":"false","lastUpdatedTimestamp":"1795309898792",` +
		`"lastDirtyTimestamp":"1700000000000","actionType":"ADDED"}]}]}}`
	if got := string(eureka.Form{}.Applications(nil, applications(sample()))); got != published {
		t.Errorf("got\n%s\nwant\n%s", got, published)
	}
}

// T26: any member Spring's mapper does not know fails its whole fetch.
func TestTheWorldOfMembersIsClosed(t *testing.T) {
	in := amazon()
	var doc map[string]map[string]any
	if err := json.Unmarshal(eureka.Form{}.Instance(nil, in), &doc); err != nil {
		t.Fatal(err)
	}
	instance := doc["instance"]
	closed := map[string]string{
		"": "actionType app appGroupName asgName countryId dataCenterInfo healthCheckUrl homePageUrl hostName instanceId ipAddr " +
			"isCoordinatingDiscoveryServer lastDirtyTimestamp lastUpdatedTimestamp leaseInfo metadata overriddenStatus port " +
			"secureHealthCheckUrl securePort secureVipAddress sid status statusPageUrl vipAddress",
		"port":           "$ @enabled",
		"securePort":     "$ @enabled",
		"dataCenterInfo": "@class metadata name",
		"leaseInfo":      "durationInSecs evictionTimestamp lastRenewalTimestamp registrationTimestamp renewalIntervalInSecs serviceUpTimestamp",
	}
	for member, want := range closed {
		object := instance
		if member != "" {
			object = instance[member].(map[string]any)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(object)), " "); got != want {
			t.Errorf("members of %q: %s", member, got)
		}
	}
	if len(doc) != 1 {
		t.Errorf("%d root members, want one (rule 6)", len(doc))
	}
}

func TestClientsFindTheTypesTheyInsistOn(t *testing.T) {
	out := string(eureka.Form{}.Instance(nil, sample()))
	for _, want := range []string{
		`"port":{"$":8080,"@enabled":"true"}`,      // rule 11
		`"lastUpdatedTimestamp":"1795309898792"`,   // rule 12
		`"countryId":1`,                            // rule 12
		`"isCoordinatingDiscoveryServer":"false"`,  // rule 12
		`"overriddenStatus":"UNKNOWN"`,             // rules 10 and 13
		`InstanceInfo$DefaultDataCenterInfo","nam`, // rule 9
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
	in := sample()
	in.Metadata, in.DataCenter = nil, &eureka.DataCenter{Name: "Anything", Metadata: map[string]string{"a": "b"}}
	out = string(eureka.Form{}.Instance(nil, in))
	if !strings.Contains(out, `"metadata":{"@class":"java.util.Collections$EmptyMap"}`) { // rule 15
		t.Errorf("empty metadata: %s", out)
	}
	if !strings.Contains(out, `"name":"MyOwn"}`) { // rule 9: no metadata, known name
		t.Errorf("data center: %s", out)
	}
	out = string(eureka.Form{XML: true}.Instance(nil, in))
	for _, want := range []string{`<port enabled="true">8080</port>`, `<overriddenstatus>UNKNOWN`, `<metadata class="java.util.Collections$EmptyMap"/>`} {
		if !strings.Contains(out, want) { // rules 13, 15, 16
			t.Errorf("no %s in %s", want, out)
		}
	}
}

func TestHashCountsEachStatusInAlphabeticalOrder(t *testing.T) {
	got := eureka.Hash(map[eureka.Status]int{eureka.Up: 40, eureka.Down: 1, eureka.OutOfService: 2, eureka.Starting: 0})
	if got != "DOWN_1_OUT_OF_SERVICE_2_UP_40_" {
		t.Errorf("got %s", got)
	}
	if got := eureka.Hash(nil); got != "" {
		t.Errorf("of nothing: %s", got)
	}
}

func TestReservedNamesAreRecognisedInEveryDisguise(t *testing.T) {
	names := eureka.Reserved()
	for _, s := range []string{"LOGIN-SERVICE", "login-service", " Login-Service ", "logın-servıce", "LOGİN-SERVICE",
		"login-ſervice", "login-service\u200b", "login-\tservice", "portal", "CreditCard-Service"} {
		in := sample()
		if in.Claims(names) {
			t.Fatal("the sample is nobody's")
		}
		in.App = s
		if !in.Claims(names) {
			t.Errorf("application %q got through", s)
		}
		in = sample()
		in.VIPAddress = new("x, " + s + ",y")
		if !in.Claims(names) {
			t.Errorf("VIP %q got through", s)
		}
		in = sample()
		in.SecureVIPAddress = new(s)
		if !in.Claims(names) {
			t.Errorf("secure VIP %q got through", s)
		}
	}
}
