package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpOf prints what kong knows of a command, then examples and what the exit
// status says. Servers list every setting; beside them only those are listed
// by which a command finds its data, though it takes all.
func helpOf(settings *settingFlags) kong.HelpPrinter {
	return func(options kong.HelpOptions, ctx *kong.Context) error {
		options.FlagsLast = true
		path := ""
		if at := ctx.Selected(); at != nil {
			path = at.Path()
		}
		if !slices.Contains(servers(), path) {
			settings.show("Settings (one of many: `ccms up --help` has all, and every command takes them):", "data")
		}
		if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
			return err
		}
		text := ""
		if lines := examples(path); lines != nil {
			text = "\nExamples:\n  " + strings.Join(lines, "\n  ") + "\n"
		}
		_, err := fmt.Fprintf(ctx.Stdout, "%s\nExit status: 0 done, %d failed, %d wrong usage or settings.\n", text, exitFailed, exitUsage)
		return err
	}
}

// servers are the commands that use every setting.
func servers() []string { return []string{"up", "eureka", "login", "creditcard", "portal"} }

// whereToLook names the command whose help tells what was wrong with a line.
func whereToLook(err error) string {
	p, ok := errors.AsType[*kong.ParseError](err)
	if !ok || p.Context == nil || p.Context.Selected() == nil {
		return "ccms --help"
	}
	return p.Context.Selected().FullPath() + " --help"
}

// examples of a command; nil for none.
func examples(path string) []string {
	const operators = " --data /var/lib/ccms"
	return map[string][]string{
		"": {"ccms up", "ccms doctor", "ccms firm create --help"},
		"up": {
			"ccms up", "ccms up --tls --public-url https://cards.example.com" + operators,
			"CCMS_LOGIN_TOKEN_TTL=30m ccms up --config settings.yaml",
		},
		"eureka":           {"ccms eureka --eureka.peers http://localhost:8762/eureka/"},
		"login":            {"ccms login --config login.yaml --store.url-file store-url --keyring.url file:keys/login.key"},
		"creditcard":       {"ccms creditcard --config creditcard.yaml --store.url-file store-url --keyring.url file:keys/creditcard.key"},
		"portal":           {"ccms portal --eureka.urls http://localhost:8761/eureka/,http://localhost:8762/eureka/"},
		"keys init":        {"ccms keys init --out keys"},
		"keys status":      {"ccms keys status", "ccms keys status -o json"},
		"keys rotate":      {"ccms keys rotate", "ccms keys rotate --jwt"},
		"keys rewrap":      {"ccms keys rewrap"},
		"keys move":        {"ccms keys move --to file:/etc/ccms/login.key"},
		"keys destroy":     {"ccms keys destroy", "ccms keys destroy --firm FIRM_ID --for-good"},
		"mail list":        {"ccms mail list"},
		"mail retry":       {"ccms mail retry --all", "ccms mail retry ID"},
		"firm create":      {"ccms firm create --name 'Example Shop' -o json > firm.json", "ccms firm create --name 'Example Shop' --live --owner owner@example.com"},
		"firm list":        {"ccms firm list"},
		"firm suspend":     {"ccms firm suspend FIRM_ID"},
		"firm resume":      {"ccms firm resume FIRM_ID"},
		"client create":    {"ccms client create --firm FIRM_ID --live --scope cards:register,cards:read", "ccms client create --operator --scope actuator:read -o json > monitoring.json"},
		"client list":      {"ccms client list --firm FIRM_ID"},
		"client rotate":    {"ccms client rotate CLIENT_ID", "ccms client rotate CLIENT_ID --overlap 0s"},
		"client revoke":    {"ccms client revoke CLIENT_ID"},
		"operator create":  {"ccms operator create --email you@example.com"},
		"operator remove":  {"ccms operator remove --email you@example.com"},
		"cards import":     {"ccms cards import cards.csv --client-file firm.json"},
		"audit verify":     {"ccms audit verify", "ccms audit verify --head audit-head.json"},
		"audit head":       {"ccms audit head > audit-head.json"},
		"audit export":     {"ccms audit export --firm FIRM_ID --from 2026-11-01 -o csv > record.csv"},
		"crypto inventory": {"ccms crypto inventory"},
		"retention verify": {"ccms retention verify"},
		"scan":             {"ccms scan /var/log/shop dump.tar.gz", "ccms scan --store", "pg_dump shop | ccms scan -"},
		"config print":     {"ccms config print", "ccms config print -o json --config settings.yaml"},
		"backup":           {"ccms backup today.backup < passphrase"},
		"restore":          {"ccms restore today.backup --data drill < passphrase"},
		"upload":           {"ccms upload today.backup --to file:///mnt/backups"},
		"doctor":           {"ccms doctor", "ccms doctor --quick" + operators, "ccms doctor --deep"},
		"version":          {"ccms version", "ccms version -o json"},
		"completion":       {"source <(ccms completion bash)", "ccms completion zsh > ~/.zfunc/_ccms", "ccms completion fish > ~/.config/fish/completions/ccms.fish"},
	}[path]
}
