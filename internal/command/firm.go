package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"ccms/internal/firm"
	"ccms/internal/problem"
	"ccms/internal/store"
)

// The commands by name.
const (
	createFirm     = "firm create"
	listFirms      = "firm list"
	suspendFirm    = "firm suspend"
	resumeFirm     = "firm resume"
	createClient   = "client create"
	listClients    = "client list"
	rotateClient   = "client rotate"
	revokeClient   = "client revoke"
	createOperator = "operator create"
	removeOperator = "operator remove"
)

// NewFirm says what firm to make, with its first client.
type NewFirm struct {
	Name   string   `json:"name"`
	Owner  string   `json:"owner,omitzero"` // address of who is invited as owner, "" for none
	Live   bool     `json:"live,omitzero"`  // a live client instead of a test client
	Scopes []string `json:"scopes,omitzero"`
}

// NewClient says what client to make.
type NewClient struct {
	Firm       string   `json:"firm,omitzero"` // "" for an operators' client
	Operator   bool     `json:"operator,omitzero"`
	Name       string   `json:"name,omitzero"`
	Live       bool     `json:"live,omitzero"`
	Scopes     []string `json:"scopes,omitzero"`
	Keys       string   `json:"keys,omitzero"` // a JSON Web Key Set of public keys instead of a secret
	ReturnURLs []string `json:"return_urls,omitzero"`
	Origins    []string `json:"origins,omitzero"`
}

// rotation names a client that gets another secret.
type rotation struct {
	ID      string `json:"id"`
	Overlap int64  `json:"overlap"` // nanoseconds for which the older secret lives on
}

// FirmEntry is a firm in a list.
type FirmEntry struct {
	ID        string    `json:"firm_id"`
	Name      string    `json:"name"`
	Suspended bool      `json:"suspended"`
	Members   int       `json:"members"`
	Created   time.Time `json:"created_at"`
}

// ClientEntry is a client in a list.
type ClientEntry struct {
	ID      string     `json:"client_id"`
	FirmID  string     `json:"firm_id,omitzero"`
	Name    string     `json:"name"`
	Mode    string     `json:"mode,omitzero"`
	Scopes  []string   `json:"scopes"`
	Revoked bool       `json:"revoked"`
	Created time.Time  `json:"created_at"`
	Used    *time.Time `json:"last_used,omitzero"`
}

// OperatorEntry is an account that is an operator's now, or is no more.
type OperatorEntry struct {
	Username string `json:"username"`
	Email    string `json:"email"`
	Operator bool   `json:"operator"`
}

// name is what a command that needs no more than one is given.
type name struct {
	Name string `json:"name,omitzero"`
}

// told turns an error into a sentence for the person at the terminal; what is
// not there is named by what.
func told(err error, what string) error {
	p, ok := errors.AsType[*problem.Error](err)
	switch {
	case errors.Is(err, store.ErrNotFound), ok && p.Kind == problem.NotFound:
		return fmt.Errorf("there is no %s", what)
	case ok && p.Kind < problem.Unavailable && p.Kind != problem.Internal:
		return errors.New(p.Details)
	}
	return err
}

func mode(live bool) string {
	if live {
		return firm.Live
	}
	return firm.Test
}

// firms opens the firms, if they are kept here.
func (d Desk) firms(ctx context.Context) (*firm.Service, error) {
	if d.Firms == nil {
		return nil, errors.New("no firms are kept here: name the data folder of a login service with --data")
	}
	return d.Firms(ctx)
}

func (d Desk) createFirm(ctx context.Context, in NewFirm) (firm.Made, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return firm.Made{}, err
	}
	made, err := s.CreateWithClient(ctx, firm.Administrator(), firm.NewFirm{Name: in.Name, Owner: in.Owner}, firm.NewClient{Mode: mode(in.Live), Scopes: in.Scopes})
	return made, told(err, "firm")
}

func (d Desk) listFirms(ctx context.Context, _ struct{}) ([]FirmEntry, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return nil, err
	}
	all := []FirmEntry{}
	for page, next := []firm.Firm(nil), (*store.Position)(nil); ; {
		if page, next, err = s.Firms(ctx, next); err != nil {
			return nil, err
		}
		for _, f := range page {
			all = append(all, FirmEntry{f.ID, f.Name, f.Suspended, len(f.Members), f.CreatedAt})
		}
		if next == nil {
			return all, nil
		}
	}
}

