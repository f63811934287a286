package login

import (
	"net/http"
	"strings"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/login/customer"
	"ccms/internal/login/onetime"
	"ccms/internal/login/trail"
	"ccms/internal/secret"
)

// Routes registers contract section 2 and decision B10. What is asked of tokens
// and sessions stands in package session.
func (s *Service) Routes(mux *httpserver.Mux) {
	s.sessions.Routes(mux)
	body := httpserver.JSONOptions{Limit: httpserver.CredentialLimit}
	created := httpserver.JSONOptions{Limit: httpserver.CredentialLimit, Status: http.StatusCreated}
	own := func(h httpserver.Handler) httpserver.Handler { return httpserver.As(s.sessions.Authenticate, h) }

	mux.Handle("POST /api/customer/signup", httpserver.JSON(s.postSignUp, created))
	mux.Handle("POST /api/customer/login", httpserver.JSON(s.postLogin, body))
	mux.Handle("POST /api/customer/login/subsequent", httpserver.JSON(s.postSubsequentLogin, body))
	mux.Handle("POST /api/customer/send-verification", httpserver.JSON(s.postSendVerification, body))
	mux.Handle("GET /api/customer/verify", s.getVerify)
	mux.Handle("POST /api/customer/forgot-password", httpserver.JSON(s.postForgotPassword, body))
	mux.Handle("POST /api/customer/forgot-password/reset-password", httpserver.JSON(s.postResetPassword, body))

	mux.Handle("GET /api/account", own(httpserver.JSON(s.getAccount)))
	mux.Handle("PUT /api/account", own(httpserver.JSON(s.putAccount, body)))
	mux.Handle("DELETE /api/account", own(httpserver.JSON(s.deleteAccountRoute, body)))
	mux.Handle("POST /api/account/password", own(httpserver.JSON(s.postPassword, body)))
	mux.Handle("GET /api/account/export", own(httpserver.JSON(s.getExport)))

	mux.Handle("GET /.well-known/jwks.json", s.getKeys)
	mux.Handle("GET /internal/verification", httpserver.Internal(httpserver.JSON(s.getVerificationOwner)))
}

// Authenticate finds out which person sent r, for routes that are not ours.
func (s *Service) Authenticate(r *http.Request) (identity.Principal, error) {
	return s.sessions.Authenticate(r)
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
	err := s.signUp(r.Context(), trail.CallerOf(r), in)
	return signedUp{"Account created. Please open the link in the mail we sent you.", in.Username}, err
}

type welcome struct {
	Message string `json:"message"`
	Token   string `json:"token"`
	Note    string `json:"note"`
}

func (s *Service) postLogin(r *http.Request, in credentials) (welcome, error) {
	defer in.Password.Wipe()
	c, token, err := s.signIn(r.Context(), trail.CallerOf(r), in, firstDoor())
	return welcome{"Welcome " + c.Name.First + " " + c.Name.Last, token, s.validationNote(c)}, err
}

type welcomeBack struct {
	Token     string        `json:"token"`
	Name      customer.Name `json:"name"`
	Validated bool          `json:"accountValidated"`
	Endpoints []endpoint    `json:"availableEndpoints"`
}

func (s *Service) postSubsequentLogin(r *http.Request, in credentials) (welcomeBack, error) {
	defer in.Password.Wipe()
	c, token, err := s.signIn(r.Context(), trail.CallerOf(r), in, laterDoor())
	return welcomeBack{token, c.Name, c.AccountValidated, availableEndpoints()}, err
}

type addressOnly struct {
	Email string `json:"email"`
}

func (s *Service) postSendVerification(r *http.Request, in addressOnly) (httpserver.Message, error) {
	return message("A verification mail is on its way.", s.requestMail(r.Context(), trail.CallerOf(r), in.Email, s.verificationMail()))
}

func (s *Service) postForgotPassword(r *http.Request, in addressOnly) (httpserver.Message, error) {
	return message("A mail with a link to set a new password is on its way.", s.requestMail(r.Context(), trail.CallerOf(r), in.Email, s.resetMail()))
}

// getVerify verifies for programs. A browser, or a scanner that opens links in
// mails, is sent to the page with the button instead and changes nothing, and
// so is HEAD (decision B8). The token may stand in that Location: it came in
// this very URL, is good once, and the page must have it.
func (s *Service) getVerify(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	if r.Method == http.MethodHead || strings.Contains(r.Header.Get("Accept"), "text/html") {
		h := w.Header()
		h.Set("Location", s.letters.Link(onetime.Verify, token))
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	if err := s.verify(r.Context(), trail.CallerOf(r), token); err != nil {
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
	return message("Your password was changed. Please log in.", s.reset(r.Context(), trail.CallerOf(r), in))
}

func (s *Service) getAccount(r *http.Request, _ httpserver.None) (accountView, error) {
	rec, err := s.customers.Present(r.Context(), identity.FromContext(r.Context()).Subject)
	return view(&rec.Value), err
}

func (s *Service) putAccount(r *http.Request, in accountChange) (accountView, error) {
	defer in.Password.Wipe()
	return s.changeAccount(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()), in)
}

type passwordOnly struct {
	Password secret.Bytes `json:"password"`
}

func (s *Service) deleteAccountRoute(r *http.Request, in passwordOnly) (httpserver.Message, error) {
	defer in.Password.Wipe()
	err := s.deleteAccount(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()), in.Password)
	return message("Your account is closed; its data and cards are being erased.", err)
}

func (s *Service) postPassword(r *http.Request, in passwordChange) (httpserver.Message, error) {
	defer in.Current.Wipe()
	defer in.Next.Wipe()
	defer in.Confirm.Wipe()
	err := s.changePassword(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()), in)
	return message("Your password was changed. Please log in again.", err)
}

func (s *Service) getExport(r *http.Request, _ httpserver.None) (export, error) {
	return s.export(r.Context(), trail.CallerOf(r), identity.FromContext(r.Context()))
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
