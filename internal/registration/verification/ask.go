package verification

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/card"
	"ccms/internal/secret"
	"ccms/internal/webhook"
)

// Unanswered says that a firm's endpoint was asked in vain, or not asked, and
// has to be asked again. Class is one of those of webhook.Failure, or one of
// the words below; it names neither the firm nor its endpoint.
type Unanswered struct{ Class string }

// The classes of Unanswered beside those of webhook.Failure.
const (
	Waiting   = "waiting"   // too many calls to the firm are under way, or too many failed
	Status    = "status"    // the status was not 200
	Malformed = "malformed" // the answer is not the object docs/verification.md describes
)

// Error implements error.
func (u *Unanswered) Error() string { return "verification: not answered: " + u.Class }

// question is the body of a call, as docs/verification.md describes it.
type question struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      struct {
		RegistrationID string `json:"registration_id"`
		Token          string `json:"token"`
		BIN            string `json:"bin"`
		Last4          string `json:"last4"`
		Brand          string `json:"brand"`
		Expiry         string `json:"expiry"`
		Reference      string `json:"reference,omitzero"`
		Mode           string `json:"mode"`
		CodeJWE        string `json:"code_jwe,omitzero"`
	} `json:"data"`
}

// Ask asks the firm's endpoint, once, within the client's time. Its message has
// the same id at every try. The error is an *Unanswered, or context.Canceled
// when ctx was. A firm that has no endpoint any more has nobody left to ask:
// the registration is verified.
func (p *Pipeline) Ask(ctx context.Context, c Case) (Verdict, error) {
	e := c.Rules.Endpoint
	if e == nil {
		p.DropCode(c.RegistrationID)
		return Verdict{Status: Verified, CVVStatus: CodeUnchecked}, nil
	}
	firm := c.FirmID + "/" + c.Mode
	if !p.gate.enter(firm, p.now()) {
		p.metrics.asked(Waiting)
		return Verdict{}, &Unanswered{Waiting}
	}
	how := failed // whatever happens
	defer func() { p.gate.leave(firm, how, p.now()) }()
	v, err := p.call(ctx, c)
	outcome := v.Status
	switch u, vain := errors.AsType[*Unanswered](err); {
	case vain:
		outcome = u.Class
	case err != nil:
		how, outcome = aborted, aborting
	default:
		how = answered
		p.DropCode(c.RegistrationID)
	}
	p.metrics.asked(outcome)
	return v, err
}

func (p *Pipeline) call(ctx context.Context, c Case) (Verdict, error) {
	e, now := c.Rules.Endpoint, p.now()
	code := p.codeFor(c, now)
	body, err := ask(c, code, now)
	if err != nil {
		return Verdict{}, fmt.Errorf("verification: encode the question: %w", err)
	}
	keys := p.keys(c.FirmID, e, now)
	defer wipe(keys)
	answer, err := p.client.Post(ctx, webhook.Delivery{
		Mode: c.Mode, URL: e.URL, ID: "verify_" + c.RegistrationID, Body: body, Keys: keys,
	})
	if f, ok := errors.AsType[*webhook.Failure](err); ok {
		return Verdict{}, &Unanswered{f.Class}
	}
	if err != nil {
		return Verdict{}, err
	}
	if answer.Status != http.StatusOK {
		return Verdict{}, &Unanswered{Status}
	}
	r, ok := readReply(answer.Body)
	if !ok {
		return Verdict{}, &Unanswered{Malformed}
	}
	v := Verdict{Status: Verified, CVVStatus: CodeUnchecked}
	if r.Decision == "decline" {
		v.Status, v.Reason = Rejected, r.Reason
	}
	switch {
	case code != "" && r.CVVStatus != "":
		v.CVVStatus = r.CVVStatus
	case e.SendCode: // whatever the answer says of a code it did not get
		v.CVVStatus = CodeUnavailable
	}
	return v, nil
}

// codeFor is the code as the firm may have it, "" when it asked for none or
// none is held.
func (p *Pipeline) codeFor(c Case, now time.Time) string {
	if !c.Rules.WantsCode() {
		return ""
	}
	code, ok := p.codes.open(c.RegistrationID, now)
	defer code.Wipe()
	if !ok {
		return ""
	}
	jwe, err := encrypt(code, c.Rules.Endpoint.CodeKey)
	if err != nil {
		return "" // Adopt took the key, so this cannot be; the code is unavailable then
	}
	return jwe
}

func ask(c Case, code string, now time.Time) ([]byte, error) {
	q := question{Type: "registration.verify", Timestamp: now.UTC().Format("2006-01-02T15:04:05.000Z")}
	d := &q.Data
	d.RegistrationID, d.Token, d.Reference, d.Mode = c.RegistrationID, c.Token, c.Reference, c.Mode
	d.BIN, d.Last4, d.Brand, d.Expiry = c.BIN, c.Last4, c.Brand, c.Expiry
	d.CodeJWE = code
	return json.Marshal(q)
}

// reply is what an endpoint answers.
type reply struct {
	Decision  string `json:"decision"`
	Reason    string `json:"reason"`
	CVVStatus string `json:"cvv_status"`
}

// reasonWord is what may stand in a status and a log; runs of digits that may
// be a card number are refused beside.
var reasonWord = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// readReply reads an answer strictly: one object of these members, no doubles.
func readReply(body []byte) (reply, bool) {
	var r reply
	if err := json.Unmarshal(body, &r, json.RejectUnknownMembers(true)); err != nil {
		return reply{}, false
	}
	if r.Reason == "" {
		r.Reason = Declined
	}
	ok := (r.Decision == "approve" || r.Decision == "decline") &&
		reasonWord.MatchString(r.Reason) && card.MaskRuns(r.Reason) == r.Reason &&
		(r.CVVStatus == "" || r.CVVStatus == CodeMatched || r.CVVStatus == CodeMismatched || r.CVVStatus == CodeUnavailable)
	return r, ok
}

func wipe(keys []secret.Bytes) {
	for _, k := range keys {
		k.Wipe()
	}
}
