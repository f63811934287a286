package main

import (
	"context"
	"errors"

	"ccms/internal/upload"
)

// uploadCmd is ccms upload.
type uploadCmd struct {
	answer
	To    string   `placeholder:"URL" help:"s3://BUCKET?region=REGION, gs://BUCKET, azblob://CONTAINER or file:///FOLDER; by default upload.url. Credentials come from the environment, by the provider's own names."`
	Files []string `arg:"" name:"file" type:"path" help:"Files to copy, such as backups and full log files. They stay; one that is there already is not sent again."`
}

// Run implements the command.
func (c *uploadCmd) Run(ctx context.Context, p *program) error {
	if c.To != "" {
		p.given["upload.url"] = c.To // judged as any setting, passwords in it refused
	}
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	if s.Log.Upload.IsZero() {
		return usage{errors.New("upload: say where to with --to URL, or with the setting upload.url")}
	}
	return upload.Order{URL: s.Log.Upload.Reveal(), Files: c.Files, Out: p.stdout, Err: p.stderr, Format: c.Output, Bar: p.bar()}.Run(ctx)
}
