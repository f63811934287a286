package chassis

import (
	"context"
	"errors"
	"fmt"

	"ccms/internal/figures"
	"ccms/internal/upload"
)

// copies is the work of copying full log files to where upload.url says; nil for
// none. A build without cloud storage refuses the setting. Every service shows how
// far it is.
func (p *Process) copies(ctx context.Context) (func(context.Context) error, error) {
	s := p.Settings.Log
	if s.Upload.IsZero() {
		return nil, nil
	}
	b, err := upload.Open(ctx, upload.Config{URL: s.Upload.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("upload.url: %w", err)
	}
	if s.File == "" {
		return nil, b.Close() // it is there for ccms upload
	}
	logs := &upload.Logs{Bucket: b, Path: s.File, Log: p.Log.Logger}
	for _, s := range p.Services {
		s.Actuator.Registry().Add(figures.Copies(logs))
	}
	return func(ctx context.Context) error { return errors.Join(logs.Run(ctx), b.Close()) }, nil
}
