package vault

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"ccms/internal/secret"
)

// fingerprintForm begins every fingerprint and names how it was made.
const fingerprintForm = "f1."

// Fingerprint returns the value by which an owner's number is found without
// opening anything: "f1." and an HMAC-SHA-256 in base64url. It covers
// environment, owner and the whole number, under a secret of the owner that
// ordinary rotation leaves alone (decision C12, PCI DSS 3.5.1.1). Without that
// secret it tells nothing; the same number has another value at every owner.
// number is the digits alone. An owner may have a part after a slash, such as
// "cardholders/" and a customer's id: all parts share the secret of what stands
// before the slash, and their values differ all the same.
func (v *Vault) Fingerprint(ctx context.Context, owner string, number []byte) (string, error) {
	if owner == "" || len(number) == 0 {
		return "", errors.New("vault: fingerprint: owner and number are needed")
	}
	family, _, _ := strings.Cut(owner, "/")
	key, err := v.keys.Secret(ctx, "lookup/"+family)
	if err != nil {
		return "", fmt.Errorf("vault: look-up secret: %w", err)
	}
	defer key.Wipe()
	return fingerprintForm + base64.RawURLEncoding.EncodeToString(fingerprint(key.Reveal(), v.environment, owner, number)), nil
}

func fingerprint(key []byte, environment, owner string, number []byte) []byte {
	length := binary.BigEndian.AppendUint32(nil, uint32(len(number)))
	return secret.MAC(key, Bind("ccms vault fingerprint", environment, owner), length, number)
}
