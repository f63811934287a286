package boot

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"

	"ccms/internal/admin"
	"ccms/internal/boot/chassis"
	"ccms/internal/boot/desk"
	"ccms/internal/command"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/store"
)

// answerOf runs a command and returns what it printed.
func answerOf(s config.Settings, run func(command.Client) error, format string) (string, error) {
	var b bytes.Buffer
	err := run(desk.Beside(s, &b, format))
	return b.String(), err
}

// beside makes settings whose server is a rig that runs until the test ends.
func besideRig(t *testing.T, more ...string) (config.Settings, *rig) {
	t.Helper()
	s := settings(t, more...)
	r := startRig(t, s, nil)
	r.work.Start(r.Serve)
	// The socket is there a moment before somebody listens to it.
	ask := func() error {
		return admin.Ask(t.Context(), r.Dir.Path(), admin.Request{Command: "moon list"}, nil)
	}
	for err := ask(); errors.Is(err, admin.ErrNobody); err = ask() {
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	return s, r
}

// noServer makes a data folder with a store that nobody uses, in which one
// customer signed up and got no mail.
func noServer(t *testing.T) config.Settings {
	t.Helper()
	s := settings(t, "mail.smtp-url", "smtp://127.0.0.1:1")
	t.Run("a server, for a while", func(t *testing.T) { startRig(t, s, nil).session(t) })
	return s
}

func TestCommandsWithAndWithoutAServer(t *testing.T) {
	t.Parallel()
	alone := noServer(t)
	running, r := besideRig(t, "mail.smtp-url", "smtp://127.0.0.1:1")
	r.session(t)
	for name, s := range map[string]config.Settings{"beside a server": running, "alone": alone} {
		t.Run("mail "+name, func(t *testing.T) { checkMailCommands(t, s) })
		t.Run("audit "+name, func(t *testing.T) { checkAuditVerify(t, s) })
	}
}

// checkMailCommands expects one mail that cannot be sent.
func checkMailCommands(t *testing.T, s config.Settings) {
	list := func(c command.Client) error { return c.ListMail(t.Context()) }
	text, err := answerOf(s, list, "json")
	var letters []command.Letter
	if err != nil || json.Unmarshal([]byte(text), &letters) != nil || len(letters) != 1 || letters[0].Kind != "login.mail" || letters[0].Created.IsZero() {
		t.Fatalf("%s, %v", text, err)
	}
	if text, err := answerOf(s, list, "text"); err != nil || !strings.Contains(text, letters[0].ID) || strings.Contains(text, "@") {
		t.Errorf("%s, %v", text, err)
	}
	retry := func(id string) (string, error) {
		return answerOf(s, func(c command.Client) error { return c.RetryMail(t.Context(), id) }, "json")
	}
	// A worker may just have it in hand.
	if text, err := retry(letters[0].ID); err == nil && text != "{\"retried\":1}\n" || err != nil && !strings.Contains(err.Error(), "is being sent right now") {
		t.Errorf("%s, %v", text, err)
	}
	if text, err := retry(""); err != nil || !strings.HasPrefix(text, `{"retried":`) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := retry("none"); err == nil || !strings.Contains(err.Error(), `there is no mail "none"`) {
		t.Errorf("%v", err)
	}
}

// checkAuditVerify expects an intact log.
func checkAuditVerify(t *testing.T, s config.Settings) {
	heads := filepath.Join(t.TempDir(), "heads")
	verify := func(c command.Client) error { return c.VerifyAudit(t.Context(), heads) }
	for range 2 { // the second holds the log against the first
		text, err := answerOf(s, verify, "json")
		var books []command.Book
		if err != nil || json.Unmarshal([]byte(text), &books) != nil || len(books) != 2 || books[0].Records == 0 || books[1].Records == 0 || len(books[0].Heads) != 1 {
			t.Fatalf("%s, %v", text, err)
		}
		if kept, err := os.ReadFile(heads); err != nil || string(kept) != text {
			t.Errorf("%s, %v", kept, err)
		}
	}
	if text, err := answerOf(s, verify, "text"); err != nil || strings.Count(text, "ok  ") != 2 {
		t.Errorf("%s, %v", text, err)
	}
}

func TestOpenMail(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name string
		set  []string
		want string // of the error
	}{
		{"no server makes files", nil, ""},
		{"a server", []string{"mail.smtp-url", "smtp://mail.example"}, ""},
		{"a user with a password file", []string{"mail.smtp-url", "smtps://app@mail.example", "mail.smtp-password-file", file(rand.Text() + "\n")}, ""},
		{"a user without a password", []string{"mail.smtp-url", "smtps://app@mail.example"}, "set mail.smtp-password-file"},
		{"an empty password file", []string{"mail.smtp-url", "smtps://app@mail.example", "mail.smtp-password-file", file("\n")}, "set mail.smtp-password-file"},
		{"authorities that are none", []string{"mail.smtp-url", "smtp://mail.example", "tls.ca-file", file("x")}, "no certificate"},
		{"a sender beyond ASCII", []string{"mail.smtp-url", "smtp://mail.example", "mail.from", "a@bücher.example"}, "plain ASCII"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := settings(t, tt.set...)
			if err := os.MkdirAll(s.Data, 0o700); err != nil {
				t.Fatal(err)
			}
			p := &chassis.Process{Settings: s, Dir: datadir.At(s.Data)}
			m, err := p.OpenMail()
			if tt.want == "" {
				if err == nil {
					err = m.Close()
				}
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// change opens the store of a data folder that nobody uses.
func change(t *testing.T, s config.Settings, collection string, with func(store.Collection)) {
	t.Helper()
	dir, err := datadir.Open(s.Data)
	if err != nil {
		t.Fatal(err)
	}
	db, err := chassis.SQLite(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := db.Collection(t.Context(), store.Spec{Name: collection})
	if err != nil {
		t.Fatal(err)
	}
	with(c)
	if err := errors.Join(db.Close(), dir.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAuditVerifyNamesThePlaceThatWasAltered(t *testing.T) {
	t.Parallel()
	s := noServer(t)
	change(t, s, chassis.LoginAudit, func(c store.Collection) {
		for d, err := range c.Find(t.Context(), store.Query{Desc: true}) {
			if err != nil {
				t.Fatal(err)
			}
			var page bson.M
			if err := bson.Unmarshal(d.Body, &page); err != nil {
				t.Fatal(err)
			}
			page["records"].(bson.A)[0].(bson.D)[0].Value = int64(77)
			body, err := bson.Marshal(page)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.Delete(t.Context(), d.ID, d.Rev), c.Insert(t.Context(), store.Doc{ID: d.ID, Body: body})); err != nil {
				t.Fatal(err)
			}
			return
		}
	})
	text, err := answerOf(s, func(c command.Client) error { return c.VerifyAudit(t.Context(), "") }, "text")
	if !errors.Is(err, command.ErrBroken) || !strings.Contains(text, "FAIL  login-service: audit: chain ") || !strings.Contains(text, "ok    creditcard-service") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAuditVerifyFindsALogThatWasReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	s, heads := noServer(t), filepath.Join(t.TempDir(), "heads")
	verify := func(c command.Client) error { return c.VerifyAudit(t.Context(), heads) }
	if text, err := answerOf(s, verify, "text"); err != nil {
		t.Fatal(text, err)
	}
	for _, name := range []string{chassis.LoginAudit, chassis.LoginAudit + "Checkpoint"} {
		change(t, s, name, func(c store.Collection) {
			for d, err := range c.Find(t.Context(), store.Query{}) {
				if err == nil {
					err = c.Delete(t.Context(), d.ID, d.Rev)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	before, err := os.ReadFile(heads)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := answerOf(s, verify, "text"); !errors.Is(err, command.ErrBroken) || !strings.Contains(text, "missing") {
		t.Errorf("%s, %v", text, err)
	}
	if after, err := os.ReadFile(heads); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the heads were overwritten: %v", err)
	}
	if text, err := answerOf(s, func(c command.Client) error { return c.VerifyAudit(t.Context(), "") }, "text"); err != nil {
		t.Errorf("without the heads nothing shows it, yet %s, %v", text, err)
	}
}

func TestCommandsSayWhatToDo(t *testing.T) {
	list := func(s config.Settings) error {
		_, err := answerOf(s, func(c command.Client) error { return c.ListMail(t.Context()) }, "text")
		return err
	}
	open := settings(t)
	if err := os.MkdirAll(open.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open.Data, 0o777); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	empty := settings(t)
	if err := os.MkdirAll(empty.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	starting := settings(t)
	dir, err := datadir.Open(starting.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	for want, s := range map[string]config.Settings{
		"there is no data folder": settings(t), "others may write": open, "there is no store in": empty, "is about to start or to stop": starting,
	} {
		if err := list(s); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(empty.Data, "ccms.db")); err == nil {
		t.Error("a command made a store")
	}
}

func TestCommandsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	s, r := besideRig(t)
	ask := desk.Beside(s, nil, "").Ask
	var out any
	if err := ask(t.Context(), "moon list", struct{}{}, &out); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v", err)
	}
	if err := ask(t.Context(), "mail list", 7, &out); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("%v", err)
	}
	db := r.DB
	r.DB = nil // a process without a store, such as the registry's
	defer func() { r.DB = db }()
	if err := ask(t.Context(), "mail list", struct{}{}, &out); err == nil || !strings.Contains(err.Error(), "has no store") {
		t.Errorf("%v", err)
	}
}
