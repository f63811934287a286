package login

import (
	"net/http"
	"net/url"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/problem"
	"ccms/internal/secret"
)

// Routes registers contract section 2 and decision B10.
func (s *Service) Routes(mux *httpserver.Mux) {
	body := httpserver.JSONOptions{Limit: httpserver.CredentialLimit}
	created := httpserver.JSONOptions{Limit: httpserver.CredentialLimit, Status: http.StatusCreated}
	own := func(h httpserver.Handler) httpserver.Handler { return httpserver.As(s.Authenticate, h) }

	mux.Handle("POST /api/customer/signup", httpserver.JSON(s.postSignUp, created))
	mux.Handle("POST /api/customer/login", httpserver.JSON(s.postLogin, body))
	mux.Handle("POST /api/customer/login/subsequent", httpserver.JSON(s.postSubsequentLogin, body))
	mux.Handle("POST /api/customer/send-verification", httpserver.JSON(s.postSendVerification, body))
	mux.Handle("GET /api/customer/verify", s.getVerify)
	mux.Handle("POST /api/customer/forgot-password", httpserver.JSON(s.postForgotPassword, body))
	mux.Handle("POST /api/customer/forgot-password/reset-password", httpserver.JSON(s.postResetPassword, body))
	mux.Handle("GET /api/customer/jwt/validate", httpserver.JSON(s.getValidate))
	mux.Handle("POST /api/customer/logout", httpserver.JSON(s.postLogout))

	mux.Handle("GET /api/account", own(httpserver.JSON(s.getAccount)))
	mux.Handle("PUT /api/account", own(httpserver.JSON(s.putAccount, body)))
	mux.Handle("DELETE /api/account", own(httpserver.JSON(s.deleteAccountRoute, body)))
	mux.Handle("POST /api/account/password", own(httpserver.JSON(s.postPassword, body)))
	mux.Handle("GET /api/account/export", own(httpserver.JSON(s.getExport)))
	mux.Handle("GET /api/account/sessions", own(httpserver.JSON(s.getSessions)))
	mux.Handle("DELETE /api/account/sessions", own(httpserver.JSON(s.deleteSessions)))
	mux.Handle("GET /api/account/sessions/{id}", own(httpserver.JSON(s.getSession)))
	mux.Handle("DELETE /api/account/sessions/{id}", own(httpserver.JSON(s.deleteSession)))

	mux.Handle("GET /.well-known/jwks.json", s.getKeys)
	mux.Handle("GET /internal/verification", httpserver.Internal(httpserver.JSON(s.getVerificationOwner)))
}

// message is the success body the contract leaves open (decision B10).
func message(text string, err error) (httpserver.Message, error) {
	return httpserver.Message{Message: text}, err
}

type signedUp struct {
	Message  string `json:"message"`
	Username string `json:"username"`
}

func (s *Service) postSignUp(r *http.Request, in newcomer) (signedUp, error) {
	defer in.Password.Wipe()
	err := s.signUp(r.Context(), callerOf(r), in)
	return signedUp{"Account created. Please open the link in the mail we sent you.", in.Username}, err
}

type welcome struct {
	Message string `json:"message"`
	Token   string `json:"token"`
	Note    string `json:"note"`
}

func (s *Service) postLogin(r *http.Request, in credentials) (welcome, error) {
	defer in.Password.Wipe()
	c, token, err := s.signIn(r.Context(), callerOf(r), in, firstDoor())
	return welcome{"Welcome " + c.Name.First + " " + c.Name.Last, token, s.validationNote(c)}, err
}

type welcomeBack struct {
	Token     string     `json:"token"`
	Name      name       `json:"name"`
	Validated bool       `json:"accountValidated"`
	Endpoints []endpoint `json:"availableEndpoints"`
}

func (s *Service) postSubsequentLogin(r *http.Request, in credentials) (welcomeBack, error) {
	defer in.Password.Wipe()
	c, token, err := s.signIn(r.Context(), callerOf(r), in, laterDoor())
	return welcomeBack{token, c.Name, c.AccountValidated, availableEndpoints()}, err
}

type addressOnly struct {
	Email string `json:"email"`
}

func (s *Service) postSendVerification(r *http.Request, in addressOnly) (httpserver.Message, error) {
	return message("A verification mail is on its way.", s.requestMail(r.Context(), callerOf(r), in.Email, s.verificationMail()))
}

func (s *Service) postForgotPassword(r *http.Request, in addressOnly) (httpserver.Message, error) {
	return message("A mail with a link to set a new password is on its way.", s.requestMail(r.Context(), callerOf(r), in.Email, s.resetMail()))
}

