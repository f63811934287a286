package registration

import (
	"context"
	"slices"
)

// Accepts are the brands whose cards a firm accepts in a mode, by their ids in
// the brand table. None means all.
func (s *Service) Accepts(ctx context.Context, firm, mode string) ([]string, error) {
	rules, err := s.rules(ctx, firm, mode)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, b := range s.brands.Brands() {
		if slices.ContainsFunc(rules.Brands, b.Named) {
			ids = append(ids, b.ID)
		}
	}
	return ids, nil
}
