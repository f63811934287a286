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
		i := KeyInfo{ID: s.ID, Algorithm: s.Algorithm, State: "retired", Created: s.Created, Retired: s.Retired}
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
