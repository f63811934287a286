package page

import (
	"strings"
	"time"
)

// Stay is how long a person stays logged in who asks for nothing. Before that
// ends he is asked whether to stay (WCAG 2.2.1), by script stay.js.
type Stay struct {
	Seconds int  // until the end, from when the page is sent
	Warning int  // seconds before the end at which the question comes
	Last    bool // nothing that is asked for puts the end off
	// Before and After are the words around the seconds that are left.
	Before, After string
}

// warning is the most that a person is warned ahead; WCAG asks for 20 s.
const warning = 2 * time.Minute

// NewStay returns the Stay of a person who has left until the end, which is the
// last one or can be put off.
func (l *Language) NewStay(left time.Duration, last bool) *Stay {
	s := &Stay{Seconds: max(0, int(left.Seconds())), Warning: int(min(warning, left/2).Seconds()), Last: last}
	if last {
		s.Warning = int(warning.Seconds())
	}
	s.Before, s.After, _ = strings.Cut(l.T(map[bool]string{true: "stay.last", false: "stay.text"}[last]), "{0}")
	return s
}
