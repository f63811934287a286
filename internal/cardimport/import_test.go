package cardimport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"ccms/client"
	"ccms/internal/cardimport"
)

const header = "card_number,expiry_date,cvv,cardholder_name,reference,metadata.shop\n"

// bank registers cards once by key, as the service does.
type bank struct {
	ids   map[string]string // by key
	sent  []int             // cards of each request
	cards []client.CardData // as they came, their secrets copied
	stop  int               // the answers before the service goes away; 0: it stays
	gone  bool              // it registers what it gets, but its answers are lost
}

func (b *bank) bulk(_ context.Context, cards []client.CardData) iter.Seq[client.BulkResult] {
	return func(yield func(client.BulkResult) bool) {
		if b.ids == nil {
			b.ids = map[string]string{}
		}
		b.sent = append(b.sent, len(cards))
		for i, c := range cards {
			r := client.BulkResult{Index: i, Settled: true}
			number := string(c.Number.Reveal())
			switch {
			case strings.HasPrefix(number, "6"):
				r.Err = &client.Error{Status: 500, Code: "SERVER_ERROR", Message: "Internal server error"}
			case !strings.HasPrefix(number, "4"):
				r.Err = &client.Error{Status: 400, Code: client.CodeInvalidCard, Message: "Invalid credit card number", Details: "The number does not pass the Luhn check."}
			default:
				if b.ids[c.IdempotencyKey] == "" {
					b.ids[c.IdempotencyKey] = fmt.Sprint("r", len(b.ids))
				}
				r.ID = b.ids[c.IdempotencyKey]
			}
			if b.gone {
				r = client.BulkResult{Index: i, Err: errors.New("connection refused")}
			}
			c.Number, c.Code, c.Holder = client.Text(number), client.Text(string(c.Code.Reveal())), client.Text(string(c.Holder.Reveal()))
			b.cards = append(b.cards, c)
			if b.stop > 0 {
				if b.stop--; b.stop == 0 {
					b.gone = true
				}
			}
			if !yield(r) {
				return
			}
		}
	}
}

// result is a line of the results.
type result struct {
	Line      int
	Outcome   string
	ID        string `json:"registration_id"`
	ErrorCode string
	Error     string
	Details   string
	Card      string
}

func readResults(t *testing.T, file string) []result {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []result
	for line := range strings.Lines(string(text)) {
		var r result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, r)
	}
	return all
}

// write makes a file of cards and the configuration of its import.
func write(t *testing.T, name, text string, b *bank) cardimport.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return cardimport.Config{File: file, Bulk: b.bulk, ClientID: "client_1", Key: client.Text("a secret")}
}

// numbered is a CSV file of so many cards.
func numbered(n int) string {
	var text strings.Builder
	text.WriteString(header)
	for i := range n {
		fmt.Fprintf(&text, "4%015d,12/2030,123,Ann Example,order-%d,\n", i, i)
	}
	return text.String()
}

