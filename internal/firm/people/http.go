package people

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/firm"
	"ccms/internal/firm/credential"
	"ccms/internal/httpserver"
	"ccms/internal/idempotency"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

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
	Role      firm.Role `json:"role,omitzero"` // his; absent for an operator who has none
	CreatedAt time.Time `json:"created_at"`
}

func viewOf(f firm.Firm, role firm.Role) firmView {
	return firmView{ID: f.ID, Name: f.Name, Suspended: f.Suspended, Role: role, CreatedAt: f.CreatedAt}
}

// getFirms lists the caller's firms, or, for an operator who asks for all, all.
func (s *Service) getFirms(r *http.Request, _ httpserver.None) (list[firmView], error) {
	out := list[firmView]{Data: []firmView{}}
	switch all := r.URL.Query()["all"]; {
	case all == nil || all[0] == "false":
		mine, err := s.firms.FirmsOf(r.Context(), firm.CallerOf(r))
		for _, w := range mine {
			out.Data = append(out.Data, viewOf(w.Firm, w.Role))
		}
		return out, err
	case all[0] != "" && all[0] != "true":
		return out, problem.Validation("Set all to true or false.")
	}
	if err := s.needOperator(r); err != nil {
		return out, err
	}
	after, err := parseCursor(r.URL.Query().Get("cursor"))
	if err != nil {
		return out, err
	}
	page, next, err := s.firms.Firms(r.Context(), after)
	for _, f := range page {
		out.Data = append(out.Data, viewOf(f, f.Role(identity.FromContext(r.Context()).Subject)))
	}
	out.Next = cursorText(next)
	return out, err
}

type newFirm struct {
	Name  string `json:"name"`
	Owner string `json:"owner"` // address of who is invited as the first owner
}

func (s *Service) postFirm(r *http.Request, in newFirm) (jsontext.Value, error) {
	if err := s.needOperator(r); err != nil {
		return nil, err
	}
	return s.once(r, in, func(ctx context.Context, id string) (any, error) {
		f, err := s.firms.CreateAs(ctx, firm.CallerOf(r), id, firm.NewFirm(in))
		return viewOf(f, ""), err
	})
}

