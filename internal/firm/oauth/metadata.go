package oauth

import (
	"net/http"

	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
)

// metadata is the document of RFC 8414 section 2.
type metadata struct {
	Issuer        string   `json:"issuer"`
	Token         string   `json:"token_endpoint"`
	Introspect    string   `json:"introspection_endpoint"`
	Revoke        string   `json:"revocation_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Scopes        []string `json:"scopes_supported"`
	ResponseTypes []string `json:"response_types_supported"` // none: nobody is redirected here
	Grants        []string `json:"grant_types_supported"`

	TokenMethods         []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgorithms      []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectMethods    []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectAlgorithms []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevokeMethods        []string `json:"revocation_endpoint_auth_methods_supported"`
	RevokeAlgorithms     []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
}

// getMetadata publishes where everything is and how a client may authenticate.
func (s *Service) getMetadata(w http.ResponseWriter, _ *http.Request) error {
	methods := []string{methodBasic, methodPost, methodAssertion}
	var algorithms []string
	for _, a := range assertionAlgorithms() {
		algorithms = append(algorithms, string(a))
	}
	b, err := json.Marshal(metadata{
		Issuer: s.base, Token: s.base + tokenPath, Introspect: s.base + introspectPath,
		Revoke: s.base + revokePath, Keys: s.base + keysPath,
		Scopes: []string{
			identity.ScopeRegister, identity.ScopeRead, identity.ScopeReveal, identity.ScopeManage,
			identity.ScopeReports, identity.ScopeWebhooks, identity.ScopeActuator,
		},
		ResponseTypes: []string{}, Grants: []string{"client_credentials"},
		TokenMethods: methods, TokenAlgorithms: algorithms,
		IntrospectMethods: methods, IntrospectAlgorithms: algorithms,
		RevokeMethods: methods, RevokeAlgorithms: algorithms,
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b) // the client may have gone; nobody is left to tell
	return nil
}
