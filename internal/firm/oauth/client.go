package oauth

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"time"

	"ccms/internal/audit"
	"ccms/internal/firm"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/limit"
	"ccms/internal/secret"
)

// The methods of authentication (RFC 6749 section 2.3.1, OpenID Connect Core
// section 9), as the registry of RFC 8414 names them.
const (
	methodBasic     = "client_secret_basic"
	methodPost      = "client_secret_post"
	methodAssertion = "private_key_jwt"
)

// credentials are what a client authenticates with. Nothing in them is proven.
type credentials struct {
	method    string
	client    string // the id claimed
	secret    secret.Bytes
	assertion assertion
}

// credentialsOf finds the one way in which r authenticates a client; two are
// one too many (RFC 6749 section 2.3).
func credentialsOf(r *http.Request, in form) (credentials, error) {
	headers := r.Header.Values("Authorization")
	header, word := len(headers) > 0, in.has("client_secret")
	proof := in.has("client_assertion") || in.has("client_assertion_type")
	switch {
	case len(headers) > 1, header && word, header && proof, word && proof:
		return credentials{}, malformed("Authenticate in one way only.")
	case header:
		return basicCredentials(headers[0], in)
	case word:
		if !in.has("client_id") {
			return credentials{}, malformed("Send client_id with client_secret.")
		}
		return credentials{method: methodPost, client: in.text("client_id"), secret: in.secret("client_secret")}, nil
	case proof:
		return assertionCredentials(in)
	}
	return credentials{client: in.text("client_id")}, notProven("no authentication")
}

func basicCredentials(header string, in form) (credentials, error) {
	id, word, ok := parseBasic(header)
	if !ok {
		return credentials{}, notProven("malformed Authorization header")
	}
	if in.has("client_id") && in.text("client_id") != id {
		word.Wipe()
		return credentials{}, malformed("Leave client_id out, or name the client that authenticates.")
	}
	return credentials{method: methodBasic, client: id, secret: word}, nil
}

func assertionCredentials(in form) (credentials, error) {
	if !in.has("client_assertion") || !in.has("client_assertion_type") {
		return credentials{}, malformed("Send client_assertion and client_assertion_type together.")
	}
	if in.text("client_assertion_type") != jwtBearer {
		return credentials{client: in.text("client_id")}, notProven("another client_assertion_type")
	}
	a, err := parseAssertion(in.text("client_assertion"))
	if err != nil {
		return credentials{client: in.text("client_id")}, notProven(err.Error())
	}
	c := credentials{method: methodAssertion, client: a.claims.Subject, assertion: a}
	if in.has("client_id") && in.text("client_id") != c.client { // RFC 7521 section 4.2
		return c, notProven("client_id is another client's")
	}
	return c, nil
}

// find returns an active client, or firm.ErrInactive.
type find func(ctx context.Context, id string) (firm.Client, error)

// authenticate returns the active client that sent r and how it proved that,
// looking it up in the first way, and, if that brings nothing, in the next: what
// is remembered may be older than a fresh secret. Its errors are refusals or
// failures of ours; a failed proof is counted and goes on record.
func (s *Service) authenticate(r *http.Request, in form, ways ...find) (firm.Client, string, error) {
	cred, err := credentialsOf(r, in)
	defer cred.secret.Wipe()
	var c firm.Client
	if err == nil {
		if c, err = s.proveBy(r.Context(), cred, ways); err == nil {
			s.stamp(r.Context(), c)
			return c, cred.method, nil
		}
	}
	if unproven(err) {
		err = s.count(r, firm.Client{ID: cred.client, FirmID: c.FirmID}, err)
	}
	return firm.Client{}, "", err
}

// unproven reports whether err says that a client did not prove who it is.
func unproven(err error) bool {
	e, ok := errors.AsType[*refusal](err)
	return ok && e.code == "invalid_client"
}

// stampEvery is how long an instance keeps quiet about a client it told of.
const stampEvery = time.Minute

