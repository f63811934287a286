package eureka

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Form is how a document is written: JSON by default.
type Form struct {
	XML     bool
	Compact bool // the short instances of X-Eureka-Accept: compact
}

// MediaType is the Content-Type of the form.
func (f Form) MediaType() string {
	if f.XML {
		return "application/xml"
	}
	return "application/json"
}

// The class names clients insist on (rules 9 and 15).
const (
	classAmazon   = "com.netflix.appinfo.AmazonInfo"
	classMyOwn    = "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"
	classEmptyMap = "java.util.Collections$EmptyMap"
)

// compactAmazon is what the compact form keeps of Amazon's metadata.
var compactAmazon = []string{"instance-id", "public-ipv4", "public-hostname", "local-ipv4", "availability-zone"}

// Applications appends a document of applications to dst.
func (f Form) Applications(dst []byte, a Applications) []byte {
	e := f.begin(dst)
	e.open("applications", "")
	if !f.Compact {
		e.head(a)
	}
	e.list("application")
	for i := range a.Apps {
		e.item("application")
		e.application(&a.Apps[i], f.Compact)
		e.close("application")
	}
	e.endList()
	if f.Compact {
		e.head(a)
	}
	e.close("applications")
	return e.end()
}

// Application appends a document of one application to dst.
func (f Form) Application(dst []byte, a Application) []byte {
	e := f.begin(dst)
	e.open("application", "")
	e.application(&a, f.Compact)
	e.close("application")
	return e.end()
}

// Instance appends a document of one instance to dst. There is no compact form
// of it.
func (f Form) Instance(dst []byte, in *Instance) []byte {
	e := f.begin(dst)
	e.open("instance", "")
	e.instance(in)
	e.close("instance")
	return e.end()
}

func (e *encoder) head(a Applications) {
	e.text("versions__delta", strconv.FormatInt(a.Version, 10))
	e.text("apps__hashcode", a.Hash)
}

func (e *encoder) application(a *Application, compact bool) {
	e.text("name", a.Name)
	e.list("instance")
	for _, in := range a.Instances {
		e.item("instance")
		if compact {
			e.compactInstance(in)
		} else {
			e.instance(in)
		}
		e.close("instance")
	}
	e.endList()
}

// instance writes the members in the reference's order, which some scrapers
// depend on.
func (e *encoder) instance(in *Instance) {
	e.id(in)
	e.text("hostName", in.HostName)
	e.text("app", in.App)
	e.text("ipAddr", in.IPAddr)
	if in.SID != "" && in.SID != "na" && in.SID != "unknown" {
		e.text("sid", in.SID)
	}
	e.text("status", string(in.Status))
	if e.xml { // rule 13
		e.text("overriddenstatus", string(in.Overridden))
	} else {
		e.text("overriddenStatus", string(in.Overridden))
	}
	e.port("port", in.Port)
	e.port("securePort", in.SecurePort)
	e.number("countryId", int64(in.CountryID))
	e.dataCenter(in.DataCenter, nil)
	e.lease(in.Lease)
	e.metadata(in.Metadata)
	e.optional("appGroupName", in.AppGroup)
	e.optional("homePageUrl", in.HomePageURL)
	e.optional("statusPageUrl", in.StatusPageURL)
	e.optional("healthCheckUrl", in.HealthCheckURL)
	e.optional("secureHealthCheckUrl", in.SecureHealthCheckURL)
	e.optional("vipAddress", in.VIPAddress)
	e.optional("secureVipAddress", in.SecureVIPAddress)
	e.text("isCoordinatingDiscoveryServer", strconv.FormatBool(in.Coordinating))
	e.text("lastUpdatedTimestamp", strconv.FormatInt(in.LastUpdated, 10))
	e.text("lastDirtyTimestamp", strconv.FormatInt(in.LastDirty, 10))
	e.action(in.Action)
	e.optional("asgName", in.ASGName)
}

