package page

import (
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/language"
)

// Language is a language of the pages, with its texts.
type Language struct {
	Tag  string // BCP 47, such as "en"
	Name string // in itself
	Dir  string // "ltr" or "rtl"

	texts map[string]string
	other *Language // answers for texts this one lacks
	all   []*Language
}

// T is the text for key, with {0}, {1} … replaced by args. A key nobody has
// comes back as it is, which a test of the catalogue keeps from happening.
func (l *Language) T(key string, args ...any) string {
	text, ok := l.texts[key]
	switch {
	case !ok && l.other != nil:
		return l.other.T(key, args...)
	case !ok:
		return key
	}
	for i, arg := range args {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), fmt.Sprint(arg))
	}
	return text
}

// Texts are those whose key begins with one of prefixes, without it, for a
// script.
func (l *Language) Texts(prefixes ...string) map[string]string {
	found := map[string]string{}
	if l.other != nil {
		found = l.other.Texts(prefixes...)
	}
	for key, text := range l.texts {
		for _, prefix := range prefixes {
			if name, ok := strings.CutPrefix(key, prefix); ok {
				found[name] = text
			}
		}
	}
	return found
}

// Others are the languages a person may choose instead.
func (l *Language) Others() []*Language {
	var others []*Language
	for _, other := range l.all {
		if other != l {
			others = append(others, other)
		}
	}
	return others
}

// loadLanguages reads the catalogue. English comes first: it is the default,
// and has every text.
func (s *Set) loadLanguages() error {
	for _, l := range []*Language{{Tag: "en", Name: "English", Dir: "ltr"}, {Tag: "ar", Name: "العربية", Dir: "rtl"}} {
		b, err := files.ReadFile(path.Join("catalogue", l.Tag+".json"))
		if err != nil {
			return fmt.Errorf("read catalogue: %w", err)
		}
		if err := json.Unmarshal(b, &l.texts); err != nil {
			return fmt.Errorf("read catalogue %s: %w", l.Tag, err)
		}
		if len(s.languages) > 0 {
			l.other = s.languages[0]
		}
		s.languages = append(s.languages, l)
	}
	for _, l := range s.languages {
		l.all = s.languages
	}
	return nil
}

// languageCookie remembers a choice of language. It says nothing else.
const languageCookie = "ccms-language"

// Language is the one for r: what the person chose, else the best of
// Accept-Language (RFC 9110 §12.5.4), else English.
func (s *Set) Language(r *http.Request) *Language {
	if c, err := r.Cookie(languageCookie); err == nil {
		if l := s.Named(c.Value); l != nil {
			return l
		}
	}
	tags := make([]language.Tag, len(s.languages))
	for i, l := range s.languages {
		tags[i] = language.Make(l.Tag)
	}
	_, i := language.MatchStrings(language.NewMatcher(tags), r.Header.Get("Accept-Language"))
	return s.languages[i]
}

// Named is the language with a tag, nil when there is none.
func (s *Set) Named(tag string) *Language {
	for _, l := range s.languages {
		if l.Tag == tag {
			return l
		}
	}
	return nil
}

// ChooseLanguage serves POST /language: it remembers the form's choice and
// returns to the page it was made on.
func (s *Set) ChooseLanguage(w http.ResponseWriter, r *http.Request) error {
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: r.PostFormValue("language"), Path: "/", MaxAge: 365 * 24 * 60 * 60,
		HttpOnly: true, Secure: s.secure != "", SameSite: http.SameSiteLaxMode,
	})
	back := r.PostFormValue("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n\t") {
		back = "/"
	}
	w.Header().Set("Location", back)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
