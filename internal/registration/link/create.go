package link

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ccms/internal/audit"
	"ccms/internal/card"
	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/listing"
	"ccms/internal/problem"
	"ccms/internal/secret"
	"ccms/internal/store"
)

// maxReference bounds a reference, in characters, as that of a registration.
const maxReference = 255

// createBody is the body of POST /v1/links.
type createBody struct {
	Mode      Kind   `json:"mode"`
	Reference string `json:"reference"`
	ReturnURL string `json:"return_url"`
	Origin    string `json:"origin"`
	ExpiresIn *int64 `json:"expires_in"` // seconds
	ClientID  string `json:"client_id"`  // for members: whose lists count
}

// handleCreate answers {"id","url","expires_at"}. The URL holds the secret, of
// which only a hash is kept: this answer alone has it, and is wiped.
func (s *Service) handleCreate(r *http.Request, in createBody) (secret.Bytes, error) {
	life, err := in.check()
	if err != nil {
		return secret.Bytes{}, err
	}
	d, err := s.draft(r.Context(), in)
	if err != nil {
		return secret.Bytes{}, err
	}
	id, now := "link_"+strings.ToLower(rand.Text()), s.c.Now().UTC().Truncate(time.Millisecond)
	d.CreatedAt, d.ExpiresAt, d.RemoveAt = now, now.Add(life), now.Add(life+kept)
	d.Listed = listing.Key(d.Firm, now, id)
	text := newSecret()
	defer clear(text)
	d.Hash, _ = hashOf(text)
	err = s.audited(r.Context(), entry(r, actCreate, id), func(*audit.Act) error {
		return s.links.Insert(r.Context(), id, d)
	})
	if err != nil {
		return secret.Bytes{}, err
	}
	return s.answer(id, text, d.ExpiresAt), nil
}

// check returns how long the link shall live.
func (in createBody) check() (time.Duration, error) {
	life := in.Mode.life()
	switch {
	case life == 0:
		return 0, problem.Validation("Send the mode redirect, embed or link.")
	case in.Mode == Redirect && in.ReturnURL == "":
		return 0, problem.Validation("A link with the mode redirect needs a return_url.")
	case in.Mode == Embed && in.Origin == "":
		return 0, problem.Validation("A link with the mode embed needs the origin of the page around it.")
	case !plain(in.Reference):
		return 0, problem.Validation("Send a reference of at most 255 printable characters, without a card number.")
	case in.ExpiresIn == nil:
		return life, nil
	case *in.ExpiresIn < 1 || *in.ExpiresIn > int64(life/time.Second):
		return 0, problem.Validation("Send expires_in in seconds, at most 1800, or 86400 with the mode link.")
	}
	return time.Duration(*in.ExpiresIn) * time.Second, nil
}

func plain(text string) bool {
	return utf8.RuneCountInString(text) <= maxReference && !card.Default().Within(text) &&
		!strings.ContainsFunc(text, func(c rune) bool { return unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp) })
}

// draft is the link as the client it belongs to may have it. Another firm's
// client and an unknown one look alike.
func (s *Service) draft(ctx context.Context, in createBody) (document, error) {
	p := identity.FromContext(ctx)
	id := p.ClientID
	switch {
	case id == "" && in.ClientID == "":
		return document{}, problem.Validation("Name with client_id the client whose return URLs and origins count.")
	case id != "" && in.ClientID != "" && in.ClientID != id:
		return document{}, wrongClient()
	case id == "":
		id = in.ClientID
	}
	c, err := s.c.Client(ctx, id)
	if err != nil {
		return document{}, err
	}
	if !c.Active || c.FirmID != p.FirmID || p.Mode != "" && p.Mode != c.Mode {
		return document{}, wrongClient()
	}
	d := document{
		Firm: p.FirmID, Mode: c.Mode, Client: id, Kind: in.Mode,
		Reference: in.Reference, ReturnURL: in.ReturnURL, Origin: in.Origin,
	}
	if !c.allowed(d) {
		return document{}, problem.Validation("Send a return_url and an origin exactly as they stand on the client's lists.")
	}
	return d, nil
}