// stamp tells that a client was there. Nothing hangs on it, so a failure is no
// reason to turn the client away.
func (s *Service) stamp(ctx context.Context, c firm.Client) {
	now, d := s.cfg.Now(), identity.DigestOf(c.ID)
	if _, told := s.recent.stamped.Get(d, now); told {
		return
	}
	s.recent.stamped.Put(d, struct{}{}, now.Add(stampEvery))
	if err := s.cfg.Clients.Used(ctx, c); err != nil {
		s.cfg.Log.WarnContext(ctx, "last use of a client was not noted", "error.message", err)
	}
}

// proveBy is prove with each way of looking a client up, until one brings it.
func (s *Service) proveBy(ctx context.Context, cred credentials, ways []find) (c firm.Client, err error) {
	for _, look := range ways {
		if c, err = s.prove(ctx, cred, look); !unproven(err) {
			break
		}
	}
	return c, err
}

// prove checks the credentials against the client they name.
func (s *Service) prove(ctx context.Context, cred credentials, look find) (firm.Client, error) {
	if !clientID.MatchString(cred.client) {
		return firm.Client{}, notProven("no client's id")
	}
	c, err := look(ctx, cred.client)
	if errors.Is(err, firm.ErrInactive) {
		return c, notProven("no active client")
	}
	if err != nil {
		return c, err
	}
	now := s.cfg.Now()
	if cred.method != methodAssertion {
		if !c.Matches(cred.secret.Reveal(), now) {
			return c, notProven("wrong secret")
		}
		return c, nil
	}
	if err := cred.assertion.verify(c, s.audiences(c), now); err != nil {
		return c, notProven(err.Error())
	}
	if err := cred.assertion.use(ctx, s.used, c.ID); errors.Is(err, errReplayed) {
		return c, notProven(err.Error())
	} else if err != nil {
		return c, err
	}
	return c, nil
}

// clientID is the form of a client's id; nothing else is looked up or counted.
var clientID = regexp.MustCompile(`^client_[A-Z2-7]{26}$`)

// failureWindow is how long a failed authentication counts.
const failureWindow = 5 * time.Minute

// count counts a failed authentication and puts it on record, and returns what
// to answer: the failure, or, when there were too many, 429. Only failures come
// here, so nobody can lock a client out by failing in its name; and what is too
// much is neither counted nor recorded, so a flood does not fill the store.
func (s *Service) count(r *http.Request, c firm.Client, failed error) error {
	network := limit.Bucket{Rule: limit.Rule{Name: "oauth-network", Max: s.cfg.FailuresPerNetwork, Window: failureWindow}, Key: limit.Network(httpserver.Client(r))}
	buckets := []limit.Bucket{network}
	if clientID.MatchString(c.ID) {
		rule := limit.Rule{Name: "oauth-client", Max: s.cfg.FailuresPerClient, Window: failureWindow}
		buckets = append(buckets, limit.Bucket{Rule: rule, Key: c.ID})
	} else {
		c.ID = "" // what is no id may be a secret in the wrong place
	}
	err := s.cfg.Counters.Take(r.Context(), buckets...)
	if locked, ok := errors.AsType[*limit.Locked](err); ok {
		return slowDown(locked.Until.Sub(s.cfg.Now()))
	}
	if err != nil {
		return err
	}
	if err := s.note(r, c, act{"client.authenticate", audit.Refused, failed.Error()}); err != nil {
		return err
	}
	return failed
}

// act is what goes on record.
type act struct{ name, result, reason string }

// entry is the record of an act of c.
func entry(r *http.Request, c firm.Client, name, reason string) audit.Entry {
	return audit.Entry{
		Act: name, Actor: c.ID, Object: c.ID, Owner: c.FirmID, Reason: reason,
		From: httpserver.Client(r).String(), Request: httpserver.RequestID(r.Context()),
	}
}

// note puts an act of c on record. Without the record there is no answer
// (decision D9).
func (s *Service) note(r *http.Request, c firm.Client, a act) error {
	return s.cfg.Audit.Note(r.Context(), entry(r, c, a.name, a.reason), a.result)
}
