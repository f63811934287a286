//go:build chaos

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// site is a cluster each of whose connections leads through a proxy of its own,
// so that any pair can be parted. What a service learns from the registries
// names the proxies on its own way to the others, and not where those listen.
type site struct {
	*cluster
	t     *testing.T
	ports map[string]string   // by folder
	links map[string][]*proxy // by "from→to", kinds of services
	into  map[string][]*proxy // by folder: the ends of links
}

// kinds of services, two of each.
func twoOf(kind string) []string { return []string{kind + "0", kind + "1"} }

// pairs are who connects to whom. The others are registries and the database.
func pairs() [][2]string {
	return [][2]string{{"portal", "login"}, {"portal", "creditcard"}, {"creditcard", "login"}, {"login", "creditcard"}}
}

func startSite(t *testing.T) *site {
	s := &site{
		cluster: &cluster{t: t, dir: t.TempDir(), flags: map[string][]string{}}, t: t,
		ports: map[string]string{}, links: map[string][]*proxy{}, into: map[string][]*proxy{},
	}
	keys := filepath.Join(s.dir, "keys")
	if out, err := exec.Command(binary, "keys", "init", "--out", keys).CombinedOutput(); err != nil {
		t.Fatalf("keys init: %v\n%s", err, out)
	}
	for _, kind := range []string{"eureka", "login", "creditcard", "portal"} {
		for _, folder := range twoOf(kind) {
			s.ports[folder] = unusedPort(t)
			s.flags[folder] = []string{"--" + kind + ".addr", "127.0.0.1:" + s.ports[folder]}
		}
	}
	s.connect()
	all := []string{"--internal.credential-file", filepath.Join(keys, "internal"), "--public-url", "http://localhost:5000", "--log.level", "info"}
	s.flags["eureka"] = all
	s.flags["portal"] = all
	stored := append(slices.Clone(all), "--store.allow-standalone")
	s.flags["login"] = append(slices.Clone(stored), "--keyring.url", "file:"+filepath.Join(keys, "login.key"),
		"--login.rate-per-address", "1000000", "--login.rate-per-network", "1000000", "--login.token-ttl", "24h", "--login.session-idle", "12h")
	s.flags["creditcard"] = append(slices.Clone(stored), "--keyring.url", "file:"+filepath.Join(keys, "creditcard.key"), "--reveal.per-hour", "1000000")
	for i := range 2 {
		s.eurekas = append(s.eurekas, s.launch("eureka", fmt.Sprint("eureka", i)))
		s.logins = append(s.logins, s.launch("login", fmt.Sprint("login", i)))
		s.cards = append(s.cards, s.launch("creditcard", fmt.Sprint("creditcard", i)))
		s.portals = append(s.portals, s.launch("portal", fmt.Sprint("portal", i)))
	}
	for _, m := range slices.Concat(s.eurekas, s.logins, s.cards, s.portals) {
		m.ready(t)
	}
	return s
}

// launch starts a process whose clock, where the program was built for that, is
// set by a file beside its folder.
func (s *site) launch(command, folder string) *runner {
	s.t.Setenv(clockEnv, filepath.Join(s.dir, folder+".clock"))
	return s.cluster.launch(command, folder)
}

// connect lays every link, and tells each process of those it begins.
func (s *site) connect() {
	at, _ := database(s.t)
	for _, from := range twoOf("eureka") {
		for _, to := range twoOf("eureka") {
			if from != to {
				link := s.link("eureka→eureka", to, "127.0.0.1:"+s.ports[to])
				s.flags[from] = append(s.flags[from], "--eureka.peers", "http://"+link.addr+"/eureka/")
			}
		}
	}
	instead := map[string]map[string]string{} // by folder: port of an instance, port of the proxy before it
	for _, pair := range pairs() {
		for _, from := range twoOf(pair[0]) {
			for _, to := range twoOf(pair[1]) {
				link := s.link(pair[0]+"→"+pair[1], to, "127.0.0.1:"+s.ports[to])
				if instead[from] == nil {
					instead[from] = map[string]string{}
				}
				_, instead[from][s.ports[to]], _ = net.SplitHostPort(link.addr)
			}
		}
	}
	for _, kind := range []string{"login", "creditcard", "portal"} {
		for _, from := range twoOf(kind) {
			var registries []string
			for _, to := range twoOf("eureka") {
				link := s.link(kind+"→eureka", to, s.misleads(to, instead[from]))
				registries = append(registries, "http://"+link.addr+"/eureka/")
			}
			s.flags[from] = append(s.flags[from], "--eureka.urls", strings.Join(registries, ","))
			if kind != "portal" {
				s.flags[from] = append(s.flags[from], "--store.url", s.linkToMongo(kind, at))
			}
		}
	}
}

func (s *site) link(name, to, addr string) *proxy {
	p := newProxy(s.t, addr)
	s.links[name] = append(s.links[name], p)
	s.into[to] = append(s.into[to], p)
	return p
}

// kills ends processes at the same time; nobody takes their connections then,
// so that the proxies before them must refuse too.
func (s *site) kills(all []*runner) {
	for _, m := range all {
		_ = m.cmd.Process.Kill()
		for _, p := range s.into[filepath.Base(m.dir)] {
			p.cut()
		}
	}
	for _, m := range all {
		<-m.exited
	}
}

// restarts starts them again, and returns when that began.
func (s *site) restarts(all []*runner) time.Time {
	began := time.Now()
	again := make([]*runner, len(all))
	for i, m := range all {
		again[i] = s.launch(m.command, filepath.Base(m.dir))
		for _, p := range s.into[filepath.Base(m.dir)] {
			p.mend()
		}
	}
	for i, m := range all {
		again[i].ready(s.t)
		m.process, m.url = again[i].process, again[i].url
	}
	return began
}

// linkToMongo is the URL of the database behind a proxy.
func (s *site) linkToMongo(kind, at string) string {
	u, err := url.Parse(at)
	if err != nil {
		s.t.Fatal(err)
	}
	u.Host = s.link(kind+"→mongo", "mongo", u.Host).addr
	q := u.Query()
	q.Set("directConnection", "true") // a replica set would lead past the proxy
	u.RawQuery = q.Encode()
	return u.String()
}

var portShape = regexp.MustCompile(`"\$":(\d+)`)

// misleads is the address of a server that passes everything on to a registry,
// and in its answers names other ports.
func (s *site) misleads(registry string, instead map[string]string) string {
	pass := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + s.ports[registry]})
			p.Out.Header.Set("Accept-Encoding", "identity")
		},
		ModifyResponse: func(r *http.Response) error {
			b, err := io.ReadAll(r.Body)
			b = portShape.ReplaceAllFunc(b, func(m []byte) []byte {
				port := string(bytes.TrimPrefix(m, []byte(`"$":`)))
				if other := instead[port]; other != "" {
					port = other
				}
				return []byte(`"$":` + port)
			})
			r.Body = io.NopCloser(bytes.NewReader(b))
			r.ContentLength = int64(len(b))
			r.Header.Set("Content-Length", strconv.Itoa(len(b)))
			return err
		},
		// A registry that is gone is gone for who asks: no answer is made up.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: pass, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	return l.Addr().String()
}

func unusedPort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