func (e *encoder) compactInstance(in *Instance) {
	e.id(in)
	e.text("app", in.App)
	e.text("ipAddr", in.IPAddr)
	e.optional("vipAddress", in.VIPAddress)
	e.optional("secureVipAddress", in.SecureVIPAddress)
	e.dataCenter(in.DataCenter, compactAmazon)
	e.text("hostName", in.HostName)
	e.text("status", string(in.Status))
	e.number("lastUpdatedTimestamp", in.LastUpdated)
	e.action(in.Action)
	e.optional("asgName", in.ASGName)
	e.port("port", in.Port)
	e.port("securePort", in.SecurePort)
}

func (e *encoder) id(in *Instance) {
	if in.ID != "" {
		e.text("instanceId", in.ID)
	}
}

func (e *encoder) action(a Action) {
	if a != "" { // an empty one breaks Spring (rule 10)
		e.text("actionType", string(a))
	}
}

func (e *encoder) lease(l Lease) {
	e.open("leaseInfo", "")
	e.number("renewalIntervalInSecs", int64(l.RenewalInterval))
	e.number("durationInSecs", int64(l.Duration))
	e.number("registrationTimestamp", l.Registered)
	e.number("lastRenewalTimestamp", l.Renewed)
	e.number("evictionTimestamp", l.Evicted)
	e.number("serviceUpTimestamp", l.ServiceUp)
	e.close("leaseInfo")
}

// dataCenter writes one of the two classes clients know, whatever was
// registered (rule 9); keep, when set, limits Amazon's metadata.
func (e *encoder) dataCenter(d *DataCenter, keep []string) {
	if d == nil {
		d = &DataCenter{Name: MyOwn}
	}
	if d.Name != Amazon {
		e.open("dataCenterInfo", classMyOwn)
		e.text("name", dataCenterName(d.Name))
		e.close("dataCenterInfo")
		return
	}
	e.open("dataCenterInfo", classAmazon)
	e.text("name", Amazon)
	e.open("metadata", "")
	for _, k := range slices.Sorted(maps.Keys(d.Metadata)) {
		if keep == nil || slices.Contains(keep, k) {
			e.entry(k, d.Metadata[k])
		}
	}
	e.close("metadata")
	e.close("dataCenterInfo")
}

func dataCenterName(name string) string {
	if name == Netflix {
		return Netflix
	}
	return MyOwn
}

func (e *encoder) metadata(m map[string]string) {
	if len(m) == 0 {
		e.open("metadata", classEmptyMap)
		e.close("metadata")
		return
	}
	e.open("metadata", "")
	for _, k := range slices.Sorted(maps.Keys(m)) {
		e.entry(k, m[k])
	}
	e.close("metadata")
}

// encoder writes one document in either syntax, so that the order of members
// stands in one place.
type encoder struct {
	b      []byte
	start  int
	xml    bool
	pretty bool
	depth  int
	opened int // where the last opening tag ended
}

func (f Form) begin(dst []byte) *encoder {
	e := &encoder{b: dst, start: len(dst), xml: f.XML, pretty: f.XML && !f.Compact}
	if !e.xml {
		e.b = append(e.b, '{')
	}
	return e
}

func (e *encoder) end() []byte {
	if !e.xml {
		e.b = append(e.b, '}')
	}
	return e.b
}

// key begins a member: a comma where one is due, and the name.
func (e *encoder) key(name string) {
	if last := e.b[len(e.b)-1]; last != '{' && last != '[' {
		e.b = append(e.b, ',')
	}
	e.quote(name)
	e.b = append(e.b, ':')
}

func (e *encoder) quote(s string) {
	e.b, _ = jsontext.AppendQuote(e.b, s) // the error says that invalid UTF-8 was replaced
}

// open begins an object; class, when set, is its @class or class.
func (e *encoder) open(name, class string) {
	if !e.xml {
		e.key(name)
		e.b = append(e.b, '{')
		if class != "" {
			e.text("@class", class)
		}
		return
	}
	e.line()
	e.b = append(append(e.b, '<'), name...)
	if class != "" {
		e.b = append(append(append(e.b, ` class="`...), class...), '"')
	}
	e.b = append(e.b, '>')
	e.opened = len(e.b)
	e.depth++
}

