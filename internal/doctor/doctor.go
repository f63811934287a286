// Package doctor owns the checks of a machine and a data folder, beside a
// running server or without one, and their report. It reads no settings and
// opens no store: package boot says what is set and hands it the ways to look.
// What is wrong is a finding with advice and never an error.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"ccms/internal/command"
	"ccms/internal/datadir"
	"ccms/internal/trust"
)

// Finding is one line of the report.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Says   string `json:"says"`
	Advice string `json:"advice,omitzero"` // what to do when not OK
}

// Patient is what is looked at.
type Patient struct {
	Dir        *datadir.Dir
	BcryptCost int
	// MailServer is its URL without a password; "" when mails become files.
	MailServer string
	// Letters asks for the mails that wait. Its error is not told: there is no
	// store yet, or none of the login service, and other checks tell.
	Letters func(context.Context) ([]command.Letter, error)
	// Trust is which certificates a server would show. Whether it made any of
	// its own is found out.
	Trust trust.Config
	// Services are those of a server that runs. Beside it the store and the
	// addresses are left alone.
	Services func(datadir.Running) []Service
	Store    Store
	// Addresses are those a server will listen on.
	Addresses []string
}

// Service is one that should answer.
type Service struct{ Check, Name, URL string }

// running is the server of the folder. It is believed about who vouches for it
// where the settings say nothing: they may be those of a unit, and not of the
// shell this runs in.
func (p *Patient) running() (datadir.Running, bool) {
	run, alive := p.Dir.Running()
	if alive && p.Trust.Authority == "" {
		p.Trust.Authority = run.CA
	}
	if alive {
		p.Trust.Known = cmp.Or(p.Trust.Given.Cert, run.Certificate)
	}
	return run, alive
}

// Examine makes all checks.
func Examine(ctx context.Context, p Patient) []Finding {
	run, alive := p.running()
	findings := []Finding{
		checkData(p.Dir.Path()), checkKeys(p.Dir), checkSpace(p.Dir.Path()), checkHash(p.BcryptCost), checkMail(ctx, p),
	}
	// Those of our own count only while they are shown: the next start renews
	// them.
	p.Trust.Own = alive && overTLS(run) && p.Trust.HasOwn()
	findings = append(findings, checkCertificates(p.Trust.Shown()))
	if alive {
		return append(findings, checkServices(ctx, p.Services(run), p.Trust)...)
	}
	return append(findings, checkStore(ctx, p.Store), checkAddresses(p.Addresses))
}

// Quick asks only whether the server of this folder runs and its services are
// healthy: what a container's health check asks every few seconds.
func Quick(ctx context.Context, p Patient) []Finding {
	run, alive := p.running()
	if !alive {
		return []Finding{noServer(p.Dir.Path())}
	}
	p.Trust.Own = overTLS(run) && p.Trust.HasOwn()
	return checkServices(ctx, p.Services(run), p.Trust)
}

// noServer says why none was found, as far as the folder tells.
func noServer(path string) Finding {
	f := Finding{Check: "server", Says: "no server is ready in " + path, Advice: "start one, or wait until it says ready"}
	_, folder := os.Stat(path)
	_, file := os.ReadFile(filepath.Join(path, "run.json"))
	switch {
	case errors.Is(folder, fs.ErrNotExist):
		f.Says, f.Advice = "there is no folder "+path, "name the one of the server with --data"
	case errors.Is(folder, fs.ErrPermission), errors.Is(file, fs.ErrPermission):
		f.Says, f.Advice = "we may not look into "+path, "run it as the user of the server"
	case file == nil:
		f.Says, f.Advice = "the server of "+path+" ended without a word: it was killed", "look at its last log lines and at journalctl -k, and start it"
	}
	return f
}

// Well reports whether every check passed.
func Well(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return !f.OK })
}

// Report writes findings as text or, where format is "json", as an array.
func Report(w io.Writer, findings []Finding, format string) error {
	if format == "json" {
		return json.MarshalWrite(w, findings)
	}
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		line := fmt.Sprintf("%s  %-8s %s", mark, f.Check, f.Says)
		if f.Advice != "" {
			line += ": " + f.Advice
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
