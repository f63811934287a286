package chassis

import (
	"fmt"
	"net"
	"os"
	"slices"

	"ccms/internal/certs"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
	"ccms/internal/trust"
)

func serviceNames() []string { return []string{eureka.Audience, LoginService, CardService, Portal} }

// Addresses are those the services listen on, in the order of their names.
func Addresses(s config.Settings) []string {
	return []string{s.Eureka.Addr, s.Login.Addr, s.CreditCard.Addr, s.Portal.Addr}
}

// openTrust reads the certificates of the settings; own adds one of our own
// making, and the authority behind it.
func openTrust(s config.Settings, dir *datadir.Dir, own bool) (*trust.Trust, error) {
	cfg := TrustConfig(s, dir)
	if cfg.Own = own; own {
		var err error
		if cfg.Names, err = ownNames(s); err != nil {
			return nil, err
		}
	}
	return trust.Open(cfg)
}

// TrustConfig is what the settings and the folder say of certificates.
func TrustConfig(s config.Settings, dir *datadir.Dir) trust.Config {
	return trust.Config{
		Services:  serviceNames(),
		Given:     certs.Pair{Cert: s.TLS.CertFile, Key: s.TLS.KeyFile},
		Authority: s.TLS.CAFile,
		Folder:    dir.File("tls"),
	}
}

// ownNames are those of this machine and what people call us.
func ownNames(s config.Settings) ([]string, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	names := []string{"localhost", "127.0.0.1", "::1", host}
	add := func(name string) {
		if ip := net.ParseIP(name); name != "" && !slices.Contains(names, name) && (ip == nil || !ip.IsUnspecified()) {
			names = append(names, name)
		}
	}
	if s.PublicURL != nil {
		add(s.PublicURL.Hostname())
	}
	for _, addr := range Addresses(s) {
		host, _, _ := net.SplitHostPort(addr)
		add(host)
	}
	return names, nil
}
