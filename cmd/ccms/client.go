package main

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"ccms/client"
	"ccms/internal/config"
)

// clientFlags say where the service is, and as which client of a firm a command
// comes. Secrets are in files.
type clientFlags struct {
	URL        string `placeholder:"URL" help:"Where the service is; by default the portal that runs on the data folder, else http://localhost:5000."`
	ClientFile string `type:"path" placeholder:"FILE" help:"JSON with client_id and client_secret, as ccms firm create -o json prints it; by default demo-firm.json of the data folder."`
	ClientID   string `placeholder:"ID" help:"Id of the client, instead of a file of both."`
	SecretFile string `type:"path" placeholder:"FILE" help:"File that holds the client's secret, beside --client-id."`
	KeyFile    string `type:"path" placeholder:"FILE" help:"File that holds the client's private key, PEM of PKCS 8, beside --client-id and instead of a secret: private_key_jwt."`
	KeyID      string `placeholder:"KID" help:"The kid of that key, where the client has several."`
	Issuer     string `placeholder:"URL" help:"The issuer of /.well-known/oauth-authorization-server, where it is not --url."`
}

// credentials are the client's, of the files that are named, and what of them is
// secret, which the caller wipes.
func (c clientFlags) credentials(data string) (of client.Config, key client.Secret, err error) {
	given := 0
	for _, file := range []string{c.SecretFile, c.KeyFile} {
		if file != "" {
			given++
		}
	}
	switch {
	case c.ClientID == "" && given == 0:
		return fromFile(cmp.Or(c.ClientFile, filepath.Join(data, "demo-firm.json")))
	case c.ClientID == "" || given != 1 || c.ClientFile != "":
		return of, key, usage{errors.New("cards import: name --client-file, or --client-id and one of --secret-file and --key-file")}
	}
	of.ClientID, of.KeyID, of.Issuer = c.ClientID, c.KeyID, c.Issuer
	if c.KeyFile != "" {
		of.PrivateKey, key, err = privateKey(c.KeyFile)
		return of, key, err
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return of, key, fmt.Errorf("read the client's secret: %w", err)
	}
	defer clear(text)
	of.Secret = client.Text(strings.TrimSpace(string(text)))
	return of, of.Secret, nil
}

// fromFile reads a file of id and secret.
func fromFile(file string) (of client.Config, key client.Secret, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return of, key, fmt.Errorf("read the client: %w: name it with --client-file, or with --client-id and --secret-file or --key-file", err)
	}
	defer clear(text)
	var in struct {
		ID     string        `json:"client_id"`
		Secret client.Secret `json:"client_secret"`
	}
	if json.Unmarshal(text, &in) != nil || in.ID == "" || in.Secret.Len() == 0 {
		return of, key, fmt.Errorf("%s must be JSON with client_id and client_secret", file)
	}
	of.ClientID, of.Secret = in.ID, in.Secret
	return of, in.Secret, nil
}

// privateKey reads a key, and returns its content beside it.
func privateKey(file string) (crypto.Signer, client.Secret, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, client.Secret{}, fmt.Errorf("read the client's key: %w", err)
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, client.Secret{}, fmt.Errorf("%s is no PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := parsed.(crypto.Signer)
	if err != nil || !ok {
		clear(block.Bytes)
		return nil, client.Secret{}, fmt.Errorf("%s holds no private key of PKCS 8: openssl pkcs8 -topk8 -nocrypt -in KEY makes one", file)
	}
	return signer, client.NewSecret(block.Bytes), nil
}

// service is where the cards go.
func (c clientFlags) service(data string) string {
	if c.URL != "" {
		return strings.TrimSuffix(c.URL, "/")
	}
	var run struct {
		Portal string `json:"portal"`
	}
	text, err := os.ReadFile(filepath.Join(data, "run.json"))
	if err != nil || json.Unmarshal(text, &run) != nil || run.Portal == "" {
		return "http://localhost:5000"
	}
	return run.Portal
}

// believing returns a client that also believes the authority of the settings,
// or the one that ccms up --tls made.
func believing(s config.Settings) (*http.Client, error) {
	file := cmp.Or(s.TLS.CAFile, filepath.Join(s.Data, "tls", "ca.pem"))
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) && s.TLS.CAFile == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read tls.ca-file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
	}}, nil
}
