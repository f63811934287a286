// Command ccms runs the credit card management system and the commands beside
// it. It parses the command line and calls package boot.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	_ "golang.org/x/crypto/x509roots/fallback" // for machines that have none, as an image from scratch

	"ccms/internal/boot"
	"ccms/internal/boot/desk"
	"ccms/internal/config"
)

// The exit statuses (interface.md, Commands).
const (
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command tree; kong reads the tags.
type cli struct {
	ConfigFile  string           `name:"config" placeholder:"FILE" type:"path" help:"Settings file, YAML or .properties."`
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`

	Up         upCmd         `cmd:"" help:"Start all four services in this process, on the embedded store unless store.url names another."`
	Eureka     serviceCmd    `cmd:"" help:"Start the service registry alone."`
	Login      serviceCmd    `cmd:"" help:"Start the login service alone, on a MongoDB."`
	Creditcard serviceCmd    `cmd:"" help:"Start the card service alone, on a MongoDB."`
	Portal     serviceCmd    `cmd:"" help:"Start the portal alone."`
	Keys       keysCmd       `cmd:"" help:"Keys: made for several processes, looked at, rotated."`
	Mail       mailCmd       `cmd:"" help:"Mails that wait or were given up."`
	Firm       firmCmd       `cmd:"" help:"Firms."`
	Client     clientCmd     `cmd:"" help:"Clients of firms and of the operators."`
	Operator   operatorCmd   `cmd:"" help:"People who run this installation."`
	Cards      cardsCmd      `cmd:"" help:"Cards of a firm."`
	Audit      auditCmd      `cmd:"" help:"The record of who did what."`
	Crypto     cryptoCmd     `cmd:"" help:"Algorithms, keys and certificates."`
	Retention  retentionCmd  `cmd:"" help:"What is kept, how long and why."`
	Scan       scanCmd       `cmd:"" help:"Look for card numbers in files, archives and the store."`
	Config     configCmd     `cmd:"" help:"Look at the settings."`
	Backup     backupCmd     `cmd:"" help:"Write the embedded store and the keys to a file, encrypted under a passphrase; also while the server runs."`
	Restore    restoreCmd    `cmd:"" help:"Put a backup into a data folder on which no server runs, once it was checked."`
	Upload     uploadCmd     `cmd:"" help:"Copy files to object storage (S3, Google Cloud Storage, Azure): backups, full log files."`
	Doctor     doctorCmd     `cmd:"" help:"Check this machine and the data folder, and say what to do."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Completion completionCmd `cmd:"" help:"Print a completion script for a shell."`
}

// program is what every command gets to work with.
type program struct {
	stdout, stderr io.Writer
	app            *kong.Kong
	given          map[string]string
	file           string
}

// load reads the settings for a service, "" for all of them.
func (p *program) load(service string, ownTLS bool) (config.Settings, error) {
	s, err := config.Load(config.Sources{
		Flags:    p.given,
		Env:      os.Environ(),
		File:     p.file,
		Service:  service,
		OwnTLS:   ownTLS,
		Terminal: isTerminal(os.Stderr),
	})
	if err != nil {
		return s, usage{err}
	}
	return s, nil
}

// warn says what was odd about the settings, for who looks at them; a server has
// it in its log.
func (p *program) warn(s config.Settings) {
	for _, w := range s.Warnings {
		fmt.Fprintln(p.stderr, "ccms: warning:", w)
	}
}

// start loads the settings for a service, "" for all of them, and says how to
// load them again.
func (p *program) start(service string, ownTLS bool) (boot.Start, error) {
	s, err := p.load(service, ownTLS)
	return boot.Start{
		Settings: s,
		Reread:   func() (config.Settings, error) { return p.load(service, ownTLS) },
		OwnTLS:   ownTLS,
		Console:  boot.Console{Out: p.stdout, Err: p.stderr},
	}, err
}

// usage marks an error of the person who typed.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	app, err := kong.New(&c,
		kong.Name("ccms"),
		kong.Description("CCMS keeps payment cards for people and firms: registry, login, card vault and portal in one binary."),
		kong.UsageOnError(),
		kong.Vars{"version": "ccms " + boot.Version()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "ccms:", err)
		return exitFailed
	}
	settings := addSettings(app, config.Table())
	if err := kong.Help(helpOf(settings)).Apply(app); err != nil {
		fmt.Fprintln(stderr, "ccms:", err)
		return exitFailed
	}
	k, err := app.Parse(settings.takeUnknown(args))
	if exit >= 0 { // --help was shown
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "ccms: %v (see %s)\n", err, whereToLook(err))
		return exitUsage
	}
	p := &program{stdout: stdout, stderr: stderr, app: app, given: settings.given, file: c.ConfigFile}
	ctx, stop := signals()
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	return report(stderr, k.Run(p))
}

