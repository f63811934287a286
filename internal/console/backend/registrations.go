package backend

import (
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Registration is a card that a firm registered. It has no number.
type Registration struct {
	ID        string            `json:"registration_id"`
	Mode      string            `json:"mode"`
	Status    string            `json:"status"` // pending, verified, rejected, failed or expired
	Reason    string            `json:"reason"`
	Flags     []string          `json:"flags"`
	Token     string            `json:"token"`
	Brand     string            `json:"brand"`
	Last4     string            `json:"last4"`
	Expiry    string            `json:"expiry"` // MM/YYYY
	CVVStatus string            `json:"cvv_status"`
	Reference string            `json:"reference"`
	Metadata  map[string]string `json:"metadata"`
	By        string            `json:"registered_by"`
	CreatedAt time.Time         `json:"created_at"`
	DecidedAt time.Time         `json:"decided_at"` // zero while pending
}

// Registrations returns a page, the newest first. With a filter it may be
// empty and not the last.
func (b *Backend) Registrations(r *http.Request, c Caller, q url.Values) (Page[Registration], error) {
	var out Page[Registration]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: query("/v1/registrations", q), Out: &out})
	return out, err
}

// Registration returns one.
func (b *Backend) Registration(r *http.Request, c Caller, id string) (Registration, error) {
	var out Registration
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: "/v1/registrations/" + url.PathEscape(id), Out: &out})
	return out, err
}

// Card is a firm's card. It has no number.
type Card struct {
	Token     string    `json:"token"`
	Status    string    `json:"status"` // enabled or disabled
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

func cardPath(token string) string { return "/v1/cards/" + url.PathEscape(token) }

// Card returns the card with a token.
func (b *Backend) Card(r *http.Request, c Caller, token string) (Card, error) {
	var out Card
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: cardPath(token), Out: &out})
	return out, err
}

// TurnCard makes a card enabled or disabled.
func (b *Backend) TurnCard(r *http.Request, c Caller, token, status string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodPatch, Path: cardPath(token), Body: upstream.Object(upstream.Field("status", status))})
}

// DeleteCard erases a card for good.
func (b *Backend) DeleteCard(r *http.Request, c Caller, token string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodDelete, Path: cardPath(token)})
}

// Link is a one-time link, without its URL.
type Link struct {
	ID             string    `json:"id"`
	Kind           string    `json:"mode"`   // redirect, embed or link
	Status         string    `json:"status"` // open, used, expired or revoked
	ClientID       string    `json:"client_id"`
	Reference      string    `json:"reference"`
	RegistrationID string    `json:"registration_id"`
	CreatedAt      time.Time `json:"created_at"`
	ExpiresAt      time.Time `json:"expires_at"`
}

// Links returns a page of the links, the newest first.
func (b *Backend) Links(r *http.Request, c Caller, q url.Values) (Page[Link], error) {
	var out Page[Link]
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: query("/v1/links", q), Out: &out})
	return out, err
}

// NewLink is a link to be made.
type NewLink struct {
	Kind                string // redirect, embed or link
	ClientID, Reference string
	ReturnURL, Origin   string // as they stand on the client's lists; "" for none
	ExpiresIn           int    // seconds
}

// MadeLink is a new link. The caller shows its URL once and wipes it.
type MadeLink struct {
	ID        string       `json:"id"`
	URL       secret.Bytes `json:"url"`
	ExpiresAt time.Time    `json:"expires_at"`
}

// CreateLink makes a link.
func (b *Backend) CreateLink(r *http.Request, c Caller, n NewLink) (MadeLink, error) {
	var out MadeLink
	err := b.cards(r, c, upstream.Call{Method: http.MethodPost, Path: "/v1/links", Out: &out, Body: upstream.Object(
		upstream.Field("mode", n.Kind), upstream.Field("client_id", n.ClientID), upstream.Field("reference", n.Reference),
		upstream.Field("return_url", n.ReturnURL), upstream.Field("origin", n.Origin), upstream.Field("expires_in", n.ExpiresIn),
	)})
	return out, err
}

// RevokeLink ends a link.
func (b *Backend) RevokeLink(r *http.Request, c Caller, id string) error {
	return b.cards(r, c, upstream.Call{Method: http.MethodDelete, Path: "/v1/links/" + url.PathEscape(id)})
}

// Rules are those a firm's registrations are judged by (decision D4).
type Rules struct {
	Brands   []string  `json:"brands,omitempty"`
	BINAllow []string  `json:"bin_allow,omitempty"`
	BINDeny  []string  `json:"bin_deny,omitempty"`
	Velocity string    `json:"velocity,omitzero"` // flag or refuse
	BINWalk  string    `json:"bin_walk,omitzero"` // likewise
	Endpoint *Endpoint `json:"endpoint,omitzero"`
}

// Endpoint is where a firm decides itself.
type Endpoint struct {
	URL           string         `json:"url"`
	SecretVersion int            `json:"secret_version,omitzero"`
	SendCode      bool           `json:"send_code,omitzero"`
	CodeKey       jsontext.Value `json:"code_key,omitzero"` // a public JWK
}

// Rules returns the rules of the caller's mode.
func (b *Backend) Rules(r *http.Request, c Caller) (Rules, error) {
	var out struct {
		Rules Rules `json:"verification"`
	}
	err := b.cards(r, c, upstream.Call{Method: http.MethodGet, Path: "/v1/settings", Out: &out})
	return out.Rules, err
}

// ChangeRules replaces the rules. Where a signing secret for the endpoint was
// made it comes back; the caller shows it once and wipes it.
func (b *Backend) ChangeRules(r *http.Request, c Caller, rules Rules) (secret.Bytes, error) {
	body, err := json.Marshal(map[string]Rules{"verification": rules})
	if err != nil {
		return secret.Bytes{}, err
	}
	var out struct {
		Signing secret.Bytes `json:"signing_secret"`
	}
	err = b.cards(r, c, upstream.Call{Method: http.MethodPut, Path: "/v1/settings", Body: body, Out: &out})
	return out.Signing, err
}
