package firm

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ccms/internal/problem"
	"ccms/internal/store"
)

// Whom somebody makes a member is named by address, and the answer must not tell
// whether there is such an account. So everybody is invited first, and an
// invitation takes effect by itself when the person of a confirmed address next
// asks for anything of the firm, or for his firms: see join.

// Membership is a member, or who is invited to become one, as it is shown.
type Membership struct {
	ID       string    `json:"member_id"`
	Email    string    `json:"email"`
	Username string    `json:"username,omitzero"` // absent while invited
	Role     Role      `json:"role"`
	Status   string    `json:"status"` // active or invited
	Since    time.Time `json:"since"`
	Expires  time.Time `json:"expires_at,omitzero"` // of an invitation

	key string // of a member's address, "" for an invitation
}

// Invitee is who is to become a member.
type Invitee struct {
	Email string `json:"email"`
	Role  Role   `json:"role"`
}

// RoleChange names a member and what becomes of him.
type RoleChange struct {
	Member string
	Role   Role
}

// invitationLife is how long an invitation waits.
const invitationLife = 30 * 24 * time.Hour

// Invite invites whoever confirms an address, or changes what an invitation says.
// The answer does not tell whether there is such an account.
func (s *Service) Invite(ctx context.Context, by Caller, w Standing, in Invitee) (Membership, error) {
	key, ok := s.cfg.Accounts.Key(in.Email)
	if !ok {
		return Membership{}, badAddress()
	}
	if in.Role.Rank() == 0 {
		return Membership{}, problem.Validation("The role is owner, admin or viewer.")
	}
	if err := w.mayGrant(in.Role); err != nil {
		return Membership{}, err
	}
	known, err := s.Members(ctx, w.Firm)
	if err != nil {
		return Membership{}, err
	}
	id := invitationID(w.Firm.ID, key)
	at := slices.IndexFunc(known, func(m Membership) bool { return m.ID == id || m.key == key })
	switch {
	case at >= 0 && known[at].key == key:
		return Membership{}, problem.Validation("This person is a member already; change the role instead.")
	case at >= 0:
		if err := w.mayGrant(known[at].Role); err != nil {
			return Membership{}, err
		}
	case len(known) >= maxMembers:
		return Membership{}, problem.Validation("A firm has at most 200 members; remove one first.")
	}
	i := w.Firm.invite(in, key, s.now())
	err = s.do(ctx, by, act{name: "member.invite", firm: w.Firm.ID, object: id, reason: string(in.Role)}, func() error {
		return s.putInvitation(ctx, i)
	})
	return invited(id, i), err
}

// invite is the invitation of who has an address with this key.
func (f *Firm) invite(in Invitee, key string, now time.Time) invitation {
	return invitation{Firm: f.ID, Email: in.Email, Key: key, Role: in.Role, CreatedAt: now, ExpiresAt: now.Add(invitationLife)}
}