func (d Desk) suspendFirm(ctx context.Context, in name) (FirmEntry, error) {
	return d.setSuspended(ctx, in.Name, true)
}

func (d Desk) resumeFirm(ctx context.Context, in name) (FirmEntry, error) {
	return d.setSuspended(ctx, in.Name, false)
}

func (d Desk) setSuspended(ctx context.Context, id string, suspended bool) (FirmEntry, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return FirmEntry{}, err
	}
	f, err := s.Suspend(ctx, firm.Administrator(), id, suspended)
	return FirmEntry{f.ID, f.Name, f.Suspended, len(f.Members), f.CreatedAt}, told(err, fmt.Sprintf("firm %q: ccms firm list shows them", id))
}

func (d Desk) createClient(ctx context.Context, in NewClient) (firm.Made, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return firm.Made{}, err
	}
	n := firm.NewClient{FirmID: in.Firm, Operator: in.Operator, Name: in.Name, Scopes: in.Scopes, ReturnURLs: in.ReturnURLs, Origins: in.Origins}
	if in.Keys != "" {
		n.Keys = []byte(in.Keys)
	}
	if !in.Operator || in.Live {
		n.Mode = mode(in.Live)
	}
	c, text, err := s.CreateClient(ctx, firm.Administrator(), n)
	if err != nil {
		return firm.Made{}, told(err, fmt.Sprintf("firm %q: ccms firm list shows them", in.Firm))
	}
	return firm.NewMade(c, text), nil
}

func (d Desk) listClients(ctx context.Context, in name) ([]ClientEntry, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return nil, err
	}
	if in.Name != "" {
		if _, err := s.Firm(ctx, in.Name); err != nil {
			return nil, told(err, fmt.Sprintf("firm %q: ccms firm list shows them", in.Name))
		}
	}
	clients, err := s.Clients(ctx, in.Name)
	all := []ClientEntry{}
	for _, c := range clients {
		all = append(all, entryOf(c))
	}
	return all, err
}

func entryOf(c firm.Client) ClientEntry {
	return ClientEntry{ID: c.ID, FirmID: c.FirmID, Name: c.Name, Mode: c.Mode, Scopes: c.Scopes, Revoked: c.Revoked, Created: c.CreatedAt, Used: c.LastUsed}
}

func (d Desk) rotateClient(ctx context.Context, in rotation) (firm.Made, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return firm.Made{}, err
	}
	c, text, err := s.Rotate(ctx, firm.Administrator(), in.ID, time.Duration(in.Overlap))
	if err != nil {
		return firm.Made{}, told(err, fmt.Sprintf("client %q: ccms client list shows them", in.ID))
	}
	return firm.NewMade(c, text), nil
}

func (d Desk) revokeClient(ctx context.Context, in name) (ClientEntry, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return ClientEntry{}, err
	}
	c, err := s.Revoke(ctx, firm.Administrator(), in.Name)
	return entryOf(c), told(err, fmt.Sprintf("client %q: ccms client list shows them", in.Name))
}

func (d Desk) createOperator(ctx context.Context, in name) (OperatorEntry, error) {
	return d.setOperator(ctx, in.Name, true)
}

func (d Desk) removeOperator(ctx context.Context, in name) (OperatorEntry, error) {
	return d.setOperator(ctx, in.Name, false)
}

func (d Desk) setOperator(ctx context.Context, address string, on bool) (OperatorEntry, error) {
	s, err := d.firms(ctx)
	if err != nil {
		return OperatorEntry{}, err
	}
	account, err := s.Operators().Set(ctx, firm.Administrator().Record(), address, on)
	return OperatorEntry{account.Username, account.Email, on}, told(err, "account with this address: sign up first")
}

// NewFirm is the order for a firm, to be filled in for CreateFirm.
func (Client) NewFirm(name string) NewFirm { return NewFirm{Name: name} }

// NewClient is the order for a client, to be filled in for CreateClient.
func (Client) NewClient(firm string) NewClient { return NewClient{Firm: firm} }

// CreateFirm makes a firm with its first client and writes the client's secret,
// which is shown this once.
func (c Client) CreateFirm(ctx context.Context, in NewFirm) error {
	return c.made(ctx, createFirm, in)
}

// CreateClient makes a client and writes its secret, which is shown this once.
func (c Client) CreateClient(ctx context.Context, in NewClient) error {
	return c.made(ctx, createClient, in)
}

