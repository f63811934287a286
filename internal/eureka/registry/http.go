package registry

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// call is one request that was routed: the segments of its path, unescaped.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	app, id string // or the one name a resource takes, in id
	packers *sync.Pool
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
)

// ServeHTTP routes on the escaped path, so that a segment may hold a slash.
// What goes wrong is answered with an empty body: real clients that find a
// body on a 404 never register again (rule 1).
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	if len(segs) > 0 && segs[0] == "apps" {
		return c.routeApps(segs[1:])
	}
	if len(segs) == 3 && segs[0] == "asg" && segs[2] == "status" {
		return asgResource, true
	}
	if len(segs) != 2 {
		return nil, false
	}
	c.id = segs[1]
	switch segs[0] {
	case "instances":
		return anywhereResource, true
	case "vips":
		return vipResource, true
	case "svips":
		return svipResource, true
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

// authorized answers 403 to a write on a reserved name without proof
// (decision E3) and reports whether to go on.
func (g *Registry) authorized(c *call) bool {
	if !g.leases.Reserved(c.app, c.id) || g.cfg.Authorize(c.r) {
		return true
	}
	empty(c.w, http.StatusForbidden)
	return false
}

// replicated reports whether a peer passes on what a client told it.
func (c *call) replicated() bool {
	return strings.EqualFold(c.r.Header.Get("x-netflix-discovery-replication"), "true")
}
