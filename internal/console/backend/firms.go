package backend

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"ccms/internal/problem"
	"ccms/internal/upstream"
)

// Firm is a firm as one person sees it.
type Firm struct {
	ID        string    `json:"firm_id"`
	Name      string    `json:"name"`
	Suspended bool      `json:"suspended"`
	Role      string    `json:"role"` // his: owner, admin or viewer; "" for an operator who has none
	CreatedAt time.Time `json:"created_at"`
}

// Firms returns the firms a person belongs to.
func (b *Backend) Firms(r *http.Request, token string) ([]Firm, error) {
	var out Page[Firm]
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: "/api/firms", Token: token, Out: &out})
	return out.Data, err
}

// Operator reports whether a person is an operator.
func (b *Backend) Operator(r *http.Request, token string) (bool, error) {
	_, err := b.AllFirms(r, token, "")
	if e, ok := errors.AsType[*problem.Error](err); ok && e.Code == "FORBIDDEN" {
		return false, nil
	}
	return err == nil, err
}

// AllFirms returns a page of all firms, to operators.
func (b *Backend) AllFirms(r *http.Request, token, cursor string) (Page[Firm], error) {
	q := url.Values{"all": {"true"}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var out Page[Firm]
	err := b.up.Ask(r, upstream.Call{Method: http.MethodGet, Service: upstream.Login, Path: query("/api/firms", q), Token: token, Out: &out})
	return out, err
}

// NewFirm is a firm to be made.
type NewFirm struct {
	Name, Owner string // Owner is an address, "" for none
	Key         string // makes a form that is sent twice one firm
}

// CreateFirm makes a firm.
func (b *Backend) CreateFirm(r *http.Request, token string, n NewFirm) error {
	return b.up.Ask(r, upstream.Call{
		Method: http.MethodPost, Service: upstream.Login, Path: "/api/firms", Token: token, Header: once(n.Key),
		Body: upstream.Object(upstream.Field("name", n.Name), upstream.Field("owner", n.Owner)),
	})
}

// once is the header of something that is to happen once (decision D5).
func once(key string) map[string]string { return map[string]string{"Idempotency-Key": key} }

// Firm returns the caller's firm.
func (b *Backend) Firm(r *http.Request, c Caller) (Firm, error) {
	var out Firm
	err := b.login(r, c, upstream.Call{Method: http.MethodGet, Out: &out})
	return out, err
}

// Rename gives the firm another name.
func (b *Backend) Rename(r *http.Request, c Caller, name string) error {
	return b.login(r, c, upstream.Call{Method: http.MethodPut, Body: upstream.Object(upstream.Field("name", name))})
}

// Suspend stops the firm, or lets it go on.
func (b *Backend) Suspend(r *http.Request, c Caller, suspended bool) error {
	path := "/resume"
	if suspended {
		path = "/suspend"
	}
	return b.login(r, c, upstream.Call{Method: http.MethodPost, Path: path})
}

// Member is a person of a firm, or who is invited to become one.
type Member struct {
	ID       string    `json:"member_id"`
	Email    string    `json:"email"`
	Username string    `json:"username"` // "" while invited
	Role     string    `json:"role"`
	Status   string    `json:"status"` // active or invited
	Since    time.Time `json:"since"`
	Expires  time.Time `json:"expires_at"` // of an invitation
}

// Members returns the people of the firm.
func (b *Backend) Members(r *http.Request, c Caller) ([]Member, error) {
	var out Page[Member]
	err := b.login(r, c, upstream.Call{Method: http.MethodGet, Path: "/members", Out: &out})
	return out.Data, err
}

// Invitation is who is invited.
type Invitation struct {
	Email, Role string
	Key         string // makes a form that is sent twice one invitation
}

// Invite invites somebody.
func (b *Backend) Invite(r *http.Request, c Caller, i Invitation) error {
	return b.login(r, c, upstream.Call{
		Method: http.MethodPost, Path: "/members", Header: once(i.Key),
		Body: upstream.Object(upstream.Field("email", i.Email), upstream.Field("role", i.Role)),
	})
}

// ChangeRole gives a member another role.
func (b *Backend) ChangeRole(r *http.Request, c Caller, member, role string) error {
	return b.login(r, c, upstream.Call{Method: http.MethodPatch, Path: "/members/" + url.PathEscape(member), Body: upstream.Object(upstream.Field("role", role))})
}

// RemoveMember removes a member, or takes an invitation back.
func (b *Backend) RemoveMember(r *http.Request, c Caller, member string) error {
	return b.login(r, c, upstream.Call{Method: http.MethodDelete, Path: "/members/" + url.PathEscape(member)})
}
