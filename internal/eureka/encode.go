package eureka

import (
	"maps"
	"slices"
	"strconv"
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

// Frame is what stands around the pieces of a whole, which is Before, the
// pieces joined by Between, and After.
type Frame struct{ Before, Between, After []byte }

// Frame returns the frame of a document of applications.
func (f Form) Frame(version int64, hash string) Frame {
	head := Applications{Version: version, Hash: hash}
	e := f.begin(nil)
	e.open("applications", "")
	if !f.Compact {
		e.head(head)
	}
	e.list("application")
	n := len(e.b)
	e.endList()
	if f.Compact {
		e.head(head)
	}
	e.close("applications")
	b := e.end()
	w := Frame{Before: b[:n:n], After: b[n:]}
	if !f.XML {
		w.Between = []byte{','}
	}
	return w
}

// Piece appends an application as it stands in a document of applications.
func (f Form) Piece(dst []byte, a *Application) []byte {
	e := f.within(dst, 1)
	e.element("application")
	e.application(a, f.Compact)
	e.close("application")
	return e.b
}

// PieceFrame returns the frame of a Piece, whose own pieces are Instances.
func (f Form) PieceFrame(name string) Frame {
	e := f.within(nil, 1)
	e.element("application")
	e.text("name", name)
	e.list("instance")
	n := len(e.b)
	e.endList()
	e.close("application")
	w := Frame{Before: e.b[:n:n], After: e.b[n:]}
	if !f.XML {
		w.Between = []byte{','}
	}
	return w
}

// Instances appends instances as they stand in a Piece.
func (f Form) Instances(dst []byte, list []*Instance) []byte {
	e := f.within(dst, 2)
	for i, in := range list {
		if i > 0 && !f.XML {
			e.b = append(e.b, ',')
		}
		e.element("instance")
		e.listed(in, f.Compact)
		e.close("instance")
	}
	return e.b
}

// Applications appends a document of applications to dst.
func (f Form) Applications(dst []byte, a Applications) []byte {
	w := f.Frame(a.Version, a.Hash)
	dst = append(dst, w.Before...)
	for i := range a.Apps {
		if i > 0 {
			dst = append(dst, w.Between...)
		}
		dst = f.Piece(dst, &a.Apps[i])
	}
	return append(dst, w.After...)
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
		e.listed(in, compact)
		e.close("instance")
	}
	e.endList()
}

func (e *encoder) listed(in *Instance, compact bool) {
	if compact {
		e.compactInstance(in)
	} else {
		e.instance(in)
	}
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
