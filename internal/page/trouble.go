package page

import (
	"math"
	"net/http"
	"strconv"

	"ccms/internal/problem"
)

// trouble is the data of error.html.
type trouble struct {
	Text, Wait string
	Again      bool   // asking once more does no harm
	ID         string // of the request, by which its log lines are found
}

// RenderError shows the page for an error nobody can correct in a form. It
// fits httpserver.Mux.ErrorPage. The words are the catalogue's, by status: an
// error's own sentences are English, and written for programs.
func (s *Set) RenderError(w http.ResponseWriter, r *http.Request, status int, e *problem.Error) bool {
	lang := s.Language(r)
	key := strconv.Itoa(status)
	if _, ok := lang.texts["trouble.title."+key]; !ok {
		key = map[bool]string{true: "500", false: "400"}[status >= 500]
	}
	t := trouble{Text: lang.T("trouble.text." + key), Again: r.Method == http.MethodGet && status >= 500, ID: w.Header().Get("X-Request-Id")}
	if e.RetryAfter > 0 {
		t.Wait = lang.T("trouble.wait", int(math.Ceil(e.RetryAfter.Seconds())))
	}
	// Who is logged in is not known here, so the bar offers no way to log in.
	return s.Render(w, status, "error.html", View{Language: lang, Title: lang.T("trouble.title." + key), Here: r.URL.Path, Hosted: true, Data: t}) == nil
}
