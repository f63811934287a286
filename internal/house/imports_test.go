package house

import (
	"path"
	"slices"
	"strings"
)

// The import rules of ARCHITECTURE.md, by number.

// pure packages import nothing of ours, problem, patience and what is below them
// excepted (rule 1).
var pure = []string{"internal/problem", "internal/config", "internal/secret", "internal/card", "internal/store", "internal/eureka"}

// leaves are open to the pure packages too.
var leaves = []string{"internal/problem", "internal/patience"}

// onlyFor says who alone may import a package (rule 2).
var onlyFor = map[string][]string{
	"internal/store/mongostore":  {"internal/boot/chassis"},
	"internal/store/sqlitestore": {"internal/boot/chassis"},
	"internal/config":            {"internal/boot", "internal/boot/chassis", "internal/boot/desk", "cmd/ccms"},
	"internal/boot":              {"cmd/ccms"},
	"internal/boot/chassis":      {"internal/boot", "internal/boot/desk"},
	"internal/boot/desk":         {"internal/boot", "cmd/ccms"},
}

// openToCommands is what the command line may import (rule 2).
var openToCommands = []string{"internal/boot", "internal/boot/desk", "internal/config", "client", "internal/cardimport", "internal/completion", "internal/harden", "internal/upload"}

// domains never import each other (rule 3).
var domains = []string{"internal/login", "internal/firm", "internal/creditcard", "internal/registration", "internal/eureka/registry",
	"internal/portal", "internal/cardform", "internal/console"}

// offline packages do not know HTTP (rule 4). A key service by HTTP lives in a
// package below keyring, so keyring is one package and not a tree.
var (
	offline      = []string{"internal/vault", "internal/vault/keyring", "internal/card"}
	offlineTrees = []string{"internal/store", "internal/mail", "internal/audit", "internal/outbox", "internal/limit", "internal/identity"}
)

// silent packages import no logger: they return errors, and so cannot leak
// (rule 5).
var silent = []string{"internal/vault", "internal/vault/keyring", "internal/secret"}

// meaningless names of packages (rule 6).
var meaningless = []string{"util", "utils", "common", "helper", "helpers", "types", "models", "model", "core", "pkg", "misc", "shared", "base"}

// importFindings applies rules 1 to 5 to every import, and rule 6 to every
// package.
func importFindings(t *tree) []finding {
	var all []finding
	for s := range t.product {
		for _, imported := range s.imports() {
			if rule := brokenBy(s.pkg, imported); rule != "" {
				all = append(all, finding{rule, s.pkg + " -> " + strings.TrimPrefix(imported, module), "imported by " + s.path})
			}
		}
	}
	for _, s := range t.sources {
		if slices.Contains(meaningless, path.Base(s.pkg)) || slices.Contains(meaningless, strings.TrimSuffix(s.ast.Name.Name, "_test")) {
			all = append(all, finding{"import rule 6", s.pkg, "the name says nothing"})
		}
	}
	return all
}

// public packages are built by others, who have nothing else of ours (rule 1).
var public = []string{"client"}

// brokenBy names the rule that pkg breaks by importing a path, "" for none.
func brokenBy(pkg, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, module)
	switch {
	case slices.Contains(public, pkg) && strings.Contains(strings.Split(imported, "/")[0], ".") || isOurs && slices.Contains(public, pkg):
		return "import rule 1"
	case isOurs && slices.Contains(pure, pkg) && !slices.Contains(leaves, ours) && !(pkg == "internal/config" && within(ours, pkg)):
		return "import rule 1"
	case isOurs && reserved(pkg, ours), isOurs && pkg == "cmd/ccms" && !slices.Contains(openToCommands, ours):
		return "import rule 2"
	case isOurs && domain(pkg) != "" && domain(ours) != "" && domain(pkg) != domain(ours):
		return "import rule 3"
	case (imported == "net/http" || strings.HasPrefix(imported, "net/http/")) && isOffline(pkg):
		return "import rule 4"
	case (imported == "log" || strings.HasPrefix(imported, "log/")) && slices.Contains(silent, pkg):
		return "import rule 5"
	}
	return ""
}

// reserved reports whether somebody else alone may import ours.
func reserved(pkg, ours string) bool {
	for target, allowed := range onlyFor {
		if within(ours, target) && !within(pkg, target) && !slices.ContainsFunc(allowed, func(a string) bool { return within(pkg, a) }) {
			return true
		}
	}
	return false
}

func domain(pkg string) string {
	i := slices.IndexFunc(domains, func(d string) bool { return within(pkg, d) })
	if i < 0 {
		return ""
	}
	return domains[i]
}

func isOffline(pkg string) bool {
	return slices.Contains(offline, pkg) || slices.ContainsFunc(offlineTrees, func(d string) bool { return within(pkg, d) })
}
