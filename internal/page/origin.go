package page

import (
	"net/http"

	"ccms/internal/httpserver"
	"ccms/internal/problem"
)

// SameOrigin refuses a form that another site sent. One in our own frame on
// another site's page is ours.
func SameOrigin(h httpserver.Handler) httpserver.Handler {
	protection := http.NewCrossOriginProtection()
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := protection.Check(r); err != nil {
			return problem.Denied("Send this form from its own page.").Because(err)
		}
		return h(w, r)
	}
}

// Redirect goes on to a page of ours after a form (RFC 9110 §15.4.4).
func Redirect(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
