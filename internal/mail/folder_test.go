package mail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func openFolder(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := OpenFolder(FolderConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func send(t *testing.T, f *Folder, m Message) {
	t.Helper()
	if err := f.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// parse reads a mail as a mail reader does: its header and, by type, its parts.
func parse(t *testing.T, raw []byte) (netmail.Header, map[string]string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	parts := map[string]string{}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		if err != nil || !strings.EqualFold(params["charset"], "utf-8") {
			t.Fatalf("part %q, %v, %v", kind, params, err)
		}
		var body io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(p)
		}
		b, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		parts[kind] = strings.ReplaceAll(string(b), "\r\n", "\n")
	}
}

func TestEveryLetterIsAWellFormedFile(t *testing.T) {
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data", "mail")
			m := compose(t, k)
			send(t, openFolder(t, dir), m)
			names := files(t, dir)
			if len(names) != 1 || !strings.HasPrefix(names[0], "20261122T070809.123Z-") || filepath.Ext(names[0]) != ".eml" {
				t.Fatalf("files %v", names)
			}
			raw, err := os.ReadFile(filepath.Join(dir, names[0]))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, raw)
			head, parts := parse(t, raw)
			for key, want := range map[string]string{
				"To": "<ann@example.com>", "From": `"CCMS" <no-reply@localhost>`, "Subject": m.Subject,
				"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "User-Agent": "", "X-Mailer": "", "Bcc": "",
			} {
				if got := head.Get(key); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}
			if date, err := head.Date(); err != nil || !date.Equal(at.Truncate(time.Second)) {
				t.Errorf("Date: %v, %v", date, err)
			}
			if id := head.Get("Message-Id"); id != "<"+digest(m.ID)+"@localhost>" {
				t.Errorf("Message-ID: %q", id)
			}
			if parts["text/plain"] != m.Text || parts["text/html"] != m.HTML || len(parts) != 2 {
				t.Errorf("parts: %v", slices.Collect(maps.Keys(parts)))
			}
		})
	}
}

// checkLines checks what RFC 5322 section 2.1.1 says of every line.
func checkLines(t *testing.T, raw []byte) {
	t.Helper()
	for line := range bytes.SplitSeq(raw, []byte("\r\n")) {
		if len(line) > maxLine || bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
}

func TestTheLinkStandsWholeOnOneLineOfTheFile(t *testing.T) {
	var b bytes.Buffer
	from, err := ParseFrom("")
	if err != nil {
		t.Fatal(err)
	}
	if err := write(&b, compose(t, Verify), from, true); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Split(b.String(), "\r\n"), link) {
		t.Errorf("not there:\n%s", b.String())
	}
}

func TestTextBeyondPlainASCIIArrives(t *testing.T) {
	m := compose(t, Deleted)
	m.Subject = "Größe: ein Betreff, der viel länger ist, als in eine einzige Zeile paßt — 日本語"
	m.Text = "dots:\n.\n..\nFrom here\n= and =3D\n" + strings.Repeat("ü", 1200) + "\nend\n"
	dir := t.TempDir()
	send(t, openFolder(t, dir), m)
	raw, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, raw)
	head, parts := parse(t, raw)
	subject, err := new(mime.WordDecoder).DecodeHeader(head.Get("Subject"))
	if err != nil || subject != m.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	if parts["text/plain"] != m.Text {
		t.Errorf("text %q", parts["text/plain"])
	}
}

func TestSendRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Message)
	}{
		{"a recipient with a line break", func(m *Message) { m.To = "a@example.com\r\nBcc: b@example.com" }},
		{"two recipients", func(m *Message) { m.To = "a@example.com, b@example.com" }},
		{"a quoted recipient", func(m *Message) { m.To = `"a@evil.example>"@example.com` }},
		{"a recipient with a name", func(m *Message) { m.To = "Ann <a@example.com>" }},
		{"no recipient", func(m *Message) { m.To = "" }},
		{"a subject with a line break", func(m *Message) { m.Subject = "a\r\nBcc: b@example.com" }},
		{"a subject with a bare CR", func(m *Message) { m.Subject = "a\rb" }},
		{"no subject", func(m *Message) { m.Subject = "" }},
		{"no text", func(m *Message) { m.Text = "" }},
		{"no ID", func(m *Message) { m.ID = "" }},
		{"no date", func(m *Message) { m.Date = time.Time{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			m := compose(t, Reset)
			tt.change(&m)
			if err := openFolder(t, dir).Send(t.Context(), m); !errors.Is(err, ErrRefused) {
				t.Errorf("Send: %v", err)
			}
			if got := files(t, dir); len(got) != 0 {
				t.Errorf("files %v", got)
			}
		})
	}
}

func TestASecondSendMakesNoSecondFile(t *testing.T) {
	dir := t.TempDir()
	m := compose(t, Verify)
	send(t, openFolder(t, dir), m)
	first, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}
	send(t, openFolder(t, dir), m) // as after a crash
	again, err := os.ReadFile(filepath.Join(dir, files(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}
	if len(files(t, dir)) != 1 || !bytes.Equal(first, again) {
		t.Errorf("files %v, same content: %v", files(t, dir), bytes.Equal(first, again))
	}
}

func TestNamesSortByTime(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	var want []string
	for i := range 20 {
		m := compose(t, Locked)
		m.ID, m.Date = fmt.Sprint("m", i), at.Add(time.Duration(i)*700*time.Millisecond)
		send(t, f, m)
		want = append(want, digest(m.ID))
	}
	var got []string
	for _, name := range files(t, dir) {
		_, id, _ := strings.Cut(strings.TrimSuffix(name, ".eml"), "-")
		got = append(got, id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	send(t, openFolder(t, dir), compose(t, Reset))
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, files(t, dir)[0]): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestWhatACrashLeftHalfWrittenIsCleared(t *testing.T) {
	dir := t.TempDir()
	keep := "20260101T000000.000Z-aa.eml"
	for _, name := range []string{".20261122T070809.123Z-aa.eml.x.tmp", keep} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("Subj"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openFolder(t, dir)
	if got := files(t, dir); !slices.Equal(got, []string{keep}) {
		t.Errorf("files %v", got)
	}
}

func TestManySendersAtOnce(t *testing.T) {
	dir := t.TempDir()
	f := openFolder(t, dir)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			m := compose(t, Reset)
			m.ID = fmt.Sprint("m", i%32) // each message twice
			if err := f.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(files(t, dir)); n != 32 {
		t.Errorf("%d files, want 32", n)
	}
}

func TestSendFailsWhenTheFolderIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	f := openFolder(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(t.Context(), compose(t, Reset)); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("Send: %v; want an error that may go away", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Send(ctx, compose(t, Reset)); !errors.Is(err, context.Canceled) {
		t.Errorf("Send with a cancelled context: %v", err)
	}
}

func TestParseFrom(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", `"CCMS" <no-reply@localhost>`},
		{"cards@example.com", "<cards@example.com>"},
		{"Cards, Inc <cards@example.com>", ""},
		{`"Cards, Inc" <cards@example.com>`, `"Cards, Inc" <cards@example.com>`},
		{"nobody", ""},
		{"a@example.com, b@example.com", ""},
		{"=?utf-8?q?a=0d=0aBcc:_b?= <a@example.com>", ""},
	}
	for _, tt := range tests {
		got, err := ParseFrom(tt.in)
		if (err == nil) != (tt.want != "") || err == nil && got.String() != tt.want {
			t.Errorf("ParseFrom(%q) = %v, %v; want %q", tt.in, got, err, tt.want)
		}
	}
}
