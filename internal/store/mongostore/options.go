package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"ccms/internal/store"
)

// A database that is away is told within a second, however long the driver
// would wait by itself (30 s). An operation that lost its connection looks for
// a server twice, so that half a second would be a little too much.
const (
	selectWithin  = 450 * time.Millisecond
	connectWithin = time.Second
	// dialing is how many connections may come about at a time: a burst after
	// a start waits for them no longer than for a server.
	dialing = 8
)

// clientOptions are those of the URL, with ours above them: what counts as
// written, what as read, and how long anything may take is not for a URL to
// say.
func clientOptions(cfg Config) (*options.ClientOptions, error) {
	o := options.Client().ApplyURI(cfg.URL)
	if err := o.Validate(); err != nil {
		if _, ok := errors.AsType[*net.DNSError](err); ok { // of mongodb+srv
			return nil, fmt.Errorf("%w: %s", ErrUnreachable, hide(err.Error(), cfg.URL))
		}
		return nil, fmt.Errorf("store.url: %s", hide(err.Error(), cfg.URL))
	}
	switch {
	case databaseName(cfg.URL) == "":
		return nil, errors.New("store.url: it names no database: write mongodb://HOST/CCMS")
	case slices.Contains(o.Compressors, "zlib"):
		return nil, errors.New("store.url: the compressor zlib lets strangers read the memory of many servers (CVE-2025-14847): name zstd or snappy, or none")
	case o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify:
		return nil, errors.New("store.url: the server's certificate would not be checked: name its authority by tlsCAFile in place of tlsInsecure")
	}
	o.SetWriteConcern(durable()).
		SetReadConcern(readconcern.Majority()).
		SetReadPreference(readpref.Primary()).
		SetServerSelectionTimeout(selectWithin).
		SetConnectTimeout(connectWithin).
		SetMaxConnecting(dialing).
		SetTimeout(store.Budget) // of calls whose context has no deadline
	if o.AppName == nil {
		o.SetAppName("ccms")
	}
	if cfg.monitor != nil {
		o.SetMonitor(cfg.monitor)
	}
	return o, nil
}

// durable is the acknowledgement of every write: a majority has it in the
// journal (decision F3).
func durable() *writeconcern.WriteConcern {
	return &writeconcern.WriteConcern{W: "majority", Journal: new(true)}
}

// databaseName is the path of a MongoDB URL, whose list of hosts net/url would
// not take.
func databaseName(text string) string {
	_, rest, _ := strings.Cut(text, "://")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	rest, _, _ = strings.Cut(rest, "?")
	_, name, _ := strings.Cut(rest, "/")
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

// hide takes the password of the URL out of a text about it.
func hide(text, mongoURL string) string {
	_, rest, _ := strings.Cut(mongoURL, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return text
	}
	_, password, _ := strings.Cut(rest[:at], ":")
	plain, err := url.PathUnescape(password)
	for _, form := range []string{password, plain} {
		if err == nil && form != "" || form == password && form != "" {
			text = strings.ReplaceAll(text, form, "*****")
		}
	}
	return text
}

// failed gives an error of the driver one of the kinds callers know: that of
// the context, ErrClosed, ErrUnreachable, a time-out of ours, or just a
// failure. An unreachable server is no time-out: nothing was sent, and 503 is
// the answer rather than 504 (decision A5).
func failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, mongo.ErrClientDisconnected):
		return store.ErrClosed
	}
	if none, ok := errors.AsType[topology.ServerSelectionError](err); ok {
		return fmt.Errorf("%w: %s", ErrUnreachable, none.Desc.String())
	}
	if mongo.IsTimeout(err) {
		return fmt.Errorf("mongodb: %w: %s", context.DeadlineExceeded, err.Error())
	}
	return fmt.Errorf("mongodb: %w", err)
}
