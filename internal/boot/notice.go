package boot

import (
	"context"
	"fmt"
	"time"

	"ccms/internal/boot/chassis"
	"ccms/internal/firm/directory"
	"ccms/internal/firm/notice"
	"ccms/internal/login"
)

// addNotices lets the card service have a firm's people told, by letters of the
// login service.
func (p *process) addNotices(s *chassis.Service, accounts *login.Service) {
	tell := func(ctx context.Context, account string, d directory.Disabled) error {
		return accounts.TellOfEndpoint(ctx, account, login.Disabled{
			ID:    fmt.Sprintf("%s-%s", d.Endpoint, d.At.UTC().Format("20060102T150405")),
			About: fmt.Sprintf("%s at %s (%s)", d.Endpoint, d.Host, d.Mode), Reason: d.Reason, At: d.At.Truncate(time.Millisecond),
		})
	}
	notice.New(notice.Config{Firms: p.Firms, Tell: tell}).Routes(s.Mux)
}