func TestFilesAsPeopleMakeThem(t *testing.T) {
	const number = "4111111111111111"
	card := func(reference string, metadata map[string]string) client.CardData {
		return client.CardData{Number: client.Text(number), Code: client.Text("123"), Expiry: "12/2030", Holder: client.Text(`Ann "A" Example, Ms`), Reference: reference, Metadata: metadata}
	}
	shop := map[string]string{"shop": "1"}
	row := number + `,12/2030,123,"Ann ""A"" Example, Ms",order-7,1`
	object := `{"card_number":"` + number + `","expiry_date":"12/2030","cvv":"123","cardholder_name":"Ann \"A\" Example, Ms","reference":"order-7","metadata":{"shop":"1"}}`
	tests := []struct {
		name, file, text string
		want             []client.CardData
	}{
		{"CSV", "a.csv", header + row + "\n", []client.CardData{card("order-7", shop)}},
		{"a spreadsheet's: byte order mark, CRLF, no end", "a.csv", "\ufeff" + strings.ReplaceAll(header, "\n", "\r\n") + row, []client.CardData{card("order-7", shop)}},
		{"semicolons", "a.csv", strings.ReplaceAll(header, ",", ";") + number + `;12/2030;123;"Ann ""A"" Example, Ms";order-7;1` + "\n", []client.CardData{card("order-7", shop)}},
		{"tabs", "a.tsv", strings.ReplaceAll(header, ",", "\t") + number + "\t12/2030\t123\t\"Ann \"\"A\"\" Example, Ms\"\torder-7\t1\n", []client.CardData{card("order-7", shop)}},
		{"quotes everywhere", "a.csv", `"cvv","card_number","cardholder_name","expiry_date"` + "\n" + `"123","` + number + `","Ann ""A"" Example, Ms","12/2030"` + "\n", []client.CardData{card("", nil)}},
		{"blank lines and blanks", "a.csv", "\n" + header + "\n \n " + row + " \n\n", []client.CardData{card("order-7", shop)}},
		{"NDJSON", "a.ndjson", object + "\n" + object, []client.CardData{card("order-7", shop), card("order-7", shop)}},
		{"NDJSON from a spreadsheet", "a.jsonl", "\ufeff" + object + "\r\n\r\n", []client.CardData{card("order-7", shop)}},
		{"only a header", "a.csv", header, nil},
		{"nothing", "a.ndjson", "", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := &bank{}
			sum, err := cardimport.Run(t.Context(), write(t, tc.file, tc.text, b))
			if err != nil || sum.Lines != len(tc.want) || sum.Registered != len(tc.want) || !sum.Complete {
				t.Fatalf("%+v %v", sum, err)
			}
			for i, got := range b.cards {
				want := tc.want[i]
				if string(got.Number.Reveal()) != number || string(got.Code.Reveal()) != "123" || string(got.Holder.Reveal()) != string(want.Holder.Reveal()) ||
					got.Expiry != want.Expiry || got.Reference != want.Reference || !reflect.DeepEqual(got.Metadata, want.Metadata) {
					t.Errorf("%+v is not %+v", got, want)
				}
			}
		})
	}
}

func TestFilesThatAreNone(t *testing.T) {
	const number = "4111111111111111"
	tests := []struct{ name, file, text, want string }{
		{"no header but a card", "a.csv", number + ",12/2030,123,Ann\n", "first line must name the columns"},
		{"a column is missing", "a.csv", "card_number,expiry_date,cvv\n", "missing: cardholder_name"},
		{"a column nobody knows", "a.csv", strings.TrimSpace(header) + ",pin\n", "first line must name the columns"},
		{"a column twice", "a.csv", strings.TrimSpace(header) + ",cvv\n", "first line must name the columns"},
		{"an empty file", "a.csv", "", "first line must name the columns"},
		{"a name that says nothing", "cards.dat", header, "--format"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := &bank{}
			cfg := write(t, tc.file, tc.text, b)
			_, err := cardimport.Run(t.Context(), cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), number) || len(b.sent) > 0 {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(cfg.File + ".results.ndjson"); err == nil {
				t.Error("there are results")
			}
		})
	}
}

