package backend

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"ccms/internal/secret"
	"ccms/internal/upstream"
)

// Client is a machine of a firm.
type Client struct {
	ID         string     `json:"client_id"`
	Name       string     `json:"name"`
	Mode       string     `json:"mode"`
	Scopes     []string   `json:"scopes"`
	Secrets    []Lifetime `json:"secrets"` // those that are good, the newest first
	ReturnURLs []string   `json:"return_urls"`
	Origins    []string   `json:"origins"`
	Revoked    bool       `json:"revoked"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsed   time.Time  `json:"last_used"` // to the hour; zero for never
}

// Lifetime is that of a secret.
type Lifetime struct {
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"` // zero: never
}

// Clients returns the clients of the firm, in both modes.
func (b *Backend) Clients(r *http.Request, c Caller) ([]Client, error) {
	var out Page[Client]
	err := b.login(r, c, upstream.Call{Method: http.MethodGet, Path: "/clients", Out: &out})
	return out.Data, err
}

// ClientsOfMode returns those of the caller's mode.
func (b *Backend) ClientsOfMode(r *http.Request, c Caller) ([]Client, error) {
	all, err := b.Clients(r, c)
	return slices.DeleteFunc(all, func(client Client) bool { return client.Mode != c.Mode }), err
}

// Client returns one of them.
func (b *Backend) Client(r *http.Request, c Caller, id string) (Client, error) {
	var out Client
	err := b.login(r, c, upstream.Call{Method: http.MethodGet, Path: clientPath(id), Out: &out})
	return out, err
}

func clientPath(id string) string { return "/clients/" + url.PathEscape(id) }

// ClientForm is what people say of a client.
type ClientForm struct {
	Name                        string
	Scopes, ReturnURLs, Origins []string
}

func (f ClientForm) members() []upstream.Member {
	return []upstream.Member{
		upstream.Field("name", f.Name), upstream.Field("scopes", listed(f.Scopes)), upstream.Field("return_urls", listed(f.ReturnURLs)), upstream.Field("origins", listed(f.Origins)),
	}
}

// listed makes no list an empty one: what is absent would stay as it is.
func listed(all []string) []string { return append([]string{}, all...) }

// WithSecret is a client and its new secret, which the caller shows once and
// wipes.
type WithSecret struct {
	Client
	Secret secret.Bytes `json:"client_secret"`
}

// CreateClient makes a client in the caller's mode.
func (b *Backend) CreateClient(r *http.Request, c Caller, f ClientForm) (WithSecret, error) {
	var out WithSecret
	err := b.login(r, c, upstream.Call{
		Method: http.MethodPost, Path: "/clients", Out: &out,
		Body: upstream.Object(append(f.members(), upstream.Field("mode", c.Mode))...),
	})
	return out, err
}

// ChangeClient changes what people say of a client.
func (b *Backend) ChangeClient(r *http.Request, c Caller, id string, f ClientForm) error {
	return b.login(r, c, upstream.Call{Method: http.MethodPatch, Path: clientPath(id), Body: upstream.Object(f.members()...)})
}

// Rotate gives a client a new secret; the one before lives on for overlap
// seconds.
func (b *Backend) Rotate(r *http.Request, c Caller, id string, overlap int) (WithSecret, error) {
	var out WithSecret
	err := b.login(r, c, upstream.Call{
		Method: http.MethodPost, Path: clientPath(id) + "/rotate", Out: &out,
		Body: upstream.Object(upstream.Field("overlap", overlap)),
	})
	return out, err
}

// Revoke ends a client for good.
func (b *Backend) Revoke(r *http.Request, c Caller, id string) error {
	return b.login(r, c, upstream.Call{Method: http.MethodDelete, Path: clientPath(id)})
}
