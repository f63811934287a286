package identity

import (
	"context"
	"time"
)

// KeyInfo is what may be known of a signing key by whoever keeps an inventory.
type KeyInfo struct {
	ID        string
	Algorithm string
	State     string    // "next", "active" or "retired"
	Created   time.Time // zero for the secret of HS256
	Activated time.Time // since when it signs, or signed; zero for "next", and for that secret
	Retired   time.Time // zero unless retired
}

// List returns the signing keys as they are stored, oldest first.
func (k *Keys) List(ctx context.Context) ([]KeyInfo, error) {
	if k.records == nil {
		return []KeyInfo{{ID: k.current.Load().keys[0].jwk.KeyID, Algorithm: HS256, State: "active"}}, nil
	}
	r, err := k.records.Get(ctx, keyDocument)
	if err != nil {
		return nil, err
	}
	var all []KeyInfo
	for _, s := range r.Value.Keys {
		i := KeyInfo{ID: s.ID, Algorithm: s.Algorithm, State: "retired", Created: s.Created, Activated: s.Activated, Retired: s.Retired}
		switch {
		case s.next():
			i.State = "next"
		case s.active():
			i.State = "active"
		}
		all = append(all, i)
	}
	return all, nil
}

// Age is how long the key that signs has done so, 0 for the secret of HS256. It
// is as of the last reading, and reads no store.
func (k *Keys) Age() time.Duration {
	since := k.current.Load().signs
	if since.IsZero() {
		return 0
	}
	return k.cfg.Now().Sub(since)
}
