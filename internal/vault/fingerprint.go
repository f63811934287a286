package vault

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ccms/internal/secret"
)

// Secret is a version of a random key. The holder wipes it.
type Secret struct {
	Version uint32
	Key     secret.Bytes
}

// Secrets are all versions of a random key that are not destroyed.
type Secrets struct {
	Active  Secret
	Next    Secret // while the next version is being introduced, else zero
	Retired []Secret
}

func (s Secrets) wipe() {
	s.Active.Key.Wipe()
	s.Next.Key.Wipe()
	for _, r := range s.Retired {
		r.Key.Wipe()
	}
}

// Fingerprints are the values by which one number of an owner is found without
// opening anything, one per version of the owner's look-up key: "f", the version,
// "." and an HMAC-SHA-256 in base64url. It covers environment, owner and the
// whole number (decision C12, PCI DSS 3.5.1.1). Without the key it tells nothing;
// the same number has other values at every owner.
type Fingerprints struct {
	// Active is what a card is kept under.
	Active string
	// Next is what a card must be unique under too while the next version of the
	// key is being introduced, else "".
	Next string
	// Retired are those under which cards may still lie.
	Retired []string
}

// Kept are the values that must be unique among an owner's cards: Active, and
// Next if there is one.
func (f Fingerprints) Kept() []string {
	if f.Next == "" {
		return []string{f.Active}
	}
	return []string{f.Active, f.Next}
}

// Is reports whether a stored value is one of this number.
func (f Fingerprints) Is(stored string) bool {
	return stored != "" && (stored == f.Active || stored == f.Next || slices.Contains(f.Retired, stored))
}

// At returns the value under a version of the key, "" when that is no more.
func (f Fingerprints) At(version uint32) string {
	for _, value := range append(f.Kept(), f.Retired...) {
		if FingerprintVersion(value) == version {
			return value
		}
	}
	return ""
}

// FingerprintVersion tells under which version of the look-up key a value was
// made, 0 when it is none.
func FingerprintVersion(value string) uint32 {
	head, _, ok := strings.Cut(value, ".")
	digits, ok2 := strings.CutPrefix(head, "f")
	version, err := strconv.ParseUint(digits, 10, 32)
	if !ok || !ok2 || err != nil || digits[0] == '0' {
		return 0
	}
	return uint32(version)
}

// LookupKey names the look-up key of an owner, as Keys.Secrets takes it. An owner
// may have a part after a slash, such as "cardholders/" and a customer's id: all
// parts share the key of what stands before the slash, and their values differ all
// the same.
func LookupKey(owner string) string {
	family, _, _ := strings.Cut(owner, "/")
	return LookupKeys + family
}

// LookupKeys begins the names of all look-up keys.
const LookupKeys = "lookup/"

// Fingerprints returns those of a number of an owner; number is the digits alone.
// Whoever makes a number unique by them asks right before the write: the exchange
// of a look-up key waits for writes that began before, as long as one answer of
// the store may take.
func (v *Vault) Fingerprints(ctx context.Context, owner string, number []byte) (Fingerprints, error) {
	if owner == "" || len(number) == 0 {
		return Fingerprints{}, errors.New("vault: fingerprint: owner and number are needed")
	}
	keys, err := v.keys.Secrets(ctx, LookupKey(owner))
	if err != nil {
		return Fingerprints{}, fmt.Errorf("vault: look-up key: %w", err)
	}
	defer keys.wipe()
	of := func(s Secret) string {
		mac := fingerprint(s.Key.Reveal(), v.environment, owner, number)
		return "f" + strconv.FormatUint(uint64(s.Version), 10) + "." + base64.RawURLEncoding.EncodeToString(mac)
	}
	f := Fingerprints{Active: of(keys.Active)}
	if keys.Next.Version != 0 {
		f.Next = of(keys.Next)
	}
	for _, s := range keys.Retired {
		f.Retired = append(f.Retired, of(s))
	}
	return f, nil
}

func fingerprint(key []byte, environment, owner string, number []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(number)))
	return secret.MAC(key, Bind("ccms vault fingerprint", environment, owner), length, number)
}
