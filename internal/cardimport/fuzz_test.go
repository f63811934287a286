package cardimport_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"strings"
	"testing"

	"ccms/internal/cardimport"
)

// FuzzFile: whatever a file holds, an import of it ends, and each line that is
// not blank has one result.
func FuzzFile(f *testing.F) {
	f.Add([]byte(header+"4111111111111111,12/2030,123,Ann,order-7,1\n"), true)
	f.Add([]byte("\ufeffcvv;card_number;expiry_date;cardholder_name\r\n1;\"4\"\"\";3;4\r\n\"\n"), true)
	f.Add([]byte(`{"card_number":"4111111111111111"}`+"\n[]\n\n{"), false)
	f.Fuzz(func(t *testing.T, text []byte, asCSV bool) {
		b := &bank{}
		cfg := write(t, "cards", string(text), b)
		cfg.Format = "ndjson"
		if asCSV {
			cfg.Format = "csv"
		}
		sum, err := cardimport.Run(t.Context(), cfg)
		if err != nil {
			return
		}
		lines := 0
		for line := range bytes.SplitSeq(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				lines++
			}
		}
		if asCSV {
			lines-- // the header
		}
		if got := len(readResults(t, sum.Results)); got != lines || sum.Lines != lines || sum.Registered+sum.Refused != lines {
			t.Errorf("%d lines, %d results: %+v", lines, got, sum)
		}
	})
}

// FuzzCSV: a line that encoding/csv writes is read as it was meant.
func FuzzCSV(f *testing.F) {
	f.Add("4111111111111111", `Ann "A", Ms`, "order-7")
	f.Add("", `"`, ";\t'")
	f.Fuzz(func(t *testing.T, number, name, reference string) {
		for _, field := range []*string{&number, &name, &reference} {
			*field = strings.TrimSpace(strings.Map(func(r rune) rune {
				if r == '\n' || r == '\r' {
					return ' '
				}
				return r
			}, *field))
		}
		var line bytes.Buffer
		w := stdcsv.NewWriter(&line)
		_ = w.Write([]string{number, "12/2030", "123", name, reference, ""})
		w.Flush()
		if line.Len() > 60<<10 {
			return
		}
		b := &bank{}
		if _, err := cardimport.Run(t.Context(), write(t, "a.csv", header+line.String(), b)); err != nil || len(b.cards) != 1 {
			t.Fatalf("%q: %d cards, %v", line.String(), len(b.cards), err)
		}
		if c := b.cards[0]; string(c.Number.Reveal()) != number || string(c.Holder.Reveal()) != name || c.Reference != reference {
			t.Errorf("%q was read as %q %q %q", line.String(), c.Number.Reveal(), c.Holder.Reveal(), c.Reference)
		}
	})
}
