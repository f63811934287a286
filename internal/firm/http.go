package firm

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// Routes registers /api/firms/** (decision B13) and what our own services ask.
func (s *Service) Routes(mux *httpserver.Mux) {
	s.internalRoutes(mux)
	created := httpserver.JSONOptions{Status: http.StatusCreated}
	own := func(h httpserver.Handler) httpserver.Handler { return httpserver.As(s.person, h) }

	mux.Handle("GET /api/firms", own(httpserver.JSON(s.getFirms)))
	mux.Handle("POST /api/firms", own(httpserver.JSON(s.postFirm, created)))
	mux.Handle("GET /api/firms/{firm}", own(httpserver.JSON(s.getFirm)))
	mux.Handle("PUT /api/firms/{firm}", own(httpserver.JSON(s.putFirm)))
	mux.Handle("POST /api/firms/{firm}/suspend", own(httpserver.JSON(s.postSuspend)))
	mux.Handle("POST /api/firms/{firm}/resume", own(httpserver.JSON(s.postResume)))

	mux.Handle("GET /api/firms/{firm}/members", own(httpserver.JSON(s.getMembers)))
	mux.Handle("POST /api/firms/{firm}/members", own(httpserver.JSON(s.postMember, created)))
	mux.Handle("PATCH /api/firms/{firm}/members/{member}", own(httpserver.JSON(s.patchMember)))
	mux.Handle("DELETE /api/firms/{firm}/members/{member}", own(httpserver.JSON(s.deleteMember)))

	mux.Handle("GET /api/firms/{firm}/clients", own(httpserver.JSON(s.getClients)))
	mux.Handle("POST /api/firms/{firm}/clients", own(httpserver.JSON(s.postClient, created)))
	mux.Handle("GET /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.getClient)))
	mux.Handle("PATCH /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.patchClient)))
	mux.Handle("DELETE /api/firms/{firm}/clients/{client}", own(httpserver.JSON(s.deleteClient)))
	mux.Handle("POST /api/firms/{firm}/clients/{client}/rotate", own(httpserver.JSON(s.postRotate)))
}

// list is how lists are answered (decision D6).
type list[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next_cursor,omitzero"`
}

// firmView is how a firm is shown to one person.
type firmView struct {
	ID        string    `json:"firm_id"`
	Name      string    `json:"name"`
	Suspended bool      `json:"suspended"`
	Role      Role      `json:"role,omitzero"` // his; absent for an operator who has none
	CreatedAt time.Time `json:"created_at"`
}

func viewOf(f Firm, role Role) firmView {
	return firmView{ID: f.ID, Name: f.Name, Suspended: f.Suspended, Role: role, CreatedAt: f.CreatedAt}
}

// getFirms lists the caller's firms, or, for an operator who asks for all, all.
func (s *Service) getFirms(r *http.Request, _ httpserver.None) (list[firmView], error) {
	p, q := identity.FromContext(r.Context()), r.URL.Query()
	switch {
	case !q.Has("all"):
		return s.firmsOf(r.Context(), callerOf(r))
	case q.Get("all") != "" && q.Get("all") != "true":
		return list[firmView]{}, problem.Validation("Set all to true, or leave it out.")
	}
	if err := s.needOperator(r.Context(), p.Subject); err != nil {
		return list[firmView]{}, err
	}
	after, err := parseCursor(q.Get("cursor"))
	if err != nil {
		return list[firmView]{}, err
	}
	page, next, err := s.Firms(r.Context(), after)
	out := list[firmView]{Data: []firmView{}, Next: cursorText(next)}
	for _, f := range page {
		out.Data = append(out.Data, viewOf(f, f.role(p.Subject)))
	}
	return out, err
}

type newFirm struct {
	Name  string `json:"name"`
	Owner string `json:"owner"` // address of who is invited as the first owner
}

func (s *Service) postFirm(r *http.Request, in newFirm) (firmView, error) {
	ctx := r.Context()
	if err := s.needOperator(ctx, identity.FromContext(ctx).Subject); err != nil {
		return firmView{}, err
	}
	f, err := s.Create(ctx, callerOf(r), NewFirm(in))
	return viewOf(f, ""), err
}

func (s *Service) getFirm(r *http.Request, _ httpserver.None) (firmView, error) {
	w, err := s.stand(r, mayRead())
	return viewOf(w.firm, w.role), err
}

type firmName struct {
	Name string `json:"name"`
}

func (s *Service) putFirm(r *http.Request, in firmName) (firmView, error) {
	w, err := s.stand(r, mayRename())
	if err != nil {
		return firmView{}, err
	}
	f, err := s.Rename(r.Context(), callerOf(r), w.firm.ID, in.Name)
	return viewOf(f, w.role), err
}

func (s *Service) postSuspend(r *http.Request, _ httpserver.None) (firmView, error) {
	return s.setSuspended(r, true)
}

func (s *Service) postResume(r *http.Request, _ httpserver.None) (firmView, error) {
	return s.setSuspended(r, false)
}

// setSuspended is for operators; to a member it is FORBIDDEN, whatever his role.
func (s *Service) setSuspended(r *http.Request, suspended bool) (firmView, error) {
	w, err := s.stand(r, mayRead())
	if err != nil {
		return firmView{}, err
	}
	if !w.operator {
		return firmView{}, problem.Denied("Only an operator suspends a firm.")
	}
	f, err := s.Suspend(r.Context(), callerOf(r), w.firm.ID, suspended)
	return viewOf(f, w.role), err
}

// memberView is a member, or who is invited to become one.
type memberView struct {
	ID       string    `json:"member_id"`
	Email    string    `json:"email"`
	Username string    `json:"username,omitzero"` // absent while invited
	Role     Role      `json:"role"`
	Status   string    `json:"status"` // active or invited
	Since    time.Time `json:"since"`
	Expires  time.Time `json:"expires_at,omitzero"` // of an invitation

	key string // of a member's address, "" for an invitation
}

func (s *Service) getMembers(r *http.Request, _ httpserver.None) (list[memberView], error) {
	w, err := s.stand(r, mayRead())
	if err != nil {
		return list[memberView]{}, err
	}
	all, err := s.members(r.Context(), w.firm)
	return list[memberView]{Data: all}, err
}

type newMember struct {
	Email string `json:"email"`
	Role  Role   `json:"role"`
}

func (s *Service) postMember(r *http.Request, in newMember) (memberView, error) {
	w, err := s.stand(r, mayChangeMembers())
	if err != nil {
		return memberView{}, err
	}
	return s.invite(r.Context(), callerOf(r), w, in)
}

type memberRole struct {
	Role Role `json:"role"`

	member string
}

func (s *Service) patchMember(r *http.Request, in memberRole) (memberView, error) {
	w, err := s.stand(r, mayChangeMembers())
	if err != nil {
		return memberView{}, err
	}
	in.member = r.PathValue("member")
	f, err := s.changeRole(r.Context(), callerOf(r), w, in)
	if err != nil {
		return memberView{}, err
	}
	all, err := s.members(r.Context(), f)
	at := slices.IndexFunc(all, func(m memberView) bool { return m.ID == in.member })
	if err != nil {
		return memberView{}, err
	}
	if at < 0 {
		return memberView{}, problem.NoResource()
	}
	return all[at], nil
}

func (s *Service) deleteMember(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	needs, member := mayChangeMembers(), r.PathValue("member")
	if member == identity.FromContext(r.Context()).Subject {
		needs = mayLeave()
	}
	w, err := s.stand(r, needs)
	if err == nil {
		err = s.removeMember(r.Context(), callerOf(r), w, member)
	}
	return httpserver.Message{Message: "The member was removed."}, err
}

// clientView is a client without its secrets.
type clientView struct {
	ID             string         `json:"client_id"`
	Name           string         `json:"name"`
	Mode           string         `json:"mode"`
	Scopes         []string       `json:"scopes"`
	Secrets        []secretView   `json:"secrets"` // those that are good, the newest first
	Keys           jsontext.Value `json:"keys,omitzero"`
	AcceptTokenURL bool           `json:"accept_token_url"`
	ReturnURLs     []string       `json:"return_urls"`
	Origins        []string       `json:"origins"`
	Revoked        bool           `json:"revoked"`
	CreatedAt      time.Time      `json:"created_at"`
	LastUsed       *time.Time     `json:"last_used,omitzero"`
}

type secretView struct {
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitzero"`
}

func (s *Service) show(c Client) clientView {
	v := clientView{
		ID: c.ID, Name: c.Name, Mode: c.Mode, Scopes: c.Scopes, Secrets: []secretView{}, Keys: c.Keys, AcceptTokenURL: c.AcceptTokenURL,
		ReturnURLs: listed(c.ReturnURLs), Origins: listed(c.Origins), Revoked: c.Revoked, CreatedAt: c.CreatedAt, LastUsed: c.LastUsed,
	}
	for _, held := range c.Secrets {
		if held.live(s.now()) {
			v.Secrets = append(v.Secrets, secretView{held.CreatedAt, held.ExpiresAt})
		}
	}
	return v
}

// listed makes no list an empty one.
func listed(all []string) []string { return append([]string{}, all...) }

func (s *Service) getClients(r *http.Request, _ httpserver.None) (list[clientView], error) {
	w, err := s.stand(r, mayReadClients())
	if err != nil {
		return list[clientView]{}, err
	}
	all, err := s.Clients(r.Context(), w.firm.ID)
	out := list[clientView]{Data: []clientView{}}
	for _, c := range all {
		out.Data = append(out.Data, s.show(c))
	}
	return out, err
}

// withSecret is a client and its new secret, which is shown this once.
type withSecret struct {
	clientView
	ClientSecret *Once `json:"client_secret,omitzero"` // absent for a client with keys
}

func (s *Service) showWith(c Client, text secret.Bytes) withSecret {
	return withSecret{s.show(c), NewMade(c, text).ClientSecret}
}

// clientBody says what a client is to be; what is absent stays as it is, or as
// new clients are.
type clientBody struct {
	Name           *string        `json:"name"`
	Scopes         []string       `json:"scopes"`
	Keys           jsontext.Value `json:"keys"`
	AcceptTokenURL *bool          `json:"accept_token_url"`
	ReturnURLs     []string       `json:"return_urls"`
	Origins        []string       `json:"origins"`
}

func (b clientBody) change() ClientChange {
	return ClientChange{Name: b.Name, Scopes: b.Scopes, Keys: b.Keys, AcceptTokenURL: b.AcceptTokenURL, ReturnURLs: b.ReturnURLs, Origins: b.Origins}
}

type newClientBody struct {
	clientBody
	Mode string `json:"mode"`
}

func (s *Service) postClient(r *http.Request, in newClientBody) (withSecret, error) {
	w, err := s.stand(r, mayUseClients())
	if err != nil {
		return withSecret{}, err
	}
	n := NewClient{FirmID: w.firm.ID, Mode: in.Mode}
	if err := in.change().apply(&n); err != nil {
		return withSecret{}, err
	}
	c, text, err := s.CreateClient(r.Context(), callerOf(r), n)
	return s.showWith(c, text), err
}

// theClient is the client in the path, which is of the firm in the path.
func (s *Service) theClient(r *http.Request, needs right) (Client, error) {
	w, err := s.stand(r, needs)
	if err != nil {
		return Client{}, err
	}
	c, err := s.Client(r.Context(), r.PathValue("client"))
	if err == nil && c.FirmID != w.firm.ID {
		err = problem.NoResource()
	}
	return c, unknown(err)
}

func (s *Service) getClient(r *http.Request, _ httpserver.None) (clientView, error) {
	c, err := s.theClient(r, mayReadClients())
	return s.show(c), err
}

func (s *Service) patchClient(r *http.Request, in clientBody) (clientView, error) {
	c, err := s.theClient(r, mayUseClients())
	if err == nil {
		c, err = s.Change(r.Context(), callerOf(r), c.ID, in.change())
	}
	return s.show(c), err
}

func (s *Service) deleteClient(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	c, err := s.theClient(r, mayUseClients())
	if err == nil {
		_, err = s.Revoke(r.Context(), callerOf(r), c.ID)
	}
	return httpserver.Message{Message: "The client was revoked; its tokens are no good any more."}, err
}

// rotation says how many seconds the older secret lives on, a day by default.
type rotation struct {
	Overlap *int64 `json:"overlap"`
}

func (b rotation) duration() time.Duration {
	if b.Overlap == nil {
		return DefaultOverlap
	}
	// Beyond what is allowed, and not beyond what a Duration holds.
	return time.Duration(min(max(*b.Overlap, -1), int64(maxOverlap/time.Second)+1)) * time.Second
}

func (s *Service) postRotate(r *http.Request, in rotation) (withSecret, error) {
	c, err := s.theClient(r, mayUseClients())
	if err != nil {
		return withSecret{}, err
	}
	c, text, err := s.Rotate(r.Context(), callerOf(r), c.ID, in.duration())
	return s.showWith(c, text), err
}
