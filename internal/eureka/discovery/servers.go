package discovery

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"ccms/internal/eureka"
	"ccms/internal/identity"
)

const (
	bodyLimit  = 64 << 20         // of a list, unpacked; 50,000 instances
	quarantine = 30 * time.Second // of a registry that failed
	lessTime   = time.Second      // for a write to it meanwhile
)

// errUnreachable says that no registry answered.
var errUnreachable = errors.New("discovery: no registry answers")

// servers are the registries there are. All are told of this service; for
// reading, one that failed is asked last for a while, and the one that answered
// stays in use.
type servers struct {
	http    *http.Client
	timeout time.Duration
	sign    func(audience, method, path string) (string, error)
	now     func() time.Time

	mu      sync.Mutex
	list    []*server
	current *server
}

type server struct {
	base string // without user and trailing slash
	user *url.Userinfo
	bad  time.Time // in quarantine until
}

// question is a request to whichever registry answers.
type question struct {
	method, path string // the path below the registry's base, with its query
	body         []byte
	wait         time.Duration // which the answer may take longer than usual
}

// answer is a registry's response, its body read and unpacked.
type answer struct {
	status int
	body   []byte
	epoch  string // of this run of the registry, when it says so
	tells  bool   // the registry answers when something changes
}

func newServers(cfg Config) (*servers, error) {
	if len(cfg.URLs) == 0 {
		return nil, errors.New("discovery: no registry URL")
	}
	client := http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 90 * time.Second, ForceAttemptHTTP2: true,
	}}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	// A redirect would take proof and credentials to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s := &servers{http: &client, timeout: cfg.Timeout, sign: cfg.Sign, now: cfg.Now}
	for _, raw := range cfg.URLs {
		u, err := url.Parse(strings.TrimSpace(raw))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, errors.New("discovery: a registry URL must look like http://host:8761/eureka/")
		}
		s.list = append(s.list, &server{base: u.Scheme + "://" + u.Host + strings.TrimSuffix(u.EscapedPath(), "/"), user: u.User})
	}
	s.current = s.list[0]
	return s, nil
}

// order is the registries in the order to ask them: the one in use, those that
// did not fail lately, the rest.
func (s *servers) order() []*server {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	rank := func(v *server) int {
		switch {
		case now.Before(v.bad):
			return 2
		case v == s.current:
			return 0
		}
		return 1
	}
	list := slices.Clone(s.list)
	slices.SortStableFunc(list, func(a, b *server) int { return rank(a) - rank(b) })
	return list
}

// do sends a request to the registries until one answers with anything but a
// failure of its own.
func (s *servers) do(ctx context.Context, q question) (answer, error) {
	var failed error
	for _, v := range s.order() {
		a, err := s.ask(ctx, v, q)
		if err == nil && (a.status >= http.StatusInternalServerError || a.status == http.StatusForbidden) {
			err = fmt.Errorf("registry answered %d", a.status) // 403: it has no list yet itself
		}
		if ctx.Err() == nil { // else it is the caller who gave up
			s.mark(v, err)
		}
		if err == nil {
			return a, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return answer{}, fmt.Errorf("%w: %w", errUnreachable, failed)
}

// everywhere sends a write to every registry: those that do not replicate to
// each other know only what they are told. One that failed lately is given
// less time. It returns what those say that answer.
func (s *servers) everywhere(ctx context.Context, q question) ([]answer, error) {
	list, now := s.order(), s.now()
	answers, failures := make([]answer, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, v := range list {
		wg.Go(func() {
			ctx := ctx
			if s.isBad(v, now) {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, lessTime)
				defer cancel()
			}
			answers[i], failures[i] = s.ask(ctx, v, q)
			if failures[i] == nil && answers[i].status >= http.StatusInternalServerError {
				failures[i] = fmt.Errorf("registry answered %d", answers[i].status)
			}
			if failures[i] != nil {
				answers[i] = answer{}
				s.mark(v, failures[i])
			}
		})
	}
	wg.Wait()
	answers = slices.DeleteFunc(answers, func(a answer) bool { return a.status == 0 })
	if len(answers) == 0 {
		return nil, fmt.Errorf("%w: %w", errUnreachable, errors.Join(failures...))
	}
	return answers, nil
}

func (s *servers) isBad(v *server, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(v.bad)
}

func (s *servers) mark(v *server, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		v.bad = s.now().Add(quarantine)
		return
	}
	v.bad = time.Time{}
	s.current = v
}

func (s *servers) ask(ctx context.Context, v *server, q question) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout+q.wait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, q.method, v.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return answer{}, err
	}
	if err := s.dress(r, v); err != nil {
		return answer{}, err
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := unpack(resp)
	return answer{resp.StatusCode, b, resp.Header.Get("X-Eureka-Epoch"), strings.Contains(resp.Header.Get("X-Eureka-Ext"), "since")}, err
}

// dress gives a request what the protocol, the URL's user and our own proof
// ask for. Reading needs no proof.
func (s *servers) dress(r *http.Request, v *server) error {
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("DiscoveryIdentity-Name", "DefaultClient")
	r.Header.Set("DiscoveryIdentity-Version", "1.4")
	if r.ContentLength > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if v.user != nil {
		password, _ := v.user.Password()
		r.SetBasicAuth(v.user.Username(), password)
	}
	if s.sign == nil || r.Method == http.MethodGet {
		return nil
	}
	proof, err := s.sign(eureka.Audience, r.Method, r.URL.EscapedPath())
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	r.Header.Set(identity.ProofHeader, proof)
	return nil
}

// unpack reads a body of at most bodyLimit bytes.
func unpack(resp *http.Response) ([]byte, error) {
	in := io.Reader(resp.Body)
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = z
	}
	b, err := io.ReadAll(io.LimitReader(in, bodyLimit+1))
	if len(b) > bodyLimit {
		return nil, errors.New("registry's answer is too large")
	}
	return b, err
}