// RotateClient gives a client another secret and writes it, this once; the older
// one lives on for the overlap.
func (c Client) RotateClient(ctx context.Context, id string, overlap time.Duration) error {
	return c.made(ctx, rotateClient, rotation{id, int64(overlap)})
}

// made has a secret made and shows it.
func (c Client) made(ctx context.Context, command string, args any) error {
	var made firm.Made
	if err := c.Ask(ctx, command, args, &made); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(made)
	}
	var text strings.Builder
	if made.FirmID != "" {
		fmt.Fprintf(&text, "firm      %s\n", made.FirmID)
	}
	fmt.Fprintf(&text, "client    %s\n", made.ClientID)
	if made.ClientSecret == nil {
		text.WriteString("\nThe client has no secret: it proves itself with its keys.\n")
		_, err := fmt.Fprint(c.Out, text.String())
		return err
	}
	defer made.ClientSecret.Wipe()
	text.WriteString("secret    ")
	_, err := fmt.Fprint(c.Out, text.String())
	if err == nil {
		_, err = c.Out.Write(made.ClientSecret.Reveal())
	}
	if err == nil {
		_, err = fmt.Fprint(c.Out, "\n\nThe secret is shown once and kept nowhere: store it now.\n")
	}
	return err
}

// ListFirms writes all firms, the oldest first.
func (c Client) ListFirms(ctx context.Context) error {
	var all []FirmEntry
	if err := c.Ask(ctx, listFirms, struct{}{}, &all); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(all)
	}
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "FIRM\tNAME\tMEMBERS\tCREATED\tSTATE") // Flush reports errors
	for _, f := range all {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", f.ID, f.Name, f.Members, f.Created.Format(time.DateOnly), f.state())
	}
	return t.Flush()
}

func (f FirmEntry) state() string {
	if f.Suspended {
		return "suspended"
	}
	return "active"
}

// SuspendFirm stops everything a firm's clients and members do, ResumeFirm lets
// them go on.
func (c Client) SuspendFirm(ctx context.Context, id string) error {
	return c.firm(ctx, suspendFirm, id)
}

// ResumeFirm ends a suspension.
func (c Client) ResumeFirm(ctx context.Context, id string) error {
	return c.firm(ctx, resumeFirm, id)
}

func (c Client) firm(ctx context.Context, command, id string) error {
	var f FirmEntry
	if err := c.Ask(ctx, command, name{id}, &f); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(f)
	}
	_, err := fmt.Fprintf(c.Out, "firm %s (%s) is %s\n", f.ID, f.Name, f.state())
	return err
}

// ListClients writes the clients of a firm, those of the operators for "".
func (c Client) ListClients(ctx context.Context, firmID string) error {
	var all []ClientEntry
	if err := c.Ask(ctx, listClients, name{firmID}, &all); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(all)
	}
	t := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CLIENT\tNAME\tMODE\tCREATED\tLAST USED\tSTATE\tSCOPES") // Flush reports errors
	for _, e := range all {
		used, state := "never", "active"
		if e.Used != nil {
			used = e.Used.Format(time.DateOnly)
		}
		if e.Revoked {
			state = "revoked"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Name, e.Mode, e.Created.Format(time.DateOnly), used, state, strings.Join(e.Scopes, " "))
	}
	return t.Flush()
}

// RevokeClient ends a client for good.
func (c Client) RevokeClient(ctx context.Context, id string) error {
	var e ClientEntry
	if err := c.Ask(ctx, revokeClient, name{id}, &e); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(e)
	}
	_, err := fmt.Fprintf(c.Out, "client %s is revoked\n", e.ID)
	return err
}

// CreateOperator makes the account with an address an operator's, RemoveOperator
// undoes that.
func (c Client) CreateOperator(ctx context.Context, address string) error {
	return c.operator(ctx, createOperator, address)
}

// RemoveOperator ends what CreateOperator began.
func (c Client) RemoveOperator(ctx context.Context, address string) error {
	return c.operator(ctx, removeOperator, address)
}

func (c Client) operator(ctx context.Context, command, address string) error {
	var e OperatorEntry
	if err := c.Ask(ctx, command, name{address}, &e); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(e)
	}
	is := "is an operator"
	if !e.Operator {
		is = "is no operator any more"
	}
	_, err := fmt.Fprintf(c.Out, "%s (%s) %s\n", e.Username, e.Email, is)
	return err
}