func wrongClient() *problem.Error {
	return problem.Validation("Name with client_id an active client of this firm and mode; a client itself leaves it out.")
}

// answer is the finished JSON; nothing in it needs an escape.
func (s *Service) answer(id string, text []byte, expires time.Time) secret.Bytes {
	b := make([]byte, 0, 256+len(s.c.PublicURL))
	b = append(b, `{"id":"`...)
	b = append(b, id...)
	b = append(b, `","url":"`...)
	b = append(b, s.c.PublicURL...)
	b = append(b, "/card/"...)
	b = append(b, text...)
	b = append(b, `","expires_at":"`...)
	b = expires.AppendFormat(b, time.RFC3339Nano)
	return secret.New(append(b, `"}`...))
}

// newSecret returns 32 random bytes in base64url.
func newSecret() []byte {
	random := make([]byte, sha256.Size)
	defer clear(random)
	_, _ = rand.Read(random) // never fails: it crashes the program instead
	return base64.RawURLEncoding.AppendEncode(nil, random)
}

// hashOf is the value by which the link with a secret is found; false for what
// is no secret of a link.
func hashOf(text []byte) (string, bool) {
	random, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	defer clear(random)
	if err != nil || len(random) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return "", false
	}
	sum := sha256.Sum256(random)
	return base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// linkBody is a link as its firm sees it, without the URL.
type linkBody struct {
	ID             string    `json:"id"`
	Mode           Kind      `json:"mode"`
	Environment    string    `json:"environment"` // test or live
	Status         State     `json:"status"`
	ClientID       string    `json:"client_id"`
	Reference      string    `json:"reference,omitzero"`
	ReturnURL      string    `json:"return_url,omitzero"`
	Origin         string    `json:"origin,omitzero"`
	RegistrationID string    `json:"registration_id,omitzero"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
}

func (s *Service) body(r store.Record[document]) linkBody {
	v := r.Value.view(r.ID, s.c.Now())
	return linkBody{
		v.ID, v.Kind, v.Mode, v.State, v.ClientID, v.Reference, v.ReturnURL, v.Origin, v.RegistrationID,
		r.Value.CreatedAt, v.ExpiresAt,
	}
}

func (s *Service) handleList(r *http.Request, _ httpserver.None) (listing.Page[linkBody], error) {
	p := identity.FromContext(r.Context())
	page, err := listing.Parse("links", p.FirmID, r.URL.Query(), "status")
	if err != nil {
		return listing.Page[linkBody]{}, err
	}
	wanted := State(page.Filter("status"))
	switch wanted {
	case "", Ready, Used, Expired, Revoked:
	default:
		return listing.Page[linkBody]{}, problem.Validation("Filter by status open, used, expired or revoked.")
	}
	links := listing.Source[document]{Documents: s.links, Field: "listed", Key: func(d document) string { return d.Listed }}
	return listing.Read(r.Context(), links, page, func(rec store.Record[document]) (linkBody, bool) {
		b := s.body(rec)
		return b, sees(p, rec.Value) && (wanted == "" || b.Status == wanted)
	})
}

// sees reports whether a link is the caller's: of his firm, in his mode.
func sees(p identity.Principal, d document) bool {
	return p.FirmID != "" && d.Firm == p.FirmID && (p.Mode == "" || d.Mode == p.Mode)
}

// handleRevoke ends a link. One that has ended already stays as it is.
func (s *Service) handleRevoke(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	ctx, id := r.Context(), r.PathValue("id")
	rec, err := s.links.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !sees(identity.FromContext(ctx), rec.Value) {
		return httpserver.Message{}, notFound()
	}
	if err != nil {
		return httpserver.Message{}, err
	}
	err = s.audited(ctx, entry(r, actRevoke, id), func(*audit.Act) error {
		_, err := s.links.Update(ctx, id, func(d *document) error {
			if d.RevokedAt.IsZero() {
				d.RevokedAt = s.c.Now()
			}
			return nil
		})
		if errors.Is(err, store.ErrNotFound) {
			return nil // its time came meanwhile
		}
		return err
	})
	return httpserver.Message{Message: "The link cannot be used any more."}, err
}