// putInvitation stores an invitation in the place of an older one.
func (s *Service) putInvitation(ctx context.Context, i invitation) error {
	id := invitationID(i.Firm, i.Key)
	for {
		_, err := s.invitations.Update(ctx, id, func(old *invitation) error { *old = i; return nil })
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err = s.invitations.Insert(ctx, id, i); !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

// join makes the caller a member of f when he is invited under the confirmed
// address of his account, and returns his role, "" for none. Mark, membership
// and the end of the invitation come in this order, and each may be repeated:
// what a crash leaves behind the next request finishes.
func (s *Service) join(ctx context.Context, by Caller, f Firm) (Firm, Role, error) {
	account, _, err := s.cfg.Accounts.ByID(ctx, by.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !account.Validated {
		return f, "", nil
	}
	if err != nil {
		return f, "", err
	}
	key, _ := s.cfg.Accounts.Key(account.Email)
	rec, err := s.invitations.Get(ctx, invitationID(f.ID, key))
	if errors.Is(err, store.ErrNotFound) {
		return f, "", nil
	}
	if err != nil {
		return f, "", err
	}
	err = s.do(ctx, by, act{name: "member.join", firm: f.ID, object: by.ID, reason: string(rec.Value.Role)}, func() error {
		if err := s.cfg.Accounts.Mark(ctx, by.ID, f.ID, true); err != nil {
			return err
		}
		joined, err := s.firms.Update(ctx, f.ID, func(f *Firm) error {
			if f.member(by.ID) == nil {
				f.Members = append(f.Members, Member{Subject: by.ID, Role: rec.Value.Role, Since: s.now()})
			}
			return nil
		})
		if err != nil {
			return unknown(err)
		}
		f = named(joined)
		return s.dropInvitation(ctx, rec)
	})
	return f, f.Role(by.ID), err
}

// dropInvitation removes an invitation, unless it says something else by now.
func (s *Service) dropInvitation(ctx context.Context, rec store.Record[invitation]) error {
	err := s.invitations.Delete(ctx, rec.ID, rec.Rev)
	if errors.Is(err, store.ErrStale) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// Members returns the members whose accounts are there, in the order they came,
// and behind them who is invited.
func (s *Service) Members(ctx context.Context, f Firm) ([]Membership, error) {
	all := []Membership{}
	for _, m := range f.Members {
		account, _, err := s.cfg.Accounts.ByID(ctx, m.Subject)
		if errors.Is(err, store.ErrNotFound) {
			continue // erased; nobody can log in as him again
		}
		if err != nil {
			return nil, err
		}
		v := Membership{ID: m.Subject, Email: account.Email, Username: account.Username, Role: m.Role, Status: "active", Since: m.Since}
		v.key, _ = s.cfg.Accounts.Key(account.Email)
		all = append(all, v)
	}
	q := store.Query{Where: []store.Cond{{Field: "firm", Op: store.Eq, Value: f.ID}}}
	for rec, err := range s.invitations.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(m Membership) bool { return m.key == rec.Value.Key }) {
			all = append(all, invited(rec.ID, rec.Value))
		}
	}
	return all, nil
}

// invited is how an invitation shows among the members; it has no key, which
// tells it from a member.
func invited(id string, i invitation) Membership {
	return Membership{ID: id, Email: i.Email, Role: i.Role, Status: "invited", Since: i.CreatedAt, Expires: i.ExpiresAt}
}

// ChangeRole gives a member another role.
func (s *Service) ChangeRole(ctx context.Context, by Caller, w Standing, to RoleChange) (Firm, error) {
	m := w.Firm.member(to.Member)
	switch {
	case m == nil:
		return Firm{}, problem.NoResource()
	case to.Role.Rank() == 0:
		return Firm{}, problem.Validation("The role is owner, admin or viewer.")
	}
	if err := firstOf(w.mayGrant(to.Role), w.mayGrant(m.Role)); err != nil {
		return Firm{}, err
	}
	others, err := s.otherOwners(ctx, w.Firm, to.Member)
	if err != nil {
		return Firm{}, err
	}
	a := act{name: "member.role", firm: w.Firm.ID, object: to.Member, reason: string(to.Role)}
	return s.changeFirm(ctx, by, a, func(f *Firm) error {
		m := f.member(to.Member)
		if m == nil {
			return problem.NoResource()
		}
		if to.Role != Owner && m.Role == Owner && !f.keepsOwner(others) {
			return lastOwner()
		}
		if err := w.mayGrant(m.Role); err != nil { // he may have become an owner meanwhile
			return err
		}
		m.Role = to.Role
		return nil
	})
}

// RemoveMember ends a membership or an invitation; everybody may end his own.
func (s *Service) RemoveMember(ctx context.Context, by Caller, w Standing, member string) error {
	if strings.HasPrefix(member, invitePrefix) {
		return s.withdraw(ctx, by, w, member)
	}
	m := w.Firm.member(member)
	if m == nil {
		return problem.NoResource()
	}
	if err := w.mayGrant(m.Role); err != nil {
		return err
	}
	others, err := s.otherOwners(ctx, w.Firm, member)
	if err != nil {
		return err
	}
	if err := s.forgetInvited(ctx, w.Firm.ID, member); err != nil {
		return err
	}
	_, err = s.changeFirm(ctx, by, act{name: "member.remove", firm: w.Firm.ID, object: member}, func(f *Firm) error {
		m := f.member(member)
		if m == nil {
			return nil
		}
		if m.Role == Owner && !f.keepsOwner(others) {
			return lastOwner()
		}
		if err := w.mayGrant(m.Role); err != nil {
			return err
		}
		f.Members = slices.DeleteFunc(f.Members, func(m Member) bool { return m.Subject == member })
		return nil
	})
	if err != nil {
		return err
	}
	return s.unmark(ctx, w.Firm.ID, member)
}

// unmark takes the mark of a firm off an account, and puts it back when the person
// has joined again meanwhile.
func (s *Service) unmark(ctx context.Context, firm, member string) error {
	err := s.cfg.Accounts.Mark(ctx, member, firm, false)
	if errors.Is(err, store.ErrNotFound) {
		return nil // erased
	}
	if err != nil {
		return err
	}
	f, err := s.Firm(ctx, firm)
	if err == nil && f.member(member) != nil {
		return s.cfg.Accounts.Mark(ctx, member, firm, true)
	}
	return err
}

// withdraw ends an invitation.
func (s *Service) withdraw(ctx context.Context, by Caller, w Standing, id string) error {
	rec, err := s.invitations.Get(ctx, id)
	if err == nil && rec.Value.Firm != w.Firm.ID {
		err = store.ErrNotFound
	}
	if err != nil {
		return unknown(err)
	}
	if err := w.mayGrant(rec.Value.Role); err != nil {
		return err
	}
	return s.do(ctx, by, act{name: "member.remove", firm: w.Firm.ID, object: id}, func() error {
		return s.dropInvitation(ctx, rec)
	})
}

// forgetInvited removes an invitation that a member's join left behind when it
// was cut off: it would bring back who is removed.
func (s *Service) forgetInvited(ctx context.Context, firm, member string) error {
	account, _, err := s.cfg.Accounts.ByID(ctx, member)
	if err == nil {
		key, _ := s.cfg.Accounts.Key(account.Email)
		var rec store.Record[invitation]
		if rec, err = s.invitations.Get(ctx, invitationID(firm, key)); err == nil {
			return s.dropInvitation(ctx, rec)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// otherOwners are the owners but one, as far as their accounts are there.
func (s *Service) otherOwners(ctx context.Context, f Firm, but string) ([]string, error) {
	var owners []string
	for _, m := range f.Members {
		if m.Role != Owner || m.Subject == but {
			continue
		}
		_, _, err := s.cfg.Accounts.ByID(ctx, m.Subject)
		if err == nil {
			owners = append(owners, m.Subject)
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return owners, nil
}

// keepsOwner reports whether one of these is an owner still.
func (f *Firm) keepsOwner(others []string) bool {
	return slices.ContainsFunc(others, func(id string) bool { return f.Role(id) == Owner })
}

func lastOwner() error {
	return problem.Validation("A firm keeps at least one owner; make somebody else one first.")
}

// FirmsOf lists the firms somebody is a member of by name, those he is invited to
// included, since the invitation takes effect here.
func (s *Service) FirmsOf(ctx context.Context, by Caller) ([]Standing, error) {
	account, marks, err := s.cfg.Accounts.ByID(ctx, by.ID)
	if err != nil {
		return nil, unknown(err)
	}
	key, _ := s.cfg.Accounts.Key(account.Email)
	q := store.Query{Where: []store.Cond{{Field: "key", Op: store.Eq, Value: key}}}
	for rec, err := range s.invitations.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		marks = append(marks, rec.Value.Firm)
	}
	slices.Sort(marks)
	var all []Standing
	for _, id := range slices.Compact(marks) {
		f, role, err := s.belong(ctx, by, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if role != "" {
			all = append(all, Standing{Firm: f, Role: role})
		}
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Firm.Name, b.Firm.Name), cmp.Compare(a.Firm.ID, b.Firm.ID))
	})
	return all, nil
}

// belong returns a firm and the caller's role in it, "" for none, after he joined
// it where he is invited; store.ErrNotFound without such a firm.
func (s *Service) belong(ctx context.Context, by Caller, id string) (Firm, Role, error) {
	f, err := s.Firm(ctx, id)
	if err != nil {
		return f, "", err
	}
	if role := f.Role(by.ID); role != "" {
		return f, role, nil
	}
	return s.join(ctx, by, f)
}
