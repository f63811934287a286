package command

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"ccms/internal/audit"
	"ccms/internal/login"
	"ccms/internal/outbox"
	"ccms/internal/secret"
	"ccms/internal/store"
	"ccms/internal/store/storetest"
)

// open seals nothing: no message is read here.
type open struct{}

func (open) Seal(_ context.Context, _, _ string, plaintext []byte) ([]byte, error) {
	return plaintext, nil
}

func (open) Open(_ context.Context, _, _ string, sealed []byte) (secret.Bytes, error) {
	return secret.New(sealed), nil
}

// office is a desk on a store of its own, and a client whose questions reach it
// as over the socket.
type office struct {
	Client
	out  *bytes.Buffer
	mail *outbox.Queue
	log  audit.Config
}

func newOffice(t *testing.T) *office {
	t.Helper()
	db := storetest.New(t)
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	queue, err := outbox.Open(t.Context(), outbox.Config{DB: db, Sealer: open{}})
	if err != nil {
		t.Fatal(err)
	}
	o := &office{out: new(bytes.Buffer), mail: queue, log: audit.Config{DB: db, Key: secret.New(key)}}
	desk := Desk{
		Mail: func(context.Context) (*outbox.Queue, error) { return queue, nil },
		Logs: []Log{{Service: "login-service", Open: func(context.Context) (audit.Config, error) {
			return audit.Config{DB: db, Key: secret.New(bytes.Clone(key))}, nil // a reader wipes its own
		}}},
	}
	o.Client = Client{Ask: to(desk), Out: o.out}
	return o
}

func to(d Desk) func(context.Context, string, any, any) error {
	return func(ctx context.Context, name string, args, out any) error {
		asked, err := json.Marshal(args)
		if err != nil {
			return err
		}
		answer, err := d.Do(ctx, name, asked)
		if err != nil {
			return err
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, out)
	}
}

// said returns what the last command wrote.
func (o *office) said() string {
	defer o.out.Reset()
	return o.out.String()
}

func (o *office) put(t *testing.T, id, kind string) {
	t.Helper()
	if err := o.mail.Put(t.Context(), outbox.Message{ID: id, Kind: kind, Payload: []byte("ann@example.com")}); err != nil {
		t.Fatal(err)
	}
}