func TestEachLineHasItsResultAndABadOneStopsNothing(t *testing.T) {
	b := &bank{}
	cfg := write(t, "a.csv", header+
		"4111-1111-1111-1111,12/2030,123,Ann,,\n"+ // 2
		"5111111111111111,12/2030,123,Ann,,\n"+ // 3: refused by the service
		"4111111111111111,12/2030,123,Ann\n"+ // 4: too few columns
		"\n"+ // 5
		"4111111111111111,12/2030,123,\"Ann,,\n"+ // 6: a quote without its end
		"4111111111111111,12/2030,123,"+strings.Repeat("A", 70<<10)+",,\n"+ // 7: too long
		"4111111111111111x,12/2030,123,Ann,,\n"+ // 8: no number to be shown
		"6111111111111111,12/2030,123,Ann,,\n"+ // 9: the service breaks
		"4111111111111111,12/2030,123,Ann,,\n", b) // 10
	sum, err := cardimport.Run(t.Context(), cfg)
	if err != nil || sum.Lines != 8 || sum.Registered != 3 || sum.Refused != 5 || sum.Refusals() == nil {
		t.Fatalf("%+v %v", sum, err)
	}
	want := []result{
		{Line: 2, Outcome: "registered", ID: "r0", Card: "************1111"},
		{Line: 3, Outcome: "refused", ErrorCode: "INVALID_CARD", Error: "Invalid credit card number", Details: "The number does not pass the Luhn check.", Card: "************1111"},
		{Line: 4, Outcome: "refused", ErrorCode: "INVALID_LINE", Error: "Malformed line", Details: "The line has 4 columns, the header 6."},
		{Line: 6, Outcome: "refused", ErrorCode: "INVALID_LINE", Error: "Malformed line", Details: `A column that begins with " ends with one, and "" stands for one inside.`},
		{Line: 7, Outcome: "refused", ErrorCode: "INVALID_LINE", Error: "Line too long", Details: "A line has at most 64 KiB."},
		{Line: 8, Outcome: "registered", ID: "r1"},
		{Line: 9, Outcome: "failed", ErrorCode: "SERVER_ERROR", Error: "Internal server error", Card: "************1111"},
		{Line: 10, Outcome: "registered", ID: "r2", Card: "************1111"},
	}
	if got := readResults(t, sum.Results); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestLinesOfNDJSONThatAreNone(t *testing.T) {
	lines := []string{
		`{"card_number":4111111111111111,"expiry_date":"12/2030","cvv":"123","cardholder_name":"Ann"}`,
		`{"card_number":"4111111111111111","pan":"4111111111111111"}`,
		`{"card_number":"4111111111111111","card_number":"4111111111111111"}`,
		`["4111111111111111"]`, `4111111111111111`, `{"card_number":"4111111111111111"`, `{"card_number":"4111111111111111"} 1`,
	}
	b := &bank{}
	sum, err := cardimport.Run(t.Context(), write(t, "a.ndjson", strings.Join(lines, "\n"), b))
	if err != nil || sum.Refused != len(lines) || len(b.cards) > 0 {
		t.Errorf("%+v %v", sum, err)
	}
	if text, _ := os.ReadFile(sum.Results); bytes.Contains(text, []byte("41111111")) {
		t.Errorf("the results show a number: %s", text)
	}
}

// The heart of it: wherever the service goes away, the next run ends with every
// line registered once.
func TestARunGoesOnWhereTheOneBeforeStopped(t *testing.T) {
	const cards = 1203
	for _, stop := range []int{1, 2, 499, 500, 501, 777, 1000, 1203} {
		t.Run(fmt.Sprint("after ", stop), func(t *testing.T) {
			b := &bank{stop: stop}
			cfg := write(t, "a.csv", numbered(cards), b)
			sum, err := cardimport.Run(t.Context(), cfg)
			if complete := stop == cards; (err == nil) != complete || sum.Complete != complete {
				t.Fatalf("%+v %v", sum, err)
			}
			before := sum.Registered
			b.gone = false
			sum, err = cardimport.Run(t.Context(), cfg)
			if err != nil || sum.Registered != cards || sum.Before != before {
				t.Fatalf("%+v %v", sum, err)
			}
			checkOnce(t, b, sum, cards)
			sent := len(b.sent)
			if sum, err = cardimport.Run(t.Context(), cfg); err != nil || sum.Registered != cards || sum.Before != cards || len(b.sent) != sent {
				t.Errorf("a run after the last: %+v %v", sum, err)
			}
		})
	}
}

// checkOnce compares the results with what the service has.
func checkOnce(t *testing.T, b *bank, sum cardimport.Summary, cards int) {
	t.Helper()
	all, ids := readResults(t, sum.Results), map[string]bool{}
	for i, r := range all {
		if r.Line != i+2 {
			t.Fatalf("result %d is of line %d", i, r.Line)
		}
		ids[r.ID] = true
	}
	if len(all) != cards || len(ids) != cards || len(b.ids) != cards {
		t.Errorf("%d results, %d registrations of %d in the service, for %d cards", len(all), len(ids), len(b.ids), cards)
	}
}

// What a kill leaves behind: results cut off anywhere, and a batch that was sent
// and is not answered.
func TestResultsThatWereCutOff(t *testing.T) {
	b := &bank{}
	cfg := write(t, "a.csv", numbered(40), b)
	sum, err := cardimport.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(sum.Results)
	if err != nil {
		t.Fatal(err)
	}
	for cut := 0; cut < len(whole); cut += 37 {
		if err := os.WriteFile(sum.Results, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := cardimport.Run(t.Context(), cfg)
		if err != nil || sum.Registered != 40 {
			t.Fatalf("cut at %d: %+v %v", cut, sum, err)
		}
		if now, _ := os.ReadFile(sum.Results); !bytes.Equal(now, whole) {
			t.Fatalf("cut at %d the results end as\n%s", cut, now)
		}
	}
}

func TestWhatIsNotGoneOnWith(t *testing.T) {
	now := time.Date(2027, 3, 10, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		change func(cfg *cardimport.Config)
		want   string // "" goes on
	}{
		{"nothing changed", func(*cardimport.Config) {}, ""},
		{"a digit of the file changed", func(cfg *cardimport.Config) { edit(t, cfg.File, "order-9", "order-8") }, "not the one"},
		{"a line was added", func(cfg *cardimport.Config) {
			edit(t, cfg.File, "card_number,", "card_number,")
			appendTo(t, cfg.File, "\n")
		}, "not the one"},
		{"another client", func(cfg *cardimport.Config) { cfg.ClientID = "client_2" }, "begun by client client_1"},
		{"another secret", func(cfg *cardimport.Config) { cfg.Key = client.Text("other") }, "secret has changed"},
		{"22 hours later", func(cfg *cardimport.Config) { cfg.Now = func() time.Time { return now.Add(22 * time.Hour) } }, ""},
		{"a day later", func(cfg *cardimport.Config) { cfg.Now = func() time.Time { return now.Add(24 * time.Hour) } }, "lines 12 to 41 were sent on Wed, 10 Mar 2027 08:00:00 UTC"},
		{"a day later, resent", func(cfg *cardimport.Config) {
			cfg.Now, cfg.Resend = func() time.Time { return now.Add(24 * time.Hour) }, true
		}, ""},
		{"the results are gone", func(cfg *cardimport.Config) { remove(t, cfg.File+".results.ndjson") }, ""},
		{"the run file is gone", func(cfg *cardimport.Config) { remove(t, cfg.File+".results.ndjson.run") }, "is there already"},
		{"the run file is damaged", func(cfg *cardimport.Config) { edit(t, cfg.File+".results.ndjson.run", "{", "") }, "is damaged"},
		{"the run file is of a later version", func(cfg *cardimport.Config) {
			edit(t, cfg.File+".results.ndjson.run", `"version":1`, `"version":2`)
		}, "another version"},
		{"the results are damaged", func(cfg *cardimport.Config) { edit(t, cfg.File+".results.ndjson", `{"line":5,`, `{"line":1,`) }, "damaged after line 4"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := &bank{stop: 10} // all are registered, but the answers after the tenth are lost
			cfg := write(t, "a.csv", numbered(40), b)
			cfg.Now = func() time.Time { return now }
			if _, err := cardimport.Run(t.Context(), cfg); err == nil {
				t.Fatal("it did not stop")
			}
			tc.change(&cfg)
			b.gone = false
			sum, err := cardimport.Run(t.Context(), cfg)
			if tc.want == "" {
				if err != nil || len(b.ids) != 40 || len(readResults(t, sum.Results)) != 40 {
					t.Errorf("%d registrations, %v", len(b.ids), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(b.sent) != 1 {
				t.Errorf("%v", err)
			}
		})
	}
}

func edit(t *testing.T, file, old, replacement string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(replacement), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	before, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(before, text...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
}

func TestTwoImportsDoNotMeet(t *testing.T) {
	b := &bank{}
	cfg := write(t, "a.csv", numbered(3), b)
	inner := cfg
	var second error
	cfg.Bulk = func(ctx context.Context, cards []client.CardData) iter.Seq[client.BulkResult] {
		_, second = cardimport.Run(ctx, inner)
		return b.bulk(ctx, cards)
	}
	if _, err := cardimport.Run(t.Context(), cfg); err != nil || second == nil || !strings.Contains(second.Error(), "another import") {
		t.Errorf("the first: %v; the second: %v", err, second)
	}
}

// A file of few numbers must not be known by a hash that can be tried out, and
// no file but the cards' own may hold a number.
func TestNothingWrittenGivesANumberAway(t *testing.T) {
	b := &bank{}
	var progress bytes.Buffer
	cfg := write(t, "a.csv", header+"4111111111111111,12/2030,123,Ann Example,order-7,1\nx 4111111111111111,12/2030,123,Ann Example,,\n", b)
	cfg.Progress = &progress
	if _, err := cardimport.Run(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	var written strings.Builder
	written.WriteString(progress.String())
	for _, name := range []string{".results.ndjson", ".results.ndjson.run"} {
		text, err := os.ReadFile(cfg.File + name)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(cfg.File + name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s may be read by others: %v %v", name, info.Mode(), err)
		}
		written.WriteString(string(text))
	}
	for _, hidden := range []string{"41111111", "Ann", "order-7", "a secret"} {
		if strings.Contains(written.String(), hidden) {
			t.Errorf("%q stands in %s", hidden, written.String())
		}
	}
	entries, err := os.ReadDir(filepath.Dir(cfg.File))
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files: %v", len(entries), err)
	}
	other := write(t, "a.csv", "", b)
	copyFile(t, cfg.File, other.File)
	other.Key = client.Text("another secret")
	if _, err := cardimport.Run(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if one, two := runOf(t, cfg), runOf(t, other); one == two {
		t.Error("the content is known by the same without the secret")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func runOf(t *testing.T, cfg cardimport.Config) string {
	t.Helper()
	text, err := os.ReadFile(cfg.File + ".results.ndjson.run")
	if err != nil {
		t.Fatal(err)
	}
	var run struct{ Content string }
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	return run.Content
}

func TestProgressIsShownAsABarOrAsLines(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		b := &bank{}
		var out bytes.Buffer
		clock := time.Date(2027, 3, 10, 8, 0, 0, 0, time.UTC)
		cfg := write(t, "a.csv", numbered(2000), b)
		cfg.Progress, cfg.Terminal = &out, terminal
		cfg.Now = func() time.Time { clock = clock.Add(5 * time.Millisecond); return clock }
		if _, err := cardimport.Run(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if terminal && (!strings.Contains(text, "\r[===============               ]  50 %  1,0") || !strings.HasSuffix(text, "\x1b[K\n") || !strings.Contains(text, "/s  5s left")) {
			t.Errorf("the bar is %q", text)
		}
		if !terminal && (strings.ContainsAny(text, "\r\x1b") || strings.Count(text, "\n") != 2 || !strings.Contains(text, " of 2,000  ")) {
			t.Errorf("the lines are %q", text)
		}
	}
}

// Memory must not grow with the file: twenty thousand cards take what five
// hundred do.
func TestALongFileTakesNoMoreMemory(t *testing.T) {
	const cards = 20_000
	var peak uint64
	seen := 0
	bulk := func(_ context.Context, cards []client.CardData) iter.Seq[client.BulkResult] {
		return func(yield func(client.BulkResult) bool) {
			if seen++; seen%20 == 0 {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
			for i := range cards {
				if !yield(client.BulkResult{Index: i, Settled: true}) {
					return
				}
			}
		}
	}
	cfg := write(t, "a.csv", numbered(cards), &bank{})
	cfg.Bulk = bulk
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	sum, err := cardimport.Run(t.Context(), cfg)
	if err != nil || sum.Registered != cards || sum.Refused != 0 {
		t.Fatalf("%+v %v", sum, err)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}
