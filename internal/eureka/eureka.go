// Package eureka owns what crosses the wire between a service registry and its
// clients: instances and applications, and their JSON and XML forms, full and
// compact, as Netflix and Spring Cloud spell them. Both sides of the protocol
// share it. It knows neither leases (package registry) nor connections
// (package discovery).
//
// Output is a closed world: field order, number or string, class names and
// spelling are those real clients insist on. Input is read leniently. Rule
// numbers in comments are those of the protocol's two dozen known traps, which
// the tests list.
package eureka

import (
	"errors"
	"strconv"
	"strings"
	"unicode"
)

// ErrSyntax says that a body is not a registry document: not JSON or XML,
// without its root, with a DOCTYPE, nested too deeply, too large, or with
// something behind its end.
var ErrSyntax = errors.New("eureka: cannot parse body")

// Audience names the registry in a proof between our services (decision A8).
const Audience = "eureka"

// Status is the state of an instance.
type Status string

// The statuses. Unknown stands for "no override" in an overriddenStatus.
const (
	Up           Status = "UP"
	Down         Status = "DOWN"
	Starting     Status = "STARTING"
	OutOfService Status = "OUT_OF_SERVICE"
	Unknown      Status = "UNKNOWN"
)

// Statuses are all statuses in the order the hash names them.
func Statuses() []Status { return []Status{Down, OutOfService, Starting, Unknown, Up} }

// ParseStatus takes an exact name; anything else is not ok.
func ParseStatus(s string) (Status, bool) {
	switch st := Status(s); st {
	case Up, Down, Starting, OutOfService, Unknown:
		return st, true
	}
	return Unknown, false
}

// Action says what last happened to an instance.
type Action string

// The actions of a delta.
const (
	Added    Action = "ADDED"
	Modified Action = "MODIFIED"
	Deleted  Action = "DELETED"
)

// The defaults of a lease and of what a registrant leaves out.
const (
	DefaultRenewal  = 30 // seconds between heartbeats
	DefaultDuration = 90 // seconds a lease lasts without one

	defaultPort       = 7001
	defaultSecurePort = 7002
	defaultCountry    = 1
)

// Port is a port and whether it is in use.
type Port struct {
	Number  int
	Enabled bool
}

// The names of data centers; any other is sent as MyOwn.
const (
	Amazon  = "Amazon"
	Netflix = "Netflix"
	MyOwn   = "MyOwn"
)

// DataCenter says where an instance runs. Metadata is kept for Amazon only:
// real clients break on it elsewhere (rule 9).
type DataCenter struct {
	Name     string
	Metadata map[string]string
}

// Lease carries an instance's lease: seconds and Unix milliseconds.
type Lease struct {
	RenewalInterval int // seconds
	Duration        int // seconds
	Registered      int64
	Renewed         int64
	Evicted         int64
	ServiceUp       int64
}

// Instance is one running copy of an application. Optional text is nil when
// absent; an explicitly empty text stays, as in the reference.
type Instance struct {
	ID         string // unique within App
	HostName   string
	App        string // upper case
	IPAddr     string
	SID        string
	Status     Status
	Overridden Status // Unknown: none
	Port       Port
	SecurePort Port
	CountryID  int
	DataCenter *DataCenter // nil when the registrant sent none
	Lease      Lease
	Metadata   map[string]string

	AppGroup             *string
	HomePageURL          *string
	StatusPageURL        *string
	HealthCheckURL       *string
	SecureHealthCheckURL *string
	VIPAddress           *string // comma-separated
	SecureVIPAddress     *string // comma-separated
	ASGName              *string

	Coordinating bool  // the entry of the answering registry itself
	LastUpdated  int64 // Unix milliseconds, by the registry's clock
	LastDirty    int64 // Unix milliseconds, by the registrant's clock
	Action       Action
}

// ResolveID is the id an instance goes by: its own, else the one old Spring
// clients keep in their metadata, else Amazon's instance-id, else its host
// name. Every client computes the same.
func (in *Instance) ResolveID() string {
	spring := in.Metadata["instanceId"]
	switch {
	case in.ID != "":
		return in.ID
	case spring != "" && strings.HasPrefix(spring, in.HostName):
		return spring
	case spring != "":
		return in.HostName + ":" + spring
	case in.DataCenter != nil && in.DataCenter.Name == Amazon && in.DataCenter.Metadata["instance-id"] != "":
		return in.DataCenter.Metadata["instance-id"]
	}
	return in.HostName
}

// HasVIP reports whether name is exactly one element of the VIP address, or of
// the secure one.
func (in *Instance) HasVIP(name string, secure bool) bool {
	list := in.VIPAddress
	if secure {
		list = in.SecureVIPAddress
	}
	if list == nil {
		return false
	}
	for v := range strings.SplitSeq(*list, ",") {
		if v == name {
			return true
		}
	}
	return false
}

// Application is the instances of one name.
type Application struct {
	Name      string
	Instances []*Instance
}

// Applications is a registry's content, or what changed in it.
type Applications struct {
	Version int64  // versions__delta; -1 where there is none
	Hash    string // apps__hashcode of the whole registry
	Apps    []Application
}

// Hash is the apps__hashcode of a registry with so many instances of each
// status: "DOWN_1_UP_40_", empty for none.
func Hash(counts map[Status]int) string {
	var b strings.Builder
	for _, s := range Statuses() {
		if n := counts[s]; n > 0 {
			b.WriteString(string(s))
			b.WriteByte('_')
			b.WriteString(strconv.Itoa(n))
			b.WriteByte('_')
		}
	}
	return b.String()
}

// Reserved returns the names only this product's own services may register
// (decision E3).
func Reserved() []string { return []string{"LOGIN-SERVICE", "CREDITCARD-SERVICE", "PORTAL"} }

// Claims reports whether an instance goes by one of names: as its application
// or as an element of either VIP address, ignoring case and blanks.
func (in *Instance) Claims(names []string) bool {
	if IsName(in.App, names) {
		return true
	}
	for _, list := range []*string{in.VIPAddress, in.SecureVIPAddress} {
		if list == nil {
			continue
		}
		for v := range strings.SplitSeq(*list, ",") {
			if IsName(v, names) {
				return true
			}
		}
	}
	return false
}

// IsName reports whether s is one of names to any client: clients compare by
// upper case, lower case or both, so that a dotless i or a long s must not
// slip through.
func IsName(s string, names []string) bool {
	s = fold(s)
	for _, n := range names {
		if fold(n) == s {
			return true
		}
	}
	return false
}

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, s)
}
