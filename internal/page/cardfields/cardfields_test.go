package cardfields_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"ccms/internal/page"
	"ccms/internal/page/cardfields"
)

func english(t testing.TB) *page.Language {
	t.Helper()
	set, err := page.Parse(fstest.MapFS{}, "http://localhost:5000")
	if err != nil {
		t.Fatal(err)
	}
	return set.Named("en")
}

// read posts number, expiry date and code as a person typed them and returns the
// card and what is wrong.
func read(t testing.TB, l *page.Language, typed [3]string) (c cardfields.Card, form *page.Form, wipe func()) {
	t.Helper()
	body := url.Values{"number": {typed[0]}, "expiry": {typed[1]}, "code": {typed[2]}}.Encode()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	posted, err := page.ReadPosted(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	form = l.NewForm(cardfields.Fields(l, posted.Text("expiry"))...)
	return cardfields.Read(posted, l, form), form, posted.Wipe
}

func TestACardIsReadHoweverItIsWritten(t *testing.T) {
	for name, in := range map[string][3]string{
		"as the script leaves it": {"4111 1111 1111 1111", "10 / 40", "123"},
		"plain":                   {"4111111111111111", "1040", "123"},
		"with dashes":             {"4111-1111-1111-1111", "10-40", "123"},
		"pasted with no-break":    {"\u00a04111\u00a01111\u200b1111 1111", "10/2040", "123"},
		"in Arabic digits":        {"٤١١١ ١١١١ ١١١١ ١١١١", "10/40", "١٢٣"},
		"year first":              {"4111111111111111", "2040-10", "123"},
		"six digits":              {"4111111111111111", "102040", "123"},
	} {
		t.Run(name, func(t *testing.T) {
			c, form, wipe := read(t, english(t), in)
			if wrong := form.Wrong(); len(wrong) > 0 {
				t.Fatalf("%s: %s", wrong[0].ID, wrong[0].Error)
			}
			if string(c.Number.Reveal()) != "4111111111111111" || string(c.Code.Reveal()) != "123" || c.Expiry.String() != "10/2040" {
				t.Errorf("read a card that expires %s", c.Expiry)
			}
			digits := c.Number.Reveal()
			wipe()
			if strings.Trim(string(digits), "\x00") != "" {
				t.Error("the number outlives what was posted")
			}
		})
	}
}

// TestMistakesAreToldInTheWordsOfTheScript would fail if who has no script were
// told something else, or less.
func TestMistakesAreToldInTheWordsOfTheScript(t *testing.T) {
	const visa, amex = "4111111111111111", "378282246310005"
	for name, c := range map[string]struct {
		in        [3]string
		id, wrong string
	}{
		"nothing":                              {[3]string{"", "10/40", "123"}, "number", "Enter your card number"},
		"a Visa that is too short":             {[3]string{visa[:12], "10/40", "123"}, "number", "That card number is too short for Visa"},
		"an American Express that is too long": {[3]string{amex + "5", "10/40", "1234"}, "number", "That card number is too long for American Express"},
		"a number that no brand has":           {[3]string{"0000000000000000", "10/40", "123"}, "number", "Check the card number, it does not match any card"},
		"a digit mistyped":                     {[3]string{"4111111111111112", "10/40", "123"}, "number", "Check the card number, it does not match any card"},
		"month 13":                             {[3]string{visa, "13/40", "123"}, "expiry", "The month is between 01 and 12"},
		"month 0":                              {[3]string{visa, "00/40", "123"}, "expiry", "The month is between 01 and 12"},
		"a year that is over":                  {[3]string{visa, "10/20", "123"}, "expiry", "This card has expired"},
		"too far ahead":                        {[3]string{visa, "10/2099", "123"}, "expiry", "Check the expiry date: month and year as on the card, not in the past"},
		"no date":                              {[3]string{visa, "soon", "123"}, "expiry", "Check the expiry date: month and year as on the card, not in the past"},
		"a date in Arabic digits":              {[3]string{visa, "١٠/٤٠", "123"}, "expiry", ""},
		"four digits for Visa":                 {[3]string{visa, "10/40", "1234"}, "code", "Enter the 3-digit code on the back"},
		"three for American Express":           {[3]string{amex, "10/40", "123"}, "code", "Enter the 4-digit code on the front"},
		"four, and a digit mistyped":           {[3]string{"378282246310006", "10/40", "1234"}, "code", ""},
		"four for no number yet":               {[3]string{"", "10/40", "1234"}, "code", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, form, _ := read(t, english(t), c.in)
			if got := form.Field(c.id).Error; got != c.wrong {
				t.Errorf("%q, want %q", got, c.wrong)
			}
		})
	}
}

func TestMistakesStandAtTheirFields(t *testing.T) {
	const visa, amex = "4111111111111111", "378282246310005"
	for name, c := range map[string]struct {
		in    [3]string
		wrong string
	}{
		"nothing at all":              {[3]string{"", "", ""}, "number expiry code"},
		"a digit mistyped":            {[3]string{"4111111111111112", "10/40", "123"}, "number"},
		"letters":                     {[3]string{"4111x111", "10/40", "123"}, "number"},
		"month 13":                    {[3]string{visa, "13/40", "123"}, "expiry"},
		"a year that is over":         {[3]string{visa, "10/20", "123"}, "expiry"},
		"too far ahead":               {[3]string{visa, "10/2099", "123"}, "expiry"},
		"four digits for Visa":        {[3]string{visa, "10/40", "1234"}, "code"},
		"three digits for Amex":       {[3]string{amex, "10/40", "123"}, "code"},
		"letters in the code":         {[3]string{visa, "10/40", "12x"}, "code"},
		"four digits for Amex":        {[3]string{amex, "10/40", "1234"}, ""},
		"single digit for the month":  {[3]string{visa, "1/40", "123"}, ""},
		"three digits, unknown brand": {[3]string{"", "10/40", "123"}, "number"},
	} {
		t.Run(name, func(t *testing.T) {
			_, form, _ := read(t, english(t), c.in)
			var wrong []string
			for _, f := range form.Wrong() {
				wrong = append(wrong, f.ID)
			}
			if got := strings.Join(wrong, " "); got != c.wrong {
				t.Errorf("wrong: %q, want %q", got, c.wrong)
			}
			for _, id := range []string{"number", "code"} {
				if form.Field(id).Value != "" {
					t.Errorf("%s is shown again", id)
				}
			}
		})
	}
}

// FuzzRead would find what a person can type that is taken for a card and is
// none, or that ends the service.
func FuzzRead(f *testing.F) {
	f.Add("4111 1111 1111 1111", "10 / 40", "123")
	f.Add("378282246310005", "2040-1", "١٢٣٤")
	f.Add("", "////", "\x00")
	l := english(f)
	f.Fuzz(func(t *testing.T, number, expiry, code string) {
		if strings.ToValidUTF8(number+expiry+code, "") != number+expiry+code || len(number+expiry+code) > 1000 {
			return
		}
		c, form, _ := read(t, l, [3]string{number, expiry, code})
		if len(form.Wrong()) > 0 {
			return
		}
		if n := c.Number.Len(); n < 12 || n > 19 || c.Code.Len() < 3 || c.Code.Len() > 4 || c.Expiry.Month < 1 || c.Expiry.Month > 12 {
			t.Errorf("taken: %d digits, a code of %d, expires %s", n, c.Code.Len(), c.Expiry)
		}
	})
}
