// Package command owns what an administrator may ask of a store beside a running
// server: which mails wait and that they are tried again, whether the audit logs
// are intact, which firms, clients and operators there are. A Desk does it, a
// Client asks for it and shows the answer. It opens nothing and knows no road
// between the two: package boot hands both what they need, and admin is the road.
package command

import (
	"context"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"ccms/internal/command/keys"
	"ccms/internal/firm"
	"ccms/internal/inventory"
	"ccms/internal/outbox"
	"ccms/internal/retention"
	"ccms/internal/store"
)

// Desk does commands.
type Desk struct {
	// Mail opens the queue of mails.
	Mail func(context.Context) (*outbox.Queue, error)
	// Logs are the audit logs that can be read here.
	Logs []Log
	// Store is all that is kept, for a search; nil without a store.
	Store store.DB
	// Retention tells what is kept, and how long; nil where nothing is.
	Retention func(context.Context) ([]retention.Source, error)
	// Inventory tells where algorithms, keys and certificates are; nil where none
	// are kept.
	Inventory func(context.Context) (inventory.Config, error)
	// Firms opens the firms and their clients; nil where none are kept.
	Firms func(context.Context) (*firm.Service, error)
	// Keys opens the keys and what is sealed under them; nil where none are kept.
	Keys keys.Desk
}

// The commands by name.
const (
	listMail    = "mail list"
	retryMail   = "mail retry"
	verifyAudit = "audit verify"
	headAudit   = "audit head"
	listAudit   = "audit list"
	pageAudit   = "audit page"
	scanStore   = "scan store"

	verifyRetention = "retention verify"
	cryptoInventory = "crypto inventory"
)

// Do does a command by name; args are JSON. Its error is told to the person who
// asked.
func (d Desk) Do(ctx context.Context, name string, args []byte) (any, error) {
	switch name {
	case listMail:
		return act(ctx, d.listMail, args)
	case retryMail:
		return act(ctx, d.retryMail, args)
	case verifyAudit:
		return act(ctx, d.verifyAudit, args)
	case headAudit:
		return act(ctx, d.headAudit, args)
	case listAudit:
		return act(ctx, d.listAudit, args)
	case pageAudit:
		return act(ctx, d.pageAudit, args)
	case verifyRetention:
		return act(ctx, d.verifyRetention, args)
	case cryptoInventory:
		return act(ctx, d.takeInventory, args)
	case scanStore:
		return act(ctx, d.searchStore, args)
	case keys.Status:
		return act(ctx, d.Keys.Status, args)
	case keys.Rotate:
		return act(ctx, d.Keys.Rotate, args)
	case keys.Rewrap:
		return act(ctx, d.Keys.Rewrap, args)
	case keys.Lookup:
		return act(ctx, d.Keys.Lookup, args)
	case keys.Progress:
		return act(ctx, d.Keys.Progress, args)
	case keys.Destroy:
		return act(ctx, d.Keys.Destroy, args)
	case createFirm:
		return act(ctx, d.createFirm, args)
	case listFirms:
		return act(ctx, d.listFirms, args)
	case suspendFirm:
		return act(ctx, d.suspendFirm, args)
	case resumeFirm:
		return act(ctx, d.resumeFirm, args)
	case createClient:
		return act(ctx, d.createClient, args)
	case listClients:
		return act(ctx, d.listClients, args)
	case rotateClient:
		return act(ctx, d.rotateClient, args)
	case revokeClient:
		return act(ctx, d.revokeClient, args)
	case createOperator:
		return act(ctx, d.createOperator, args)
	case removeOperator:
		return act(ctx, d.removeOperator, args)
	}
	return nil, fmt.Errorf("the running process does not know %q: it is of another version", name)
}

// act calls a typed function.
func act[In, Out any](ctx context.Context, do func(context.Context, In) (Out, error), args []byte) (any, error) {
	var in In
	if err := json.Unmarshal(args, &in); err != nil {
		return nil, fmt.Errorf("the command's arguments are of another version: %w", err)
	}
	return do(ctx, in)
}

// Client asks for commands and writes their answers.
type Client struct {
	// Ask has a command done at a desk and decodes its answer into out.
	Ask    func(ctx context.Context, name string, args, out any) error
	Out    io.Writer
	Format string // "json", else text
}

// Keys asks for the commands of keys; bar is the terminal to show progress on,
// or nil.
func (c Client) Keys(bar io.Writer) keys.Client {
	return keys.Client{Ask: c.Ask, Out: c.Out, Format: c.Format, Bar: bar}
}

// json writes one line that a program may read.
func (c Client) json(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = c.Out.Write(append(b, '\n'))
	return err
}