// signals returns a context that ends with the first SIGINT or SIGTERM; a
// second one ends the process at once.
func signals() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "ccms:", err)
	if _, ok := errors.AsType[usage](err); ok {
		return exitUsage
	}
	return exitFailed
}

// ended leaves out that a server was told to stop before it was ready, while it
// waited for a database perhaps: that is how it is stopped.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// upCmd is ccms up.
type upCmd struct {
	TLS    bool `help:"Serve everything over HTTPS with an own certificate authority."`
	NoDemo bool `help:"Do not make a demo firm."`
}

// Run implements the command.
func (c *upCmd) Run(ctx context.Context, p *program) error {
	s, err := p.start("", c.TLS)
	if err != nil {
		return err
	}
	s.Demo = !c.NoDemo
	return ended(ctx, boot.Up(ctx, s))
}

// serviceCmd is ccms eureka, login, creditcard and portal.
type serviceCmd struct{}

// Run implements the command.
func (serviceCmd) Run(ctx context.Context, p *program, k *kong.Context) error {
	name := k.Selected().Name
	s, err := p.start(name, false)
	if err != nil {
		return err
	}
	return ended(ctx, boot.One(ctx, name, s))
}

// configCmd holds ccms config print.
type configCmd struct {
	Print configPrintCmd `cmd:"" help:"Print every setting, its value and where it comes from."`
}

type configPrintCmd struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Run implements the command.
func (c *configPrintCmd) Run(p *program) error {
	s, err := p.load("", false)
	p.warn(s)
	if err != nil {
		return err
	}
	return config.Print(p.stdout, s, c.Output)
}

// doctorCmd is ccms doctor.
type doctorCmd struct {
	Quick  bool   `xor:"how" help:"Only whether the server of the data folder runs and is healthy."`
	Deep   bool   `xor:"how" help:"Also read all that the store holds: file, indexes, audit logs, and that every sealed value opens."`
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Run implements the command.
func (c *doctorCmd) Run(ctx context.Context, p *program) error {
	s, err := p.load("", true) // it serves nothing, and what runs may have certificates of its own
	p.warn(s)
	if err != nil {
		return err
	}
	switch {
	case c.Quick:
		return desk.DoctorQuick(ctx, s, p.stdout, c.Output)
	case c.Deep:
		return meanwhile(p.bar(), p.stdout, "all that the store holds is read", func(out io.Writer) error {
			return desk.DoctorDeep(ctx, s, out, c.Output)
		})
	}
	return desk.Doctor(ctx, s, p.stdout, c.Output)
}

// versionCmd is ccms version.
type versionCmd struct {
	Output string `short:"o" enum:"text,json" default:"text" help:"text or json."`
}

// Run implements the command.
func (c *versionCmd) Run(p *program) error {
	format := "ccms %s\n"
	if c.Output == "json" {
		format = "{\"version\":%q}\n"
	}
	_, err := fmt.Fprintf(p.stdout, format, boot.Version())
	return err
}

// completionCmd is ccms completion.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run implements the command.
func (c *completionCmd) Run(p *program) error {
	script, err := completionScript(c.Shell, p.app.Model, config.Table())
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, script)
	return err
}

// isTerminal is right about terminals and takes /dev/null for one too, where
// nobody reads the format.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
