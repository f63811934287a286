package card

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func brandOf(t *testing.T, prefix string) string {
	t.Helper()
	found := Default().find([]byte(prefix))
	if len(found) == 0 {
		return ""
	}
	return Default().brands[found[0].brand].ID
}

func TestLongestPrefixNamesTheBrand(t *testing.T) {
	for prefix, want := range map[string]string{
		"40000000": "visa", "40117800": "elo", "40117999": "elo", "40118000": "visa", "40291800": "naranja",
		"49369800": "maestro", "51000000": "mastercard", "55999999": "mastercard", "50999999": "elo",
		"22209999": "", "22210000": "mastercard", "27209999": "mastercard", "27210000": "",
		"22000000": "mir", "22049999": "mir", "22050000": "",
		"34000000": "american-express", "37999999": "american-express", "35279999": "", "35280000": "jcb", "35899999": "jcb", "35900000": "",
		"30000000": "diners-club", "30599999": "diners-club", "30600000": "", "36000000": "diners-club", "38999999": "diners-club", "39000000": "diners-club",
		"18000000": "jcb", "21310000": "jcb", "30880000": "jcb", "33490000": "jcb", "33500000": "",
		"60110000": "discover", "64400000": "discover", "64300000": "maestro", "65000000": "discover",
		"62000000": "unionpay", "62183000": "maestro", "62700000": "unionpay", "81000000": "unionpay", "81719999": "unionpay", "81720000": "",
		"62778000": "elo", "62777900": "unionpay", "62778100": "unionpay", "62710000": "maestro",
		"50417400": "maestro", "50417500": "elo", "50417600": "maestro", "50669800": "maestro", "50669900": "elo", "50677800": "elo", "50677900": "maestro",
		"63629700": "elo", "63636800": "elo", "63709500": "hiper", "63737423": "hiper", "63737424": "maestro", "63743358": "hiper",
		"60628200": "hipercard", "38410000": "hipercard",
		"50822700": "rupay", "50850000": "rupay", "60374100": "rupay", "60698500": "rupay", "60850000": "rupay", "65215000": "rupay", "65314900": "rupay", "65315000": "discover", "81729000": "rupay",
		"97920000": "troy", "65005200": "troy", "65083704": "troy", "65092200": "elo", "65092300": "troy", "65083705": "discover", "65880900": "troy", "65880901": "discover",
		"50609900": "verve", "50612700": "verve", "50612800": "maestro", "50788000": "verve", "50788800": "verve",
		"50190000": "dankort", "50200000": "maestro", "58956200": "naranja", "52757200": "naranja",
		"56000000": "maestro", "63000000": "maestro", "67000000": "maestro", "60000000": "maestro", "10000000": "uatp",
		"00000000": "", "70000000": "", "80000000": "", "90000000": "",
	} {
		if got := brandOf(t, prefix); got != want {
			t.Errorf("%s belongs to %q, want %q", prefix, got, want)
		}
	}
}

//go:embed testdata/credit-card-type.txt
var reference string

// Where our table says otherwise than credit-card-type, it is because it has a
// brand or a range that one lacks.
func TestTableAgreesWithCreditCardType(t *testing.T) {
	ours := []string{"rupay", "dankort", "uatp", "jcb", "hipercard"}
	n := 0
	for l := range strings.Lines(reference) {
		if strings.HasPrefix(l, "#") {
			continue
		}
		prefix, want, _ := strings.Cut(strings.TrimSpace(l), " ")
		n++
		got := brandOf(t, prefix)
		if got != want && !slices.Contains(ours, got) {
			t.Errorf("%s belongs to %q, there to %q", prefix, got, want)
		}
	}
	if n < 800 {
		t.Errorf("only %d prefixes", n)
	}
}

