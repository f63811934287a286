package cardimport

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const header = "card_number,expiry_date,cvv,cardholder_name,reference,metadata.shop\n"

// FuzzReader: whatever a file holds, reading it ends, and each line that is not
// blank is a card or a fault.
func FuzzReader(f *testing.F) {
	f.Add([]byte(header+"4111111111111111,12/2030,123,Ann,order-7,1\n"), true)
	f.Add([]byte("\ufeffcvv;card_number;expiry_date;cardholder_name\r\n1;\"4\"\"\";3;4\r\n\"\n"), true)
	f.Add([]byte(`{"card_number":"4111111111111111"}`+"\n[]\n\n{"), false)
	f.Fuzz(func(t *testing.T, text []byte, asCSV bool) {
		format, lines := ndjson, 0
		for line := range bytes.SplitSeq(bytes.TrimPrefix(text, []byte("\ufeff")), []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				lines++
			}
		}
		if asCSV {
			format, lines = csv, lines-1 // the header
		}
		r, err := newReader(iotest.OneByteReader(bytes.NewReader(text)), format)
		if err != nil {
			return
		}
		last := 0
		for ; ; lines-- {
			e, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || e.line <= last {
				t.Fatalf("line %d after %d: %v", e.line, last, err)
			}
			last = e.line
		}
		if lines != 0 {
			t.Errorf("%d lines too few", lines)
		}
	})
}

// FuzzCSV: a line that encoding/csv writes is read as it was meant.
func FuzzCSV(f *testing.F) {
	f.Add("4111111111111111", `Ann "A", Ms`, "order-7")
	f.Add("", `"`, ";\t'")
	f.Fuzz(func(t *testing.T, number, name, reference string) {
		for _, field := range []*string{&number, &name, &reference} {
			*field = strings.TrimSpace(strings.NewReplacer("\n", " ", "\r", " ").Replace(*field))
		}
		var text bytes.Buffer
		text.WriteString(header)
		w := stdcsv.NewWriter(&text)
		_ = w.Write([]string{number, "12/2030", "123", name, reference, ""})
		w.Flush()
		r, err := newReader(&text, csv)
		if err != nil {
			t.Fatal(err)
		}
		e, err := r.next()
		if err != nil || e.fault != nil && e.fault.sentence != "Line too long" {
			t.Fatalf("%v %+v", err, e.fault)
		}
		if c := e.card; e.fault == nil && (string(c.Number.Reveal()) != number || string(c.Holder.Reveal()) != name || c.Reference != reference) {
			t.Errorf("read as %q %q %q", c.Number.Reveal(), c.Holder.Reveal(), c.Reference)
		}
	})
}
