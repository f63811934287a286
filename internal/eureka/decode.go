package eureka

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The number of values a document may have: an instance's body is written by
// anybody, a registry's by somebody we chose to ask.
const (
	instanceValues     = 10_000
	applicationsValues = 20_000_000
)

// ParseInstance reads the body of a registration. What the registrant left out
// gets the reference's defaults; a body without the root "instance" or without
// app is ErrSyntax. App is upper-cased, ID left as it came.
func ParseInstance(isXML bool, body []byte) (*Instance, error) {
	doc, err := parse(isXML, body, instanceValues)
	if err != nil {
		return nil, err
	}
	root, ok := doc.member("instance")
	if !ok || root.kind != object {
		return nil, fmt.Errorf("%w: no instance", ErrSyntax)
	}
	if app, ok := root.member("app"); !ok || app.kind == null {
		return nil, fmt.Errorf("%w: no app", ErrSyntax)
	}
	return reader{isXML}.instance(root)
}

// ParseApplications reads the answer to a fetch, full or delta.
func ParseApplications(isXML bool, body []byte) (Applications, error) {
	doc, err := parse(isXML, body, applicationsValues)
	if err != nil {
		return Applications{}, err
	}
	root, ok := doc.member("applications")
	if !ok || root.kind == array {
		return Applications{}, fmt.Errorf("%w: no applications", ErrSyntax)
	}
	return reader{isXML}.applications(root)
}

// member finds the last member of a name, as the reference does.
func (n *node) member(name string) (node, bool) {
	for _, k := range slices.Backward(n.kids) {
		if k.name == name {
			return k, true
		}
	}
	return node{}, false
}

// value is the text of a scalar, which in XML may carry attributes.
func (n *node) value() (string, bool) {
	if n.kind == scalar {
		return n.text, true
	}
	if n.kind == object {
		for i := range n.kids {
			if n.kids[i].name == "$" && n.kids[i].kind == scalar {
				return n.kids[i].text, true
			}
		}
	}
	return "", false
}

// items yields the elements of a repeated member: an array, or the same name
// again and again, or one alone.
func (n *node) items(name string) func(yield func(node) bool) {
	return func(yield func(node) bool) {
		for _, k := range n.kids {
			if k.name != name {
				continue
			}
			list := []node{k}
			if k.kind == array {
				list = k.kids
			}
			for _, i := range list {
				if i.kind == object && !yield(i) {
					return
				}
			}
		}
	}
}

// reader turns nodes into values.
type reader struct{ xml bool }

func (r reader) applications(root node) (Applications, error) {
	a := Applications{}
	for _, k := range root.kids {
		text, _ := k.value()
		switch k.name {
		case "versions__delta":
			a.Version = whole(text, 0)
		case "apps__hashcode":
			a.Hash = text
		}
	}
	for n := range root.items("application") {
		app, err := r.application(n)
		if err != nil {
			return Applications{}, err
		}
		a.Apps = append(a.Apps, app)
	}
	return a, nil
}

func (r reader) application(n node) (Application, error) {
	name, _ := n.member("name")
	text, _ := name.value()
	app := Application{Name: strings.ToUpper(text)}
	for i := range n.items("instance") {
		in, err := r.instance(i)
		if err != nil {
			return Application{}, err
		}
		app.Instances = append(app.Instances, in)
	}
	return app, nil
}

// instance reads the members one by one; the last of a name wins, and what is
// unknown or null is passed over.
func (r reader) instance(n node) (*Instance, error) {
	in := &Instance{
		Status: Up, Overridden: Unknown, CountryID: defaultCountry,
		Port: Port{defaultPort, true}, SecurePort: Port{defaultSecurePort, false},
		Lease: Lease{RenewalInterval: DefaultRenewal, Duration: DefaultDuration},
	}
	for i := range n.kids {
		k := &n.kids[i]
		if k.kind == null {
			continue
		}
		known, err := r.composite(in, k)
		if err != nil {
			return nil, err
		}
		if known {
			continue
		}
		text, ok := k.value()
		if !r.textField(in, k.name, text, ok) {
			return nil, fmt.Errorf("%w: %s is not text", ErrSyntax, k.name)
		}
	}
	return in, nil
}

// composite reads the members that are objects.
func (r reader) composite(in *Instance, k *node) (known bool, err error) {
	switch k.name {
	case "port":
		in.Port = r.port(k, in.Port)
	case "securePort":
		in.SecurePort = r.port(k, in.SecurePort)
	case "leaseInfo":
		in.Lease = lease(k)
	case "dataCenterInfo":
		in.DataCenter, err = r.dataCenter(k)
	case "metadata":
		in.Metadata, err = r.pairs(k)
	default:
		return false, nil
	}
	return true, err
}

// textField sets a scalar member and reports false when a known one is none.
func (r reader) textField(in *Instance, name, text string, ok bool) bool {
	set, known := scalarFields[name]
	if !known {
		return true
	}
	if ok {
		set(r, in, text)
	}
	return ok
}

