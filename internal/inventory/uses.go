package inventory

import (
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"ccms/internal/certs"
)

// reviewed is when the rules below were last held against the state of the art
// (PCI DSS 12.3.3).
func reviewed() time.Time { return time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC) }

// A use is what a key of a keyring is for.
type use struct{ purpose, algorithm, rule string }

const (
	committing = "AES-256-GCM under a key of HKDF-SHA-256 per message, key-committing"
	keyedHash  = "HMAC-SHA-256"
)

// uses are those of all keys in keyrings, by use and the beginning of the name.
// The longest that fits counts.
var uses = map[string]use{
	"check/":              {"shows that the root key belongs to the store", committing, "PCI DSS 3.7.7"},
	"owner/cardholders":   {"wraps the record keys of cardholders' cards", committing, "PCI DSS 3.5.1, 3.6.1.2; NIST SP 800-38D"},
	"owner/firm_":         {"wraps the record keys of a firm's cards", committing, "PCI DSS 3.5.1, 3.6.1.2, A1.1.1; NIST SP 800-38D"},
	"secret/lookup/":      {"finds a number without opening it", keyedHash, "PCI DSS 3.5.1.1"},
	"secret/audit":        {"chains the audit log", keyedHash, "PCI DSS 10.3.2, 10.3.4"},
	"secret/limit":        {"hides who is counted", keyedHash, "PCI DSS 3.5.1"},
	"secret/idempotency":  {"recognises a request sent again", keyedHash, "PCI DSS 3.5.1.1"},
	"secret/verification": {"makes the secrets under which calls to firms' endpoints are signed", keyedHash, "Standard Webhooks 1.0.0; PCI DSS 3.6.1"},
	"secret/webhook":      {"makes the secrets under which webhooks are signed", keyedHash, "Standard Webhooks 1.0.0; PCI DSS 3.6.1"},
	"values/jwt":          {"seals the keys that sign tokens", committing, "PCI DSS 3.6.1.2"},
	"values/outbox/":      {"seals messages that wait", committing, "PCI DSS 3.5.1"},
	"values/idempotency":  {"seals answers that are kept", committing, "PCI DSS 3.5.1"},
}

// unknownUse is what stands in the inventory for a key nobody described.
var unknownUse = use{"unknown", "unknown", "none: say in package inventory what it is for"}

func useOf(kind, name string) use {
	line := kind + "/" + name
	found, length := unknownUse, -1
	for prefix, u := range uses {
		if strings.HasPrefix(line, prefix) && len(prefix) > length {
			found, length = u, len(prefix)
		}
	}
	if rest := strings.TrimPrefix(line, kind+"/"); found != unknownUse && kind == "owner" {
		found.purpose += ": " + rest
	}
	return found
}

// algorithms are those that use no key of a keyring, or one of each thing.
func algorithms(bcryptCost int, fips bool) []Entry {
	var all []Entry
	add := func(purpose, algorithm string, bits int, rule string) {
		all = append(all, Entry{Kind: Algorithm, Purpose: purpose, Algorithm: algorithm, Bits: bits, Where: "program", Rule: rule, Review: reviewed().Add(cryptoperiod)})
	}
	module := "Go standard library"
	if fips {
		module = "Go Cryptographic Module, FIPS 140-3 mode"
	}
	add("all cryptography but bcrypt", module, 0, "PCI DSS 3.7.1")
	add("random keys, tokens and ids", "operating system's generator", 0, "PCI DSS 3.7.1")
	add("seals a card's number and name, one random key each", "AES-256-GCM, random nonce, additional data", 256, "PCI DSS 3.5.1; NIST SP 800-38D")
	add("seals a code until a firm's endpoint has answered, in memory, one random key each", "AES-256-GCM", 256, "PCI DSS 3.3.2")
	add("recognises who tries out codes, in memory, random key", keyedHash, 256, "PCI DSS 3.3.1")
	add("passwords", fmt.Sprintf("bcrypt, cost %d", bcryptCost), 0, "PCI DSS 8.3.2; OWASP Password Storage")
	add("one-time tokens, links and clients' secrets, of 256 random bits", "SHA-256", 256, "PCI DSS 8.3.2")
	add("portal's cookie", "AES-256-GCM, key of HKDF-SHA-256 from the internal credential", 256, "PCI DSS 8.3.2")
	add("proofs between our services", "JWS HS256, key of HKDF-SHA-256 from the internal credential", 256, "RFC 7515; PCI DSS 8.6")
	add("clients' assertions", "ES256, EdDSA, PS256 or RS256 with a key of the client", 0, "RFC 7523; PCI DSS 8.3.2")
	add("calls and webhooks to firms", "HMAC-SHA-256, a secret of at least 192 bits each", 256, "Standard Webhooks 1.0.0")
	add("codes passed on to a firm's endpoint", "JWE A256GCM with ECDH-ES+A256KW or RSA-OAEP-256", 256, "RFC 7518; PCI DSS 4.2.1")
	for _, s := range tls.CipherSuites() {
		newest := slices.Max(s.SupportedVersions)
		if newest < tls.VersionTLS13 && !slices.Contains(certs.Suites(), s.ID) {
			continue
		}
		add("connections, "+tls.VersionName(newest), s.Name, 0, "PCI DSS 4.2.1; NIST SP 800-52")
	}
	return all
}

// keyFiles are keys that lie in files, by purpose.
func keyFiles(files map[string]string) ([]Entry, error) {
	var all []Entry
	for _, purpose := range slices.Sorted(maps.Keys(files)) {
		info, err := os.Stat(files[purpose])
		if err != nil {
			return nil, fmt.Errorf("key file: %w", err)
		}
		all = append(all, Entry{
			Kind: Key, Purpose: purpose, Algorithm: "256 random bits", Bits: 256, State: "active", Created: dated(info.ModTime()),
			Where: files[purpose], Rule: "PCI DSS 3.6.1, 3.6.1.2, 3.6.1.3", Review: info.ModTime().Add(cryptoperiod),
		})
	}
	return all, nil
}