func TestBrandFacts(t *testing.T) {
	facts := map[string]struct {
		name    string
		code    int
		lengths []int
		luhn    bool
		groups  []int
	}{
		"visa":             {"Visa", 3, []int{13, 16, 18, 19}, true, []int{4, 4, 4, 4, 3}},
		"mastercard":       {"Mastercard", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"american-express": {"American Express", 4, []int{15}, true, []int{4, 6, 5}},
		"discover":         {"Discover", 3, []int{16, 19}, true, []int{4, 4, 4, 4, 3}},
		"diners-club":      {"Diners Club", 3, []int{14, 16, 19}, true, []int{4, 6, 4}},
		"jcb":              {"JCB", 3, []int{16, 17, 18, 19}, true, []int{4, 4, 4, 4, 3}},
		"unionpay":         {"UnionPay", 3, []int{14, 15, 16, 17, 18, 19}, false, []int{4, 4, 4, 4, 3}},
		"maestro":          {"Maestro", 3, []int{12, 13, 14, 15, 16, 17, 18, 19}, true, []int{4, 4, 4, 4, 3}},
		"elo":              {"Elo", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"mir":              {"Mir", 3, []int{16, 17, 18, 19}, true, []int{4, 4, 4, 4, 3}},
		"hiper":            {"Hiper", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"hipercard":        {"Hipercard", 3, []int{16}, false, []int{4, 4, 4, 4}},
		"rupay":            {"RuPay", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"troy":             {"Troy", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"verve":            {"Verve", 3, []int{16, 18, 19}, true, []int{4, 4, 4, 4, 3}},
		"naranja":          {"Naranja", 3, []int{16}, false, []int{4, 4, 4, 4}},
		"dankort":          {"Dankort", 3, []int{16}, true, []int{4, 4, 4, 4}},
		"uatp":             {"UATP", 3, []int{15}, true, []int{4, 5, 6}},
	}
	seen := 0
	for i, b := range Default().Brands() {
		f, ok := facts[b.ID]
		if !ok {
			t.Errorf("%s has no facts here", b.ID)
			continue
		}
		seen++
		if b.Name != f.name || b.CodeLength != f.code || !slices.Equal(b.Groups, f.groups) {
			t.Errorf("%+v, want %+v", b, f)
		}
		for _, r := range Default().rules {
			exempt := b.ID == "maestro" && r.low == 501080
			if r.brand == i && (!slices.Equal(r.series.lengths, f.lengths) || r.series.luhn != f.luhn && !exempt) {
				t.Errorf("%s %d-%d: lengths %v, luhn %v", b.ID, r.low, r.high, r.series.lengths, r.series.luhn)
			}
		}
	}
	if seen != len(facts) {
		t.Errorf("%d brands of %d", seen, len(facts))
	}
}

func TestMaestro501080To501082NeedsNoCheckDigit(t *testing.T) {
	for _, digits := range []string{"5010800000000000", "5010820000000001"} {
		if n, err := Parse(digits); err != nil || n.Brand().ID != "maestro" {
			t.Errorf("%s: %v, %v", digits, n.Brand().ID, err)
		}
	}
	if _, err := Parse("5010830000000000"); err == nil {
		t.Error("501083 needs one")
	}
}

// Every range of the table gives valid numbers of every length it names, of its
// brand or of one that matches at least as closely.
func TestEveryRangeGivesValidNumbers(t *testing.T) {
	table := Default()
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(table.rules).Draw(t, "rule")
		length := rapid.SampledFrom(r.series.lengths).Draw(t, "length")
		prefix := fmt.Sprintf("%0*d", r.digits, rapid.Uint32Range(r.low, r.high).Draw(t, "prefix"))
		tail := rapid.SliceOfN(rapid.ByteRange('0', '9'), length-1-r.digits, length-1-r.digits).Draw(t, "tail")
		digits := withCheckDigit(append([]byte(prefix), tail...))
		n, err := table.Parse(digits)
		best := table.find(digits)[0]
		if best.brand == r.brand {
			if err != nil || n.Brand().ID != table.brands[r.brand].ID {
				t.Fatalf("%s: %s, %v", digits, n.Brand().ID, err)
			}
			return
		}
		if !r.series.fallback && (best.digits < r.digits || best.digits == r.digits && best.brand > r.brand) {
			t.Fatalf("%s goes to %s, which matches less than %s", digits, table.brands[best.brand].ID, table.brands[r.brand].ID)
		}
	})
}

func TestBrandIsNamedByNameIDOrAliasInAnyCase(t *testing.T) {
	named := map[string][]string{
		"american-express": {"American Express", "AMERICAN EXPRESS", "Amex", "amex", "AMEX", "american-express"},
		"visa":             {"Visa", "VISA", "visa"},
		"mastercard":       {"Mastercard", "MasterCard", "Master Card"},
		"diners-club":      {"Diners Club", "diners", "diners-club"},
		"unionpay":         {"UnionPay", "Union Pay", "China UnionPay"},
	}
	for id, names := range named {
		for _, b := range Default().Brands() {
			for _, name := range names {
				if b.Named(name) != (b.ID == id) {
					t.Errorf("%s is named %q: %v", b.ID, name, b.Named(name))
				}
			}
		}
	}
	for _, name := range []string{"", " ", "Vis", "Visa ", "Visa\x00", "Vısa", "American  Express"} {
		for _, b := range Default().Brands() {
			if b.Named(name) {
				t.Errorf("%s is named %q", b.ID, name)
			}
		}
	}
}

const oneBrand = `{"version":"1","brands":[{"id":"x","name":"X","code":{"name":"C","length":3},"groups":[4],"series":[{"prefixes":["9"],"lengths":[16],"luhn":true}]}]}`

func TestATableLoadedAtRunTimeReplacesTheBuiltInOne(t *testing.T) {
	table, err := LoadTable([]byte(oneBrand))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := table.Parse([]byte("9000000000000001")); err != nil || n.Brand().Name != "X" {
		t.Errorf("%v, %v", n.Brand(), err)
	}
	if _, err := table.Parse([]byte("4111111111111111")); err == nil {
		t.Error("takes a brand it does not have")
	}
	if table.Version() != "1" || Default().Version() == "1" {
		t.Error("versions are wrong")
	}
}

func TestLoadTableSaysWhatIsWrong(t *testing.T) {
	cases := map[string]struct{ old, new, want string }{
		"not JSON":                        {oneBrand, `{"version"`, "brand table"},
		"an array":                        {oneBrand, `[]`, "brand table"},
		"something behind":                {oneBrand, oneBrand + "x", "brand table"},
		"an unknown member":               {`"version":"1"`, `"version":"1","extra":1`, "extra"},
		"a member in other case":          {`"version"`, `"Version"`, "Version"},
		"a duplicate member":              {`"version":"1"`, `"version":"1","version":"2"`, "version"},
		"no version":                      {`"version":"1"`, `"version":""`, "version is missing"},
		"no brands":                       {oneBrand, `{"version":"1"}`, "no brands"},
		"no id":                           {`"id":"x"`, `"id":""`, "id and name"},
		"no name":                         {`"name":"X"`, `"name":""`, "id and name"},
		"a code of two digits":            {`"length":3`, `"length":2`, "code length"},
		"a code of five digits":           {`"length":3`, `"length":5`, "code length"},
		"no groups":                       {`"groups":[4]`, `"groups":[]`, "groups"},
		"an empty group":                  {`"groups":[4]`, `"groups":[4,0]`, "groups"},
		"no series":                       {`"series":[{"prefixes":["9"],"lengths":[16],"luhn":true}]`, `"series":[]`, "no series"},
		"no prefixes":                     {`["9"]`, `[]`, "no prefixes"},
		"an empty prefix":                 {`"9"`, `""`, "1 to 8 digits"},
		"a prefix of nine digits":         {`"9"`, `"123456789"`, "1 to 8 digits"},
		"a prefix with a sign":            {`"9"`, `"+9"`, "1 to 8 digits"},
		"a prefix of letters":             {`"9"`, `"9x"`, "1 to 8 digits"},
		"a prefix in other digits":        {`"9"`, `"٩"`, "1 to 8 digits"},
		"a range with one end":            {`"9"`, `"91-"`, "equally many"},
		"a range with unequal ends":       {`"9"`, `"9-91"`, "equally many"},
		"a range the wrong way round":     {`"9"`, `"92-91"`, "wrong way round"},
		"a range of three":                {`"9"`, `"1-2-3"`, "equally many"},
		"no lengths":                      {`"lengths":[16]`, `"lengths":[]`, "lengths"},
		"a length of eleven":              {`"lengths":[16]`, `"lengths":[11]`, "lengths"},
		"a length of twenty":              {`"lengths":[16]`, `"lengths":[16,20]`, "lengths"},
		"no word on the Luhn check":       {`,"luhn":true`, ``, "luhn"},
		"a fraction as length":            {`"lengths":[16]`, `"lengths":[16.5]`, "brand table"},
		"two brands of one name":          {`]}]}`, `]},{"id":"y","name":"x","code":{"name":"C","length":3},"groups":[4],"series":[{"prefixes":["8"],"lengths":[16],"luhn":true}]}]}`, "belongs to x"},
		"an alias that is another's name": {`]}]}`, `]},{"id":"y","name":"Y","aliases":["X"],"code":{"name":"C","length":3},"groups":[4],"series":[{"prefixes":["8"],"lengths":[16],"luhn":true}]}]}`, "belongs to x"},
		"two brands of one id":            {`]}]}`, `]},{"id":"x","name":"Y","code":{"name":"C","length":3},"groups":[4],"series":[{"prefixes":["8"],"lengths":[16],"luhn":true}]}]}`, "twice"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(oneBrand, c.old, c.new, 1)
			if text == oneBrand {
				t.Fatal("nothing was replaced")
			}
			table, err := LoadTable([]byte(text))
			if err == nil || table != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoadTableReportsAllErrorsAtOnce(t *testing.T) {
	text := strings.NewReplacer(`"length":3`, `"length":9`, `"9"`, `"x"`, `[16]`, `[1]`).Replace(oneBrand)
	_, err := LoadTable([]byte(text))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines: %v", err)
	}
}

func TestLoadTableRefusesAnOversizedFile(t *testing.T) {
	if _, err := LoadTable(bytes.Repeat([]byte(" "), maxTable+1)); err == nil {
		t.Error("accepted")
	}
}

func FuzzLoadTable(f *testing.F) {
	f.Add([]byte(oneBrand))
	f.Add(embedded)
	f.Add([]byte(strings.Replace(oneBrand, `"9"`, `"1-9","12345678"`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := LoadTable(b)
		if err != nil {
			if table != nil {
				t.Fatal("a table and an error")
			}
			return
		}
		// Whatever loads must work.
		for _, digits := range []string{"4111111111111111", "123456789012", "9999999999999999999"} {
			n, err := table.Parse([]byte(digits))
			if err == nil && (n.Brand().ID == "" || n.Brand().CodeLength < 3) {
				t.Fatalf("%s has brand %+v", digits, n.Brand())
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	table := Default()
	input := []byte("4111 1111 1111 1111")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Parse(input); err != nil {
			b.Fatal(err)
		}
	}
}
