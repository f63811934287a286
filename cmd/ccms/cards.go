package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ccms/client"
	"ccms/internal/cardimport"
	"ccms/internal/config"
	"ccms/internal/harden"
)

// cardsCmd holds ccms cards import. It is a firm's side: it speaks to the
// service as any program of the firm would.
type cardsCmd struct {
	Import cardsImportCmd `cmd:"" help:"Register a file of cards for a firm, with a result for each line; run it again to go on after a break."`
}

type cardsImportCmd struct {
	answer
	File       string        `arg:"" help:"CSV with a header, or NDJSON: card_number, expiry_date, cvv, cardholder_name, and if you like reference and metadata."`
	Format     string        `enum:",csv,ndjson" default:"" help:"csv or ndjson; by default what the file's name ends with."`
	URL        string        `placeholder:"URL" help:"Where the service is; by default the portal that runs on the data folder, else http://localhost:5000."`
	ClientFile string        `type:"path" placeholder:"FILE" help:"JSON with client_id and client_secret, as ccms firm create -o json prints it; by default demo-firm.json of the data folder."`
	ClientID   string        `placeholder:"ID" help:"Id of the client, instead of a file of both."`
	SecretFile string        `type:"path" placeholder:"FILE" help:"File that holds the client's secret, beside --client-id."`
	Results    string        `type:"path" placeholder:"FILE" help:"Where the results go; by default FILE.results.ndjson."`
	RetryFor   time.Duration `default:"5m" help:"How long to go on while the service does not answer."`
	Resend     bool          `help:"Send lines again that were sent more than 23 hours ago without an answer, although they may be registered."`
}

// Run implements the command.
func (c *cardsImportCmd) Run(ctx context.Context, p *program) error {
	if err := harden.Process(); err != nil { // it holds numbers for a while
		return err
	}
	s, err := p.load("", true) // it serves nothing
	if err != nil {
		return err
	}
	of, err := c.credentials(s.Data)
	if err != nil {
		return err
	}
	defer of.Secret.Wipe()
	of.BaseURL, of.RetryFor = c.service(s.Data), c.RetryFor
	if of.HTTPClient, err = believing(s); err != nil {
		return err
	}
	service, err := client.New(of)
	if err != nil {
		return usage{err}
	}
	sum, err := cardimport.Run(ctx, cardimport.Config{
		File: c.File, Format: c.Format, Results: c.Results, Resend: c.Resend,
		Bulk: service.Bulk, ClientID: of.ClientID, Key: of.Secret,
		Progress: p.stderr, Terminal: isTerminal(os.Stderr),
	})
	if err == nil {
		err = sum.Refusals()
	}
	if sum.Lines > 0 { // else it never began
		err = errors.Join(err, c.print(p, sum))
	}
	if err != nil {
		return fmt.Errorf("cards import: %w", err)
	}
	return nil
}

func (c *cardsImportCmd) print(p *program, sum cardimport.Summary) error {
	if c.Output == "json" {
		return json.NewEncoder(p.stdout).Encode(sum)
	}
	_, err := fmt.Fprintln(p.stdout, sum)
	return err
}

// credentials are the client's, of the files that are named.
func (c *cardsImportCmd) credentials(data string) (of client.Config, err error) {
	if (c.ClientID == "") != (c.SecretFile == "") || c.ClientID != "" && c.ClientFile != "" {
		return of, usage{errors.New("cards import: name --client-file, or --client-id and --secret-file")}
	}
	if c.ClientID != "" {
		text, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return of, fmt.Errorf("read the client's secret: %w", err)
		}
		defer clear(text)
		of.ClientID, of.Secret = c.ClientID, client.Text(strings.TrimSpace(string(text)))
		return of, nil
	}
	file := cmp.Or(c.ClientFile, filepath.Join(data, "demo-firm.json"))
	text, err := os.ReadFile(file)
	if err != nil {
		return of, fmt.Errorf("read the client: %w: name it with --client-file, or with --client-id and --secret-file", err)
	}
	defer clear(text)
	var in struct {
		ID     string        `json:"client_id"`
		Secret client.Secret `json:"client_secret"`
	}
	if json.Unmarshal(text, &in) != nil || in.ID == "" || in.Secret.Len() == 0 {
		return of, fmt.Errorf("%s must be JSON with client_id and client_secret", file)
	}
	of.ClientID, of.Secret = in.ID, in.Secret
	return of, nil
}

// service is where the cards go.
func (c *cardsImportCmd) service(data string) string {
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
