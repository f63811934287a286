package figures

import (
	"log/slog"
	"slices"
	"testing"

	"ccms/internal/eureka/registry"
)

func TestTheRegistryShowsItsReadersAndPeers(t *testing.T) {
	r := registry.New(registry.Config{Log: slog.New(slog.DiscardHandler), Peers: []string{"http://user:secret@127.0.0.1:1/eureka/"}})
	got := shown(t, Registry(r))
	for _, want := range []string{
		`ccms_eureka_instances{status="UP"} 0`,
		`ccms_eureka_fetches_total{kind="full"} 0`,
		`ccms_eureka_waiting_readers 0`,
		`ccms_eureka_peer_available{peer="http://127.0.0.1:1/eureka/"} 0`,
		`ccms_eureka_peer_queue{peer="http://127.0.0.1:1/eureka/"} 0`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among %q", want, got)
		}
	}
}
