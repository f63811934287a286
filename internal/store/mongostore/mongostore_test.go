package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.uber.org/goleak"

	"ccms/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestURLsThatWouldBreakOurPromisesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ url, want string }{
		"zlib among the compressors":  {"mongodb://h/CCMS?compressors=snappy,zlib", "CVE-2025-14847"},
		"an unchecked certificate":    {"mongodb://h/CCMS?tls=true&tlsInsecure=true", "tlsCAFile"},
		"no database":                 {"mongodb://h/?tls=true", "names no database"},
		"another scheme":              {"http://h/CCMS", "store.url"},
		"an unknown read preference":  {"mongodb://h/CCMS?readPreference=nearby", "store.url"},
		"a password with a raw colon": {"mongodb://u:o:pen/sesame@h/CCMS?connectTimeoutMS=soon", "store.url"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(t.Context(), Config{URL: c.url})
			if err == nil {
				db.Close()
				t.Fatal("it was taken")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "sesame") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestAURLCannotWeakenWhatIsSentToTheServer(t *testing.T) {
	o, err := clientOptions(Config{URL: "mongodb://a,b/CCMS?w=0&readPreference=secondary&readConcernLevel=local" +
		"&serverSelectionTimeoutMS=60000&connectTimeoutMS=60000&timeoutMS=60000&appName=mine&compressors=zstd"})
	if err != nil {
		t.Fatal(err)
	}
	if o.WriteConcern.W != "majority" || !*o.WriteConcern.Journal || o.ReadConcern.Level != "majority" || o.ReadPreference.Mode() != readpref.PrimaryMode {
		t.Errorf("concerns: %+v %+v %v", o.WriteConcern, o.ReadConcern, o.ReadPreference)
	}
	if *o.ServerSelectionTimeout > 500*time.Millisecond || *o.ConnectTimeout != time.Second || *o.Timeout != store.Budget {
		t.Errorf("times: %v %v %v", *o.ServerSelectionTimeout, *o.ConnectTimeout, *o.Timeout)
	}
	if *o.AppName != "mine" || len(o.Hosts) != 2 {
		t.Errorf("what the URL may say: %s %v", *o.AppName, o.Hosts)
	}
}

func TestUserTLSAndReplicaSetComeFromTheURL(t *testing.T) {
	o, err := clientOptions(Config{URL: "mongodb://ann:p%40ss@h1:27018,h2/CCMS?replicaSet=rs0&tls=true&authSource=admin&authMechanism=SCRAM-SHA-256"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Auth.Username != "ann" || o.Auth.Password != "p@ss" || o.Auth.AuthMechanism != "SCRAM-SHA-256" || *o.ReplicaSet != "rs0" || o.TLSConfig == nil {
		t.Errorf("got %+v %v %v", o.Auth.Username, *o.ReplicaSet, o.TLSConfig)
	}
}

func TestTheDatabaseIsThePathOfTheURL(t *testing.T) {
	for text, want := range map[string]string{
		"mongodb://h/CCMS":                       "CCMS",
		"mongodb://u:p/w@h1:1,h2:2/CCMS?w=1":     "CCMS",
		"mongodb+srv://cluster.example.com/Test": "Test",
		"mongodb://h/a%2Db":                      "a-b",
		"mongodb://h":                            "",
		"mongodb://h/?replicaSet=x":              "",
	} {
		if got := databaseName(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// silent listens, accepts and never answers.
func silent(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

func TestADatabaseThatDoesNotAnswerIsToldWithinASecond(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, addr := range map[string]string{"it accepts and is silent": silent(t), "nobody listens": closed.Addr().String()} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := Open(t.Context(), Config{URL: "mongodb://ann:sesame@" + addr + "/CCMS"})
			if took := time.Since(start); took > time.Second {
				t.Errorf("told after %v", took)
			}
			// A time-out would become a 504; nothing was sent, so it is none.
			if !errors.Is(err, ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("it tells the password: %v", err)
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Config{URL: "mongodb://" + silent(t) + "/CCMS"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A server that has just been started may answer who looks for it, and be too
// slow for the first question.
func TestAServerTooSlowToGreetIsNotThereYet(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want bool
	}{
		"it did not answer in time":     {t.Context(), fmt.Errorf("mongodb: %w", context.DeadlineExceeded), true},
		"nobody waits any more":         {over, context.DeadlineExceeded, false},
		"it does not know the password": {t.Context(), errors.New("mongodb: authentication failed"), false},
	} {
		if got := errors.Is(late(c.ctx, c.err), ErrUnreachable); got != c.want {
			t.Errorf("%s: taken for one that is away: %v", name, got)
		}
	}
	if err := late(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfTheDriverBecomeThoseOfTheContract(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx      context.Context
		err      error
		is, isNo error
	}{
		"nothing is nothing":              {t.Context(), nil, nil, context.Canceled},
		"the context's own end":           {cancelled, errors.New("socket was unexpectedly closed"), context.Canceled, store.ErrClosed},
		"a client that was closed":        {t.Context(), mongo.ErrClientDisconnected, store.ErrClosed, context.Canceled},
		"a time-out of the server":        {t.Context(), mongo.CommandError{Code: 50, Name: "MaxTimeMSExpired"}, context.DeadlineExceeded, store.ErrClosed},
		"a failed write with its outcome": {t.Context(), mongo.CommandError{Code: 91, Name: "ShutdownInProgress"}, nil, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			got := failed(c.ctx, c.err)
			if (got == nil) != (c.err == nil) || c.is != nil && !errors.Is(got, c.is) || errors.Is(got, c.isNo) {
				t.Errorf("got %v", got)
			}
		})
	}
}