// act puts one act on record.
func (o *office) act(t *testing.T) {
	t.Helper()
	l, err := audit.Open(t.Context(), o.log)
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Begin(t.Context(), audit.Entry{Act: "test", Actor: "a", Object: "o"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.End(t.Context(), audit.Success), l.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestMailsThatWaitAreListedAndTriedAgain(t *testing.T) {
	o := newOffice(t)
	if err := o.ListMail(t.Context()); err != nil || o.said() != "no mail waits, none was given up\n" {
		t.Errorf("an empty queue: %v", err)
	}
	o.put(t, "m1", login.KindMail)
	o.put(t, "m2", login.KindMail)
	o.put(t, "e1", login.KindErase) // which is no mail
	err := o.ListMail(t.Context())
	if text := o.said(); err != nil || strings.Count(text, "\n") != 3 || !strings.Contains(text, "m1") || !strings.Contains(text, "queued") || strings.Contains(text, "@") {
		t.Errorf("%v: %s", err, text)
	}
	for id, want := range map[string]string{"m1": "mails to be tried again: 1\n", "": "mails to be tried again: 2\n"} {
		err := o.RetryMail(t.Context(), id)
		if text := o.said(); err != nil || text != want {
			t.Errorf("retry %q: %v: %s", id, err, text)
		}
	}
	if err := o.RetryMail(t.Context(), "e1"); err == nil || !strings.Contains(err.Error(), `there is no mail "e1"`) {
		t.Errorf("retry what is no mail: %v", err)
	}
	o.Format = "json"
	err = o.RetryMail(t.Context(), "m2")
	if text := o.said(); err != nil || text != "{\"retried\":1}\n" {
		t.Errorf("%v: %s", err, text)
	}
	err = o.ListMail(t.Context())
	var letters []Letter
	if text := o.said(); err != nil || json.Unmarshal([]byte(text), &letters) != nil || len(letters) != 2 || letters[0].Kind != login.KindMail {
		t.Errorf("%v: %s", err, text)
	}
}

func TestAnAuditLogIsHeldAgainstItsLastCheck(t *testing.T) {
	o, heads := newOffice(t), filepath.Join(t.TempDir(), "heads")
	o.act(t)
	const found = "ok    login-service: 4 records in 1 chains, 2 checkpoints\n"
	for _, want := range []string{found + "note  " + heads + " was not there: nothing was held against it; it keeps today's heads now, for the next check\n", found} {
		err := o.VerifyAudit(t.Context(), heads)
		if text := o.said(); err != nil || text != want {
			t.Errorf("%v: %s", err, text)
		}
	}
	before, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Audit", "AuditCheckpoint"} {
		empty(t, o.log.DB, specOf(name))
	}
	o.Format = "json"
	err = o.VerifyAudit(t.Context(), heads)
	var books []Book
	if text := o.said(); !errors.Is(err, ErrBroken) || json.Unmarshal([]byte(text), &books) != nil || !strings.Contains(books[0].Broken, "missing") {
		t.Errorf("a log that was removed: %v: %s", err, text)
	}
	if after, err := os.ReadFile(heads); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the heads were overwritten: %v", err)
	}
	if err := os.WriteFile(heads, []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.VerifyAudit(t.Context(), heads); err == nil || !strings.Contains(err.Error(), "holds no heads: name a file") {
		t.Errorf("heads that cannot be read: %v", err)
	}
}

func TestHeadsOfALogThatIsNotHereAreNoCheckOfIt(t *testing.T) {
	o, heads := newOffice(t), filepath.Join(t.TempDir(), "heads")
	o.act(t)
	if err := os.WriteFile(heads, []byte(`[{"service":"creditcard-service","chain":"A","number":1,"value":"AAAA"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := o.VerifyAudit(t.Context(), heads)
	if text := o.said(); !errors.Is(err, ErrBroken) || !strings.Contains(text, "\nFAIL  creditcard-service: cannot be checked, its keys are not here") {
		t.Errorf("%v: %s", err, text)
	}
	if text, err := os.ReadFile(heads); err != nil || !strings.Contains(string(text), "creditcard-service") {
		t.Errorf("the heads were overwritten: %v %s", err, text)
	}
}

// specOf is the Spec package audit opens a collection with.
func specOf(name string) store.Spec {
	if name == "Audit" {
		return store.Spec{Name: name, Ordered: []string{"at"}}
	}
	return store.Spec{Name: name}
}

func empty(t *testing.T, db store.DB, spec store.Spec) {
	t.Helper()
	c, err := db.Collection(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range c.Find(t.Context(), store.Query{}) {
		if err == nil {
			err = c.Delete(t.Context(), d.ID, d.Rev)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatADeskCannotDo(t *testing.T) {
	for name, c := range map[string]struct{ command, args, want string }{
		"a command it does not know":             {"moon list", "{}", "another version"},
		"arguments it does not know":             {listMail, "7", "arguments are of another version"},
		"a check where nothing is kept":          {verifyAudit, "[]", "no audit log is kept here"},
		"arguments that are not even of a shape": {retryMail, "{", "another version"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (Desk{}).Do(t.Context(), c.command, []byte(c.args)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("mails it cannot get at", func(t *testing.T) {
		failure := errors.New("no queue")
		d := Desk{Mail: func(context.Context) (*outbox.Queue, error) { return nil, failure }}
		for command, args := range map[string]string{listMail: "{}", retryMail: `{"all":true}`} {
			if _, err := d.Do(t.Context(), command, []byte(args)); !errors.Is(err, failure) {
				t.Errorf("%s: %v", command, err)
			}
		}
	})
}
