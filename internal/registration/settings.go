package registration

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ccms/internal/httpserver"
	"ccms/internal/identity"
	"ccms/internal/registration/verification"
	"ccms/internal/store"
)

const (
	// rulesFor is how long a process remembers a firm's settings, and knownFirms
	// of how many. A change on another instance holds here that much later.
	rulesFor   = time.Second
	knownFirms = 4096
)

// settings are a firm's, in one mode: a test client must not change what holds
// for live cards (decision D8). One document of the collection FirmSettings,
// whose id is firm and mode.
type settings struct {
	Rules verification.Rules `json:"verification" bson:"verification"`
}

func settingsID(firm, mode string) string { return firm + "/" + mode }

// rules are those by which a firm's registrations are judged.
func (s *Service) rules(ctx context.Context, firm, mode string) (verification.Rules, error) {
	id := settingsID(firm, mode)
	digest, now := identity.DigestOf(id), s.now()
	if known, ok := s.known.Get(digest, now); ok {
		return known.Rules, nil
	}
	r, err := s.settings.Get(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return verification.Rules{}, err
	}
	s.known.Put(digest, r.Value, now.Add(rulesFor))
	return r.Value.Rules, nil
}

func (s *Service) handleSettings(r *http.Request, _ httpserver.None) (settings, error) {
	who, err := writerOf(r) // settings are of one mode, whoever reads them
	if err != nil {
		return settings{}, err
	}
	found, err := s.settings.Get(r.Context(), settingsID(who.firm, who.mode))
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return found.Value, err
}

// handlePutSettings takes what handleSettings gives (decision D6).
func (s *Service) handlePutSettings(r *http.Request, in settings) (settings, error) {
	who, err := writerOf(r)
	if err != nil {
		return settings{}, err
	}
	if err := in.Rules.Validate(); err != nil {
		return settings{}, err
	}
	err = s.audited(r.Context(), who.entry(actSettings, who.mode), func() (string, error) {
		return "", s.putSettings(r.Context(), settingsID(who.firm, who.mode), in)
	})
	return in, err
}

// putSettings writes settings, which the first write makes.
func (s *Service) putSettings(ctx context.Context, id string, in settings) error {
	for {
		_, err := s.settings.Update(ctx, id, func(v *settings) error { *v = in; return nil })
		if errors.Is(err, store.ErrNotFound) {
			err = s.settings.Insert(ctx, id, in)
		}
		if errors.Is(err, store.ErrExists) {
			continue
		}
		if err == nil {
			s.known.Put(identity.DigestOf(id), in, s.now().Add(rulesFor))
			s.metrics.count(actSettings)
		}
		return err
	}
}