// scalarFields is the table of scalar members.
var scalarFields = map[string]func(r reader, in *Instance, s string){
	"instanceId":           func(_ reader, in *Instance, s string) { in.ID = s },
	"hostName":             func(_ reader, in *Instance, s string) { in.HostName = s },
	"app":                  func(_ reader, in *Instance, s string) { in.App = strings.ToUpper(s) },
	"ipAddr":               func(_ reader, in *Instance, s string) { in.IPAddr = s },
	"sid":                  func(_ reader, in *Instance, s string) { in.SID = s },
	"status":               func(r reader, in *Instance, s string) { in.Status = r.status(s) },
	"overriddenStatus":     func(r reader, in *Instance, s string) { in.Overridden = r.status(s) },
	"overriddenstatus":     func(r reader, in *Instance, s string) { in.Overridden = r.status(s) },
	"countryId":            func(_ reader, in *Instance, s string) { in.CountryID = int32Of(s, defaultCountry) },
	"appGroupName":         func(_ reader, in *Instance, s string) { in.AppGroup = new(strings.ToUpper(s)) },
	"homePageUrl":          func(_ reader, in *Instance, s string) { in.HomePageURL = &s },
	"statusPageUrl":        func(_ reader, in *Instance, s string) { in.StatusPageURL = &s },
	"healthCheckUrl":       func(_ reader, in *Instance, s string) { in.HealthCheckURL = &s },
	"secureHealthCheckUrl": func(_ reader, in *Instance, s string) { in.SecureHealthCheckURL = &s },
	"vipAddress":           func(_ reader, in *Instance, s string) { in.VIPAddress = &s },
	"secureVipAddress":     func(_ reader, in *Instance, s string) { in.SecureVIPAddress = &s },
	"asgName":              func(_ reader, in *Instance, s string) { in.ASGName = &s },
	"lastUpdatedTimestamp": func(_ reader, in *Instance, s string) { in.LastUpdated = whole(s, 0) },
	"lastDirtyTimestamp":   func(_ reader, in *Instance, s string) { in.LastDirty = whole(s, 0) },
	"actionType":           func(_ reader, in *Instance, s string) { in.Action = action(s) },
	"isCoordinatingDiscoveryServer": func(_ reader, in *Instance, s string) {
		in.Coordinating = s == "true"
	},
}

// status is exact in JSON and ignores case in XML, as in the reference.
func (r reader) status(s string) Status {
	if r.xml {
		s = strings.ToUpper(strings.TrimSpace(s))
	}
	st, _ := ParseStatus(s)
	return st
}

func action(s string) Action {
	switch a := Action(s); a {
	case Added, Modified, Deleted:
		return a
	}
	return ""
}

// port reads {"$":8080,"@enabled":"true"}, its XML twin, or a bare number.
func (r reader) port(k *node, missing Port) Port {
	if text, ok := k.value(); ok && k.kind == scalar {
		return Port{int32Of(text, 0), true}
	}
	if k.kind != object {
		return missing
	}
	p := Port{}
	for i := range k.kids {
		text, _ := k.kids[i].value()
		switch k.kids[i].name {
		case "$":
			p.Number = int32Of(text, 0)
		case "@enabled":
			p.Enabled = text == "true"
		}
	}
	return p
}

func lease(k *node) Lease {
	l := Lease{RenewalInterval: DefaultRenewal, Duration: DefaultDuration}
	for i := range k.kids {
		text, _ := k.kids[i].value()
		switch k.kids[i].name {
		case "renewalIntervalInSecs":
			l.RenewalInterval = positive(text, DefaultRenewal)
		case "durationInSecs":
			l.Duration = positive(text, DefaultDuration)
		case "registrationTimestamp":
			l.Registered = whole(text, 0)
		case "lastRenewalTimestamp":
			l.Renewed = whole(text, 0)
		case "evictionTimestamp":
			l.Evicted = whole(text, 0)
		case "serviceUpTimestamp":
			l.ServiceUp = whole(text, 0)
		}
	}
	return l
}

// dataCenter goes by the name alone: registrants send many classes, or none.
func (r reader) dataCenter(k *node) (*DataCenter, error) {
	if k.kind != object {
		return nil, nil
	}
	d := &DataCenter{}
	for i := range k.kids {
		kid := &k.kids[i]
		switch kid.name {
		case "name":
			d.Name, _ = kid.value()
		case "metadata":
			m, err := r.pairs(kid)
			if err != nil {
				return nil, err
			}
			d.Metadata = m
		}
	}
	if d.Name != Amazon {
		d.Metadata = nil
	}
	if d.Name != "" && d.Name != Amazon {
		d.Name = dataCenterName(d.Name)
	}
	return d, nil
}

// pairs reads metadata: scalars become text, null drops the key, anything else
// is refused. Attributes and @class are Java's, not the registrant's.
func (r reader) pairs(k *node) (map[string]string, error) {
	if k.kind != object {
		return nil, nil
	}
	m := make(map[string]string, len(k.kids))
	for i := range k.kids {
		kid := &k.kids[i]
		if kid.kind == null || kid.name == "@class" || r.xml && (kid.name == "$" || strings.HasPrefix(kid.name, "@")) {
			continue
		}
		text, ok := kid.value()
		if !ok || !r.xml && kid.kind != scalar {
			return nil, fmt.Errorf("%w: metadata is not text", ErrSyntax)
		}
		name := kid.name
		if r.xml {
			name = decodeName(name)
		}
		if name != "@class" {
			m[name] = text
		}
	}
	if len(m) == 0 {
		return nil, nil
	}
	return m, nil
}

// whole reads an integer that may come as text, a number or a float.
func whole(s string, otherwise int64) int64 {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= -1<<53 && f <= 1<<53 {
		return int64(f)
	}
	return otherwise
}

func int32Of(s string, otherwise int) int {
	n := whole(s, int64(otherwise))
	if n != int64(int32(n)) {
		return otherwise
	}
	return int(n)
}

func positive(s string, otherwise int) int {
	if n := int32Of(s, otherwise); n > 0 {
		return n
	}
	return otherwise
}

// Clone returns a deep enough copy of in: changing its maps does not change
// the original's.
func (in *Instance) Clone() *Instance {
	c := *in
	c.Metadata = maps.Clone(in.Metadata)
	if in.DataCenter != nil {
		d := *in.DataCenter
		d.Metadata = maps.Clone(d.Metadata)
		c.DataCenter = &d
	}
	return &c
}
