package registry

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry/peer"
	"ccms/internal/eureka/registry/writers"
)

// call is one request that was routed: the segments of its path, unescaped.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	app, id string // or the one name a resource takes, in id
	packers *sync.Pool
	fetched *tally            // to count the answer in; nil for none
	prove   func(body []byte) // adds a proof of the answer; nil for none
}

// resource is what a path can do, by method.
type resource map[string]func(*Registry, *call)

// The resources. HEAD goes with GET, OPTIONS with all.
var (
	appsResource     = resource{http.MethodGet: (*Registry).getApps}
	deltaResource    = resource{http.MethodGet: (*Registry).getDelta}
	appResource      = resource{http.MethodGet: (*Registry).getApp, http.MethodPost: (*Registry).postInstance}
	instanceResource = resource{http.MethodGet: (*Registry).getInstance, http.MethodPut: (*Registry).putHeartbeat, http.MethodDelete: (*Registry).deleteInstance}
	statusResource   = resource{http.MethodPut: (*Registry).putStatus, http.MethodDelete: (*Registry).deleteStatus}
	metadataResource = resource{http.MethodPut: (*Registry).putMetadata}
	anywhereResource = resource{http.MethodGet: (*Registry).getAnywhere}
	vipResource      = resource{http.MethodGet: (*Registry).getVIP}
	svipResource     = resource{http.MethodGet: (*Registry).getSVIP}
	asgResource      = resource{http.MethodPut: (*Registry).putASG}
	batchResource    = resource{http.MethodPost: (*Registry).postBatch}
	infoResource     = resource{http.MethodGet: (*Registry).getInfo}
	overrideResource = resource{http.MethodGet: (*Registry).getOverrides}
)

// The headers by which clients of ours, and our own registries, know this one;
// others ignore them.
const extensionHeader = "X-Eureka-Ext" // what a client may use: since

// ServeHTTP routes on the escaped path, so that a segment may hold a slash.
// What goes wrong is answered with an empty body: real clients that find a
// body on a 404 never register again (rule 1).
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(extensionHeader, "since")
	w.Header().Set(peer.EpochHeader, g.epoch)
	c := &call{w: w, r: r, packers: &g.packers}
	res, ok := c.route(strings.TrimPrefix(r.URL.EscapedPath(), g.cfg.Prefix))
	if !ok {
		empty(w, http.StatusNotFound)
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := res[method]; ok {
		h(g, c)
		return
	}
	w.Header().Set("Allow", res.allow())
	if method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	empty(w, http.StatusMethodNotAllowed)
}

// route finds the resource of an escaped path below the prefix. A version
// segment is passed over, one slash at the end too (rule 19).
func (c *call) route(escaped string) (resource, bool) {
	segs := strings.Split(strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/"), "/")
	for i, s := range segs {
		u, err := url.PathUnescape(s) // leaves a plus alone
		if err != nil || u == "" {
			return nil, false
		}
		segs[i] = u
	}
	if v := segs[0]; strings.EqualFold(v, "v1") || strings.EqualFold(v, "v2") {
		segs = segs[1:]
	}
	switch {
	case len(segs) == 0:
		return nil, false
	case segs[0] == "apps":
		return c.routeApps(segs[1:])
	case len(segs) == 1 && segs[0] == "status":
		return infoResource, true
	case len(segs) == 2:
		return c.routeNamed(segs[0], segs[1])
	case len(segs) == 3 && segs[0] == "asg" && segs[2] == "status":
		return asgResource, true
	}
	return nil, false
}

// routeNamed finds the resources that are one word and a name.
func (c *call) routeNamed(word, name string) (resource, bool) {
	c.id = name
	switch {
	case word == "instances":
		return anywhereResource, true
	case word == "vips":
		return vipResource, true
	case word == "svips":
		return svipResource, true
	case word == "peerreplication" && name == "batch":
		return batchResource, true
	case word == "serverinfo" && name == "statusoverrides":
		return overrideResource, true
	}
	return nil, false
}

func (c *call) routeApps(segs []string) (resource, bool) {
	if len(segs) == 0 {
		return appsResource, true
	}
	c.app = strings.ToUpper(segs[0])
	if len(segs) == 1 {
		if segs[0] == "delta" {
			return deltaResource, true
		}
		return appResource, true
	}
	c.id = segs[1]
	switch {
	case len(segs) == 2:
		return instanceResource, true
	case len(segs) == 3 && segs[2] == "status":
		return statusResource, true
	case len(segs) == 3 && segs[2] == "metadata":
		return metadataResource, true
	}
	return nil, false
}

// allow is the value of the Allow header.
func (res resource) allow() string {
	var methods []string
	if _, ok := res[http.MethodGet]; ok {
		methods = append(methods, http.MethodHead)
	}
	for _, m := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodGet} {
		if _, ok := res[m]; ok {
			methods = append(methods, m)
		}
	}
	return strings.Join(append(slices.Clip(methods), http.MethodOptions), ",")
}

// empty answers with a status and Content-Length: 0.
func empty(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

// authorized answers 401 or 403 to a write that is not allowed and reports
// whether to go on.
func (g *Registry) authorized(c *call) bool { return g.admitted(c, nil) }

// admitted is authorized for a registration of in.
func (g *Registry) admitted(c *call, in *eureka.Instance) bool {
	status := g.admits(c.r, c.app, c.id, in)
	if status == http.StatusUnauthorized {
		c.w.Header()["Www-Authenticate"] = g.cfg.Writers.Challenge(c.r)
	}
	if status != 0 {
		empty(c.w, status)
	}
	return status == 0
}

// admits decides who may write an instance: reserved names need a proof
// (decision E3), which is good for all others too; those the operator lists
// need credentials. What is stored counts and, in a registration, what is
// coming: neither may a name be taken, nor its bearer be touched. Zero is yes,
// else it is the status of the refusal.
func (g *Registry) admits(r *http.Request, app, id string, coming *eureka.Instance) int {
	reserved := g.leases.Reserved(app, id) || coming != nil && coming.Claims(g.cfg.Reserved)
	if !reserved && g.cfg.Writers == nil {
		return 0
	}
	if g.cfg.Authorize(r) {
		return 0
	}
	if reserved {
		return http.StatusForbidden
	}
	there, ok := g.leases.Stored(app, id)
	if !ok {
		there = &eureka.Instance{App: app}
	}
	verdict := g.cfg.Writers.May(r, there)
	if coming != nil {
		verdict = max(verdict, g.cfg.Writers.May(r, coming))
	}
	switch verdict {
	case writers.Unknown:
		return http.StatusUnauthorized
	case writers.Denied:
		return http.StatusForbidden
	}
	return 0
}

// replicated reports whether a peer passes on what a client told it.
func (c *call) replicated() bool {
	return strings.EqualFold(c.r.Header.Get("x-netflix-discovery-replication"), "true")
}
