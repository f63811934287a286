package mail

import (
	"html"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	at    = time.Date(2026, 11, 22, 7, 8, 9, 123e6, time.UTC)
	kinds = []Kind{Verify, Reset, AddressConfirm, AddressChange, AlreadyRegistered, PasswordChanged, Locked, Deleted, WebhookDisabled}
)

const link = "https://cards.example.com:8443/verify?token=aGVsbG8td29ybGQ_-MTIzNDU2Nzg5MA&x=1+2"

func compose(t *testing.T, k Kind) Message {
	t.Helper()
	m, err := Compose(k, Data{ID: "id-" + string(k), To: "ann@example.com", Link: link, Valid: 30 * time.Minute, At: at, About: "wh_x at hooks.example.com (live)", Reason: "failing"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEveryLetterHasAKindAndEveryKindALetter(t *testing.T) {
	files, err := fs.Glob(letterFiles, "letters/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, k := range kinds {
		want = append(want, "letters/"+string(k)+".txt")
	}
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("files %v, kinds %v", files, want)
	}
}

func TestCompose(t *testing.T) {
	linked := []Kind{Verify, Reset, AddressConfirm}
	for _, k := range kinds {
		t.Run(string(k), func(t *testing.T) {
			m := compose(t, k)
			if m.To != "ann@example.com" || m.ID != "id-"+string(k) || !m.Date.Equal(at) || m.Subject == "" || strings.Contains(m.Subject, "\n") {
				t.Errorf("head: %+v", m)
			}
			for _, part := range []string{m.Text, m.HTML} {
				if strings.Contains(part, "{{") || strings.Contains(part, "no value") || strings.Contains(part, "ZgotmplZ") {
					t.Errorf("an unfilled place in:\n%s", part)
				}
			}
			lines := strings.Split(m.Text, "\n")
			if slices.Contains(lines, link) != slices.Contains(linked, k) {
				t.Errorf("link on a line of its own: %v in:\n%s", !slices.Contains(linked, k), m.Text)
			}
			if slices.Contains(linked, k) && strings.Count(html.UnescapeString(m.HTML), `href="`+link+`"`) != 1 {
				t.Errorf("the HTML lacks the link:\n%s", m.HTML)
			}
			for _, want := range []string{`<html lang="en">`, "<title>" + m.Subject + "</title>", "<h1"} {
				if !strings.Contains(m.HTML, want) {
					t.Errorf("the HTML lacks %s", want)
				}
			}
			if m.Subject != strings.TrimSpace(m.Subject) || len(m.Text) < 100 {
				t.Errorf("subject %q, text:\n%s", m.Subject, m.Text)
			}
		})
	}
}

func TestComposeRefuses(t *testing.T) {
	good := Data{ID: "1", To: "ann@example.com", Link: link, Valid: time.Hour, At: at}
	change := func(f func(*Data)) Data { d := good; f(&d); return d }
	tests := []struct {
		name string
		kind Kind
		data Data
	}{
		{"an unknown kind", "advertisement", good},
		{"a kind with a path", "../letters/verify", good},
		{"a missing link", Verify, change(func(d *Data) { d.Link = "" })},
		{"a link without a host", Verify, change(func(d *Data) { d.Link = "/verify?token=x" })},
		{"a link of another scheme", Reset, change(func(d *Data) { d.Link = "javascript://example.com/%0aalert(1)" })},
		{"a link with a line break", Reset, change(func(d *Data) { d.Link = "https://example.com/?a=\r\nb" })},
		{"a link with a space", Reset, change(func(d *Data) { d.Link = "https://example.com/?a= b" })},
		{"a link with a quote", Reset, change(func(d *Data) { d.Link = `https://example.com/?a="` })},
		{"a link with an umlaut", Reset, change(func(d *Data) { d.Link = "https://example.com/ü" })},
		{"a link that needs more than a line", Reset, change(func(d *Data) { d.Link = "https://example.com/?" + strings.Repeat("a", maxLink) })},
		{"a recipient that is two", Deleted, change(func(d *Data) { d.To = "a@example.com, b@example.com" })},
		{"no ID", Deleted, change(func(d *Data) { d.ID = "" })},
		{"no date", Deleted, change(func(d *Data) { d.At = time.Time{} })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := Compose(tt.kind, tt.data); err == nil {
				t.Errorf("composed %+v", m)
			}
		})
	}
}

func TestDurationsAreSaidInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1 minute", 30 * time.Minute: "30 minutes", time.Hour: "60 minutes", 90 * time.Minute: "90 minutes",
		2 * time.Hour: "2 hours", 24 * time.Hour: "24 hours",
	} {
		if got := words(d); got != want {
			t.Errorf("words(%s) = %q, want %q", d, got, want)
		}
	}
}