// getVerify verifies for programs. A browser, or a scanner that opens links in
// mails, is sent to the page with the button instead and changes nothing, and
// so is HEAD (decision B8). The token may stand in that Location: it came in
// this very URL, is good once, and the page must have it.
func (s *Service) getVerify(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	if r.Method == http.MethodHead || strings.Contains(r.Header.Get("Accept"), "text/html") {
		h := w.Header()
		h.Set("Location", s.link("verify", token))
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	if err := s.verify(r.Context(), callerOf(r), token); err != nil {
		return err
	}
	return httpserver.WriteJSON(w, http.StatusOK, httpserver.Message{Message: "Your e-mail address is verified."})
}

type tokenOwner struct {
	Username string `json:"username"`
}

func (s *Service) getVerificationOwner(r *http.Request, _ httpserver.None) (tokenOwner, error) {
	username, err := s.ownerOf(r.Context(), r.URL.Query().Get("token"))
	return tokenOwner{username}, err
}

func (s *Service) postResetPassword(r *http.Request, in newPassword) (httpserver.Message, error) {
	defer in.Password.Wipe()
	defer in.Confirm.Wipe()
	return message("Your password was changed. Please log in.", s.reset(r.Context(), callerOf(r), in))
}

// validity is the answer to the question whether a token is good (decision
// B12).
type validity struct {
	Valid     bool   `json:"valid"`
	Username  string `json:"username"`
	Email     string `json:"email"`
	Validated bool   `json:"accountValidated"`
	Scope     string `json:"scope"`
	Expires   int64  `json:"exp"`
}

func (s *Service) getValidate(r *http.Request, _ httpserver.None) (validity, error) {
	p, err := s.authenticate(r.Context(), tokenOf(r))
	if err != nil {
		return validity{}, err
	}
	return validity{true, p.Username, p.Email, p.Validated, strings.Join(p.Scope, " "), p.Expires.Unix()}, nil
}

// tokenOf is the Bearer token, or, for older callers, the one in the query.
func tokenOf(r *http.Request) string {
	if r.Header.Get("Authorization") != "" || r.URL.RawQuery == "" {
		return httpserver.Bearer(r)
	}
	return r.URL.Query().Get("token")
}

func (s *Service) postLogout(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	all, err := allSessions(r.URL.Query())
	if err == nil {
		err = s.logOut(r.Context(), callerOf(r), httpserver.Bearer(r), all)
	}
	return message("Logged out.", err)
}

func allSessions(q url.Values) (bool, error) {
	switch q.Get("all") {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, problem.Validation("Set all to true or false.")
}

func (s *Service) getAccount(r *http.Request, _ httpserver.None) (accountView, error) {
	rec, err := s.accountOf(r.Context(), identity.FromContext(r.Context()))
	return rec.Value.view(), err
}

func (s *Service) putAccount(r *http.Request, in accountChange) (accountView, error) {
	defer in.Password.Wipe()
	return s.changeAccount(r.Context(), callerOf(r), identity.FromContext(r.Context()), in)
}

type passwordOnly struct {
	Password secret.Bytes `json:"password"`
}

func (s *Service) deleteAccountRoute(r *http.Request, in passwordOnly) (httpserver.Message, error) {
	defer in.Password.Wipe()
	err := s.deleteAccount(r.Context(), callerOf(r), identity.FromContext(r.Context()), in.Password)
	return message("Your account is closed; its data and cards are being erased.", err)
}

func (s *Service) postPassword(r *http.Request, in passwordChange) (httpserver.Message, error) {
	defer in.Current.Wipe()
	defer in.Next.Wipe()
	defer in.Confirm.Wipe()
	err := s.changePassword(r.Context(), callerOf(r), identity.FromContext(r.Context()), in)
	return message("Your password was changed. Please log in again.", err)
}

func (s *Service) getExport(r *http.Request, _ httpserver.None) (export, error) {
	return s.export(r.Context(), callerOf(r), identity.FromContext(r.Context()))
}

func (s *Service) getSessions(r *http.Request, _ httpserver.None) ([]sessionView, error) {
	return s.sessionsOf(r.Context(), identity.FromContext(r.Context()))
}

func (s *Service) deleteSessions(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	return message("All sessions were ended.", s.endAll(r.Context(), callerOf(r), identity.FromContext(r.Context()).Subject))
}

func (s *Service) getSession(r *http.Request, _ httpserver.None) (sessionView, error) {
	return s.sessionOf(r.Context(), identity.FromContext(r.Context()), r.PathValue("id"))
}

func (s *Service) deleteSession(r *http.Request, _ httpserver.None) (httpserver.Message, error) {
	p := identity.FromContext(r.Context())
	v, err := s.sessionOf(r.Context(), p, r.PathValue("id"))
	if err == nil {
		err = s.endSession(r.Context(), callerOf(r), p.Subject, v.ID)
	}
	return message("The session was ended.", err)
}

// getKeys publishes the public keys. Consumers may keep them for five minutes:
// a key is published longer than that before it signs.
func (s *Service) getKeys(w http.ResponseWriter, r *http.Request) error {
	set, err := s.cfg.Keys.JWKS(r.Context())
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(set)
	return nil
}
