package forms_test

import (
	"slices"
	"testing"

	"ccms/internal/console/backend"
	"ccms/internal/console/forms"
)

func TestEachPlaceIsReadAsItWasOffered(t *testing.T) {
	clients := []backend.Client{
		{ID: "c1", Name: "Web shop", ReturnURLs: []string{"https://a.example/thanks?x=1 2", "https://a.example/b"}, Origins: []string{"https://a.example"}},
		{ID: "c2", Name: "Till"},
	}
	want := []backend.NewLink{
		{Kind: "link", ClientID: "c1"}, {Kind: "link", ClientID: "c2"},
		{Kind: "redirect", ClientID: "c1", ReturnURL: "https://a.example/thanks?x=1 2"}, {Kind: "redirect", ClientID: "c1", ReturnURL: "https://a.example/b"},
		{Kind: "embed", ClientID: "c1", Origin: "https://a.example"},
	}
	var got []backend.NewLink
	for _, o := range form(forms.Link(clients, want[4])).Field("place").Options {
		n := forms.ReadPlace(o.Value)
		got = append(got, n)
		if o.On != (n == want[4]) {
			t.Errorf("%s is chosen: %t", o.Text, o.On)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// FuzzReadPlace would find a text that is read as more than one place.
func FuzzReadPlace(f *testing.F) {
	for _, text := range []string{"", "link c1 ", "embed c1 https://a.example", "redirect c1 https://a.example/b", "other c1 x", "embed"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := forms.ReadPlace(text)
		switch {
		case n.Kind == "" && n != (backend.NewLink{}), n.Origin != "" && n.Kind != "embed", n.ReturnURL != "" && n.Kind != "redirect":
			t.Errorf("%q is %+v", text, n)
		case !slices.Contains([]string{"", "link", "redirect", "embed"}, n.Kind):
			t.Errorf("%q has the kind %q", text, n.Kind)
		}
	})
}
