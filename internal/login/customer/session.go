package customer

import (
	"slices"
	"time"
)

// Session is a login that is not over; its ID is the token's sid. Sessions
// stand in the customer's document: one read answers whether a token is good
// and what the account is now, a new password ends them in the same write, and
// a login that began before it finds the password changed.
type Session struct {
	ID      string    `bson:"id"`
	Created time.Time `bson:"created"`
	Seen    time.Time `bson:"seen"`
	Expires time.Time `bson:"expires"`
	Network string    `bson:"network"`
	Device  string    `bson:"device"`
}

// maxSessions is how many sessions an account has at most; one more ends the
// oldest.
const maxSessions = 100

// Live reports whether a session that may be idle this long goes on.
func (v Session) Live(now time.Time, idle time.Duration) bool {
	return now.Before(v.Expires) && now.Sub(v.Seen) < idle
}

// Begin adds a session to the account and drops those that are over.
func (c *Customer) Begin(v Session, idle time.Duration) {
	c.Sessions = slices.DeleteFunc(c.Sessions, func(old Session) bool { return !old.Live(v.Created, idle) })
	c.Sessions = append(c.Sessions, v)
	c.Sessions = c.Sessions[max(0, len(c.Sessions)-maxSessions):]
}

// Session is the session with this id; nil when it is not there. What is
// changed through it is changed in the account.
func (c *Customer) Session(id string) *Session {
	i := slices.IndexFunc(c.Sessions, func(v Session) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return &c.Sessions[i]
}