// item begins an object of a list.
func (e *encoder) item(name string) {
	if e.xml {
		e.open(name, "")
		return
	}
	if e.b[len(e.b)-1] != '[' {
		e.b = append(e.b, ',')
	}
	e.b = append(e.b, '{')
}

func (e *encoder) close(name string) {
	if !e.xml {
		e.b = append(e.b, '}')
		return
	}
	e.depth--
	if e.opened == len(e.b) {
		e.b = append(e.b[:len(e.b)-1], '/', '>')
		return
	}
	e.line()
	e.closeTag(name)
}

func (e *encoder) closeTag(name string) {
	e.b = append(append(append(e.b, '<', '/'), name...), '>')
}

// list begins an array; XML repeats elements instead.
func (e *encoder) list(name string) {
	if !e.xml {
		e.key(name)
		e.b = append(e.b, '[')
	}
}

func (e *encoder) endList() {
	if !e.xml {
		e.b = append(e.b, ']')
	}
}

func (e *encoder) text(name, value string) {
	if !e.xml {
		e.key(name)
		e.quote(value)
		return
	}
	e.line()
	e.b = append(append(append(e.b, '<'), name...), '>')
	e.escape(value)
	e.closeTag(name)
}

func (e *encoder) optional(name string, value *string) {
	if value != nil {
		e.text(name, *value)
	}
}

func (e *encoder) number(name string, n int64) {
	if e.xml {
		e.text(name, strconv.FormatInt(n, 10))
		return
	}
	e.key(name)
	e.b = strconv.AppendInt(e.b, n, 10)
}

// entry writes a metadata pair. XML cannot carry an empty key.
func (e *encoder) entry(key, value string) {
	if e.xml {
		key = encodeName(key)
		if key == "" {
			return
		}
	}
	e.text(key, value)
}

// port is a number and a string in JSON (rule 11), text and attribute in XML
// (rule 16).
func (e *encoder) port(name string, p Port) {
	enabled := strconv.FormatBool(p.Enabled)
	if !e.xml {
		e.open(name, "")
		e.number("$", int64(p.Number))
		e.text("@enabled", enabled)
		e.close(name)
		return
	}
	e.line()
	e.b = append(append(append(e.b, '<'), name...), ` enabled="`...)
	e.b = append(append(e.b, enabled...), '"', '>')
	e.b = strconv.AppendInt(e.b, int64(p.Number), 10)
	e.closeTag(name)
}

func (e *encoder) line() {
	if !e.pretty || len(e.b) == e.start {
		return
	}
	e.b = append(e.b, '\n')
	for range e.depth {
		e.b = append(e.b, ' ', ' ')
	}
}

// escape writes text as XStream does, without the characters XML cannot carry.
func (e *encoder) escape(s string) {
	if !strings.ContainsFunc(s, special) {
		e.b = append(e.b, s...)
		return
	}
	for _, r := range s {
		switch {
		case r == '&':
			e.b = append(e.b, "&amp;"...)
		case r == '<':
			e.b = append(e.b, "&lt;"...)
		case r == '>':
			e.b = append(e.b, "&gt;"...)
		case r == '"':
			e.b = append(e.b, "&quot;"...)
		case r == '\'':
			e.b = append(e.b, "&apos;"...)
		case r == '\r':
			e.b = append(e.b, "&#xd;"...)
		case legalChar(r):
			e.b = utf8.AppendRune(e.b, r)
		}
	}
}

func special(r rune) bool {
	return r == '&' || r == '<' || r == '>' || r == '"' || r == '\'' || r == '\r' || r == utf8.RuneError || !legalChar(r)
}

// legalChar is the Char production of XML 1.0.
func legalChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r <= 0xD7FF || 0xE000 <= r && r <= 0xFFFD || r >= 0x10000
}