// once makes something from a body, or gives the answer that the request's
// Idempotency-Key had before (decision D5). f is given the id of a firm, which is
// the same for every try.
func (s *Service) once(r *http.Request, in any, f func(ctx context.Context, id string) (any, error)) (jsontext.Value, error) {
	key, err := idempotency.ParseKey(r.Header.Values(idempotency.Header))
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	do := func(ctx context.Context, ids []string) ([]byte, error) {
		out, err := f(ctx, ids[0])
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
	return s.keys.Do(r.Context(), idempotency.Request{
		Principal: identity.FromContext(r.Context()).Subject, Route: r.Method + " " + r.URL.Path,
		Key: key, Body: body, IDs: []string{firm.NewID()},
	}, do)
}

func (s *Service) getFirm(r *http.Request, _ httpserver.None) (firmView, error) {
	w, err := s.stand(r, mayRead())
	return viewOf(w.Firm, w.Role), err
}

type firmName struct {
	Name string `json:"name"`
}

func (s *Service) putFirm(r *http.Request, in firmName) (firmView, error) {
	w, err := s.stand(r, mayRename())
	if err != nil {
		return firmView{}, err
	}
	f, err := s.firms.Rename(r.Context(), firm.CallerOf(r), w.Firm.ID, in.Name)
	return viewOf(f, w.Role), err
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
	if !w.Operator {
		return firmView{}, problem.Denied("Only an operator suspends a firm.")
	}
	f, err := s.firms.Suspend(r.Context(), firm.CallerOf(r), w.Firm.ID, suspended)
	return viewOf(f, w.Role), err
}

func (s *Service) getMembers(r *http.Request, _ httpserver.None) (list[firm.Membership], error) {
	w, err := s.stand(r, mayRead())
	if err != nil {
		return list[firm.Membership]{}, err
	}
	all, err := s.firms.Members(r.Context(), w.Firm)
	return list[firm.Membership]{Data: all}, err
}

func (s *Service) postMember(r *http.Request, in firm.Invitee) (jsontext.Value, error) {
	w, err := s.stand(r, mayChangeMembers())
	if err != nil {
		return nil, err
	}
	return s.once(r, in, func(ctx context.Context, _ string) (any, error) {
		return s.firms.Invite(ctx, firm.CallerOf(r), w, in)
	})
}

type memberRole struct {
	Role firm.Role `json:"role"`
}

func (s *Service) patchMember(r *http.Request, in memberRole) (firm.Membership, error) {
	w, err := s.stand(r, mayChangeMembers())
	if err != nil {
		return firm.Membership{}, err
	}
	member := r.PathValue("member")
	f, err := s.firms.ChangeRole(r.Context(), firm.CallerOf(r), w, firm.RoleChange{Member: member, Role: in.Role})
	if err != nil {
		return firm.Membership{}, err
	}
	all, err := s.firms.Members(r.Context(), f)
	at := slices.IndexFunc(all, func(m firm.Membership) bool { return m.ID == member })
	if err != nil {
		return firm.Membership{}, err
	}
	if at < 0 {
		return firm.Membership{}, problem.NoResource()
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
		err = s.firms.RemoveMember(r.Context(), firm.CallerOf(r), w, member)
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

func (s *Service) show(c firm.Client) clientView {
	v := clientView{
		ID: c.ID, Name: c.Name, Mode: c.Mode, Scopes: c.Scopes, Secrets: []secretView{}, Keys: c.Keys, AcceptTokenURL: c.AcceptTokenURL,
		ReturnURLs: listed(c.ReturnURLs), Origins: listed(c.Origins), Revoked: c.Revoked, CreatedAt: c.CreatedAt, LastUsed: c.LastUsed,
	}
	for _, held := range c.Secrets {
		if held.Live(s.now()) {
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
	all, err := s.firms.Clients(r.Context(), w.Firm.ID)
	out := list[clientView]{Data: []clientView{}}
	for _, c := range all {
		out.Data = append(out.Data, s.show(c))
	}
	return out, err
}

// withSecret is a client and its new secret, which is shown this once.
type withSecret struct {
	clientView
	ClientSecret *credential.Once `json:"client_secret,omitzero"` // absent for a client with keys
}

func (s *Service) showWith(c firm.Client, text secret.Bytes) withSecret {
	return withSecret{s.show(c), firm.NewMade(c, text).ClientSecret}
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

func (b clientBody) change() firm.ClientChange {
	return firm.ClientChange{Name: b.Name, Scopes: b.Scopes, Keys: b.Keys, AcceptTokenURL: b.AcceptTokenURL, ReturnURLs: b.ReturnURLs, Origins: b.Origins}
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
	n := firm.NewClient{FirmID: w.Firm.ID, Mode: in.Mode}
	if err := in.change().Apply(&n); err != nil {
		return withSecret{}, err
	}
	c, text, err := s.firms.CreateClient(r.Context(), firm.CallerOf(r), n)
	return s.showWith(c, text), err
}

// theClient is the client in the path, which is of the firm in the path.
func (s *Service) theClient(r *http.Request, needs right) (firm.Client, error) {
	w, err := s.stand(r, needs)
	if err != nil {
		return firm.Client{}, err
	}
	return s.firms.ClientOf(r.Context(), w.Firm.ID, r.PathValue("client"))
}

func (s *Service) getClient(r *http.Request, _ httpserver.None) (clientView, error) {
	c, err := s.theClient(r, mayReadClients())
	return s.show(c), err
}

func (s *Service) patchClient(r *http.Request, in clientBody) (clientView, error) {
	c, err := s.theClient(r, mayUseClients())
	if err == nil {
		c, err = s.firms.Change(r.Context(), firm.CallerOf(r), c.ID, in.change())
	}
	return s.show(c), err
}

func (s *Service) deleteClient(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	c, err := s.theClient(r, mayUseClients())
	if err == nil {
		_, err = s.firms.Revoke(r.Context(), firm.CallerOf(r), c.ID)
	}
	return httpserver.Message{Message: "The client was revoked; its tokens are no good any more."}, err
}

// rotation says how many seconds the older secret lives on, a day by default.
type rotation struct {
	Overlap *int64 `json:"overlap"`
}

func (b rotation) duration() time.Duration {
	if b.Overlap == nil {
		return firm.DefaultOverlap
	}
	// Beyond what is allowed, and not beyond what a Duration holds.
	return time.Duration(min(max(*b.Overlap, -1), int64(firm.MaxOverlap/time.Second)+1)) * time.Second
}

func (s *Service) postRotate(r *http.Request, in rotation) (withSecret, error) {
	c, err := s.theClient(r, mayUseClients())
	if err != nil {
		return withSecret{}, err
	}
	c, text, err := s.firms.Rotate(r.Context(), firm.CallerOf(r), c.ID, in.duration())
	return s.showWith(c, text), err
}
