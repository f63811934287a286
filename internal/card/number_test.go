package card

import (
	"bytes"
	"encoding/gob"
	stdjson "encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// testNumbers are the numbers that brands and payment providers publish for
// tests, with the brand they stand for.
var testNumbers = map[string][]string{
	"visa": {
		"4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "4444333322221111",
		"4111141011111111116", "4035501428146300", "4360000001000005", "4166676667666746", "4212345678910006",
		"4539097887163333", "4711358892785746", "4000000000000002", "4000000000009995", "4000000000009987",
		"4000000000009979", "4000020000000000", "4264281511112228",
	},
	"mastercard": {
		"5555555555554444", "5105105105105100", "2223000048400011", "2720990000000015", "2720394612465072",
		"5200828282828210", "5123450000000008", "5204247750001471",
	},
	"american-express": {"378282246310005", "371449635398431", "370000000000002", "371881634498004", "340000000004001"},
	"discover":         {"6011111111111117", "6011000991300009", "6011000990139424", "6445644564456445", "6011168802268945"},
	"diners-club":      {"30569309025904", "38520000023237", "36259600000004", "36227206271667", "38000000000006"},
	"jcb":              {"3530111333300000", "3566002020360505"},
	"unionpay": {
		"6243030000000001", "6221261111117766", "6223164991230014", "6200000000000005", "8171999927660000",
		"8171999900000000021",
	},
	"maestro":   {"6304000000000000", "5000550000000029", "6771830999991239343", "6703444444444449", "5078601870000127985"},
	"elo":       {"6362970000457013", "5067268650517446"},
	"hipercard": {"6062825624254001"},
	"uatp":      {"122000000000003"},
	"dankort":   {"5019555544445555"},
	"mir":       {"2200000000000004"},
}

func TestParseKnowsThePublishedTestNumbers(t *testing.T) {
	for brand, numbers := range testNumbers {
		for _, digits := range numbers {
			t.Run(brand+" "+digits, func(t *testing.T) {
				n, err := Parse(digits)
				if err != nil {
					t.Fatal(err)
				}
				if n.Brand().ID != brand {
					t.Errorf("brand is %s", n.Brand().ID)
				}
				if string(n.Digits()) != digits || n.BIN() != digits[:6] || n.Last4() != digits[len(digits)-4:] {
					t.Errorf("digits %s, BIN %s, last four %s", n.Digits(), n.BIN(), n.Last4())
				}
				if !Luhn([]byte(digits)) {
					t.Error("fails the Luhn check")
				}
			})
		}
	}
}

func TestParseTakesSpacesAndHyphensBetweenDigitsAndNothingElse(t *testing.T) {
	const plain = "4111111111111111"
	accepted := []string{
		plain, "4111 1111 1111 1111", "4111-1111-1111-1111", "4 1-1 1111111111111", "4111  1111--1111 - 1111",
	}
	for _, input := range accepted {
		n, err := Parse(input)
		if err != nil || string(n.Digits()) != plain {
			t.Errorf("Parse(%q) = %s, %v", input, n.Digits(), err)
		}
	}
	refused := map[string]string{
		"empty":                       "",
		"only separators":             "- -",
		"a space before":              " " + plain,
		"a space behind":              plain + " ",
		"a hyphen before":             "-" + plain,
		"a hyphen behind":             plain + "-",
		"a tab between":               "41111111\t11111111",
		"a line break behind":         plain + "\n",
		"a NUL":                       "41111111\x0011111111",
		"a dot":                       "4111.1111.1111.1111",
		"a no-break space":            "4111\u00a0111111111111",
		"a non-breaking hyphen":       "4111\u2011111111111111",
		"an en dash":                  "4111–111111111111",
		"a plus":                      "+" + plain,
		"a letter":                    "411111111111111l",
		"Arabic-Indic digits":         strings.Map(func(r rune) rune { return r - '0' + '٠' }, plain),
		"full-width digits":           strings.Map(func(r rune) rune { return r - '0' + '０' }, plain),
		"one full-width digit":        "411111111111111１",
		"invalid UTF-8":               "411111111111111\xb1",
		"an exponent":                 "4.111111111111111e15",
		"hexadecimal":                 "0x4111111111111111",
		"eleven digits":               "67034444444",
		"twenty digits":               "67718309999912393430",
		"a number and another":        plain + plain,
		"the sample of the seed":      "1234567812345678",
		"a wrong check digit":         "4111111111111112",
		"a check digit for 3-D tests": "4200000000000003",
		"Amex with sixteen digits":    "3782822463100050",
		"Visa with fifteen digits":    "411111111111116",
		"Elo with nineteen digits":    "5041750000000000005",
		"no brand: 0":                 "0000000000000000",
		"no brand: 9":                 "9000000000000001",
		"no brand: 7":                 "7000000000000003",
	}
	for name, input := range refused {
		t.Run(name, func(t *testing.T) {
			n, err := Parse(input)
			if !errors.Is(err, ErrNumber) || n.Digits() != nil {
				t.Errorf("Parse(%q) = %v, %v", input, n.n, err)
			}
			if digits := strings.Trim(input, " -"); err != nil && len(digits) >= minDigits && strings.Contains(fmt.Sprintf("%+v", err), digits) {
				t.Error("the error shows the number")
			}
		})
	}
}

func TestLuhnKnownAnswers(t *testing.T) {
	for digits, want := range map[string]bool{
		"79927398713": true, "79927398710": false, "0": true, "18": true, "81": false,
		"1234567812345670": true, "1234567812345678": false,
	} {
		if Luhn([]byte(digits)) != want {
			t.Errorf("Luhn(%s) is %v", digits, !want)
		}
	}
}

// The Luhn check finds every wrong digit, and every swap of neighbours but 09
// and 90.
func TestLuhnFindsTypingErrors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := withCheckDigit(rapid.SliceOfN(rapid.ByteRange('0', '9'), minDigits-1, maxDigits-1).Draw(t, "digits"))
		if !Luhn(digits) {
			t.Fatalf("%s fails with its check digit", digits)
		}
		i := rapid.IntRange(0, len(digits)-2).Draw(t, "place")
		typo := bytes.Clone(digits)
		typo[i] = '0' + (typo[i]-'0'+byte(rapid.IntRange(1, 9).Draw(t, "by")))%10
		if Luhn(typo) {
			t.Fatalf("%s and %s both pass", digits, typo)
		}
		swapped := bytes.Clone(digits)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		pair := string(digits[i : i+2])
		blind := pair[0] == pair[1] || pair == "09" || pair == "90"
		if Luhn(swapped) != blind {
			t.Fatalf("%s with %s swapped: passes is %v", digits, pair, !blind)
		}
	})
}

// withCheckDigit appends the digit that makes the Luhn check hold.
func withCheckDigit(digits []byte) []byte {
	digits = append(bytes.Clone(digits), '0')
	for c := byte('0'); c <= '9'; c++ {
		digits[len(digits)-1] = c
		if Luhn(digits) {
			break
		}
	}
	return digits
}

func TestUnionPayNeedsNoCheckDigit(t *testing.T) {
	for last := byte('0'); last <= '9'; last++ {
		if _, err := Parse("620000000000000" + string(last)); err != nil {
			t.Errorf("with check digit %c: %v", last, err)
		}
	}
}

func TestCoBadgedNumberNamesAllItsBrands(t *testing.T) {
	for digits, want := range map[string]string{
		"4111111111111111": "visa",
		"6521500000000007": "rupay discover",
		"6500520000000008": "troy discover",
		"6500310000000004": "elo discover",
		"6011111111111117": "discover",
		"5019555544445555": "dankort maestro",
		"5041750000000008": "elo",
		"4011780000000003": "elo visa",
	} {
		digits := string(withCheckDigit([]byte(digits[:len(digits)-1])))
		n, err := Parse(digits)
		if err != nil {
			t.Errorf("%s: %v", digits, err)
			continue
		}
		var got []string
		for _, b := range n.Brands() {
			got = append(got, b.ID)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s belongs to %s, want %s", digits, s, want)
		}
	}
}

func TestNumberShowsMaskedEverywhere(t *testing.T) {
	const digits, masked = "4111111111111111", "************1111"
	n, err := Parse(digits)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Card   Number
		hidden Number
		Ptr    *Number
		Map    map[string]Number
	}
	h := holder{n, n, &n, map[string]Number{"k": n}}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%20s", "%.3s"} {
		shown["number "+verb] = fmt.Sprintf(verb, n)
		shown["pointer "+verb] = fmt.Sprintf(verb, &n)
		shown["struct "+verb] = fmt.Sprintf(verb, h)
		shown["slice "+verb] = fmt.Sprintf(verb, []any{n, h})
		shown["error "+verb] = fmt.Errorf("failed: "+verb, n).Error()
	}
	encode := map[string]func(any) ([]byte, error){
		"json": stdjson.Marshal, "json v2": func(v any) ([]byte, error) { return json.Marshal(v) }, "yaml": yaml.Marshal,
		"xml":  func(v any) ([]byte, error) { return xml.Marshal(v) },
		"bson": func(v any) ([]byte, error) { return bson.Marshal(v) },
		"gob": func(v any) ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(v)
			return b.Bytes(), err
		},
		"text log": func(v any) ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
			return b.Bytes(), nil
		},
		"json log": func(v any) ([]byte, error) {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
			return b.Bytes(), nil
		},
	}
	for name, f := range encode {
		for what, v := range map[string]any{"number": n, "holder": struct{ C Number }{n}, "map": map[string]Number{"k": n}} {
			b, err := f(v)
			shown[name+" of "+what] = string(b) + fmt.Sprint(err)
		}
	}
	for how, s := range shown {
		for _, leak := range []string{digits, digits[:8], fmt.Sprintf("%x", digits[:6]), "52 49 49 49", "411111"} {
			if strings.Contains(s, leak) {
				t.Errorf("%s shows %s", how, s)
			}
		}
	}
	if s := fmt.Sprint(n); s != masked {
		t.Errorf("shows as %s", s)
	}
	if b, err := json.Marshal(n); err != nil || string(b) != `"`+masked+`"` {
		t.Errorf("JSON is %s, %v", b, err)
	}
	if _, err := n.MarshalBinary(); err == nil {
		t.Error("encodes as binary")
	}
}

func TestMaskHidesAllButTheLastFour(t *testing.T) {
	for digits, want := range map[string]string{
		"378282246310005":     "***********0005",
		"30569309025904":      "**********5904",
		"6771830999991239343": "***************9343",
	} {
		if n, err := Parse(digits); err != nil || n.Masked() != want {
			t.Errorf("%s shows as %s, %v", digits, n, err)
		}
	}
}

func TestWipeOverwritesTheDigitsOfEveryCopy(t *testing.T) {
	n, err := Parse("4111111111111111")
	if err != nil {
		t.Fatal(err)
	}
	digits, c := n.Digits(), n
	n.Wipe()
	if strings.Trim(string(digits), "\x00") != "" || c.Digits() != nil || c.Masked() != "" || c.BIN() != "" {
		t.Errorf("left: %q, copy %q", digits, c.Digits())
	}
	if c.Brand().ID != "visa" {
		t.Error("the brand is gone")
	}
	n.Wipe()
	Number{}.Wipe()
}

func TestZeroNumberIsEmpty(t *testing.T) {
	var n Number
	if n.Digits() != nil || n.Brand().ID != "" || n.Brands() != nil || n.Masked() != "" || n.Last4() != "" {
		t.Errorf("zero number has content: %v", n)
	}
}

func TestParseKeepsNoReferenceToItsInput(t *testing.T) {
	input := []byte("4111111111111111")
	n, err := Default().Parse(input)
	if err != nil {
		t.Fatal(err)
	}
	clear(input)
	if string(n.Digits()) != "4111111111111111" {
		t.Errorf("digits are now %q", n.Digits())
	}
}

func FuzzParse(f *testing.F) {
	for _, numbers := range testNumbers {
		for _, n := range numbers {
			f.Add(n)
			f.Add(n[:4] + " " + n[4:8] + "-" + n[8:])
		}
	}
	f.Add("1234567812345678")
	f.Add("٤١١١١١١١١١١١١١١١")
	f.Fuzz(func(t *testing.T, input string) {
		n, err := Parse(input)
		if err != nil {
			if !errors.Is(err, ErrNumber) || n.Digits() != nil {
				t.Fatalf("refused with %v and %q", err, n.Digits())
			}
			return
		}
		digits := strings.NewReplacer(" ", "", "-", "").Replace(input)
		if string(n.Digits()) != digits || len(digits) < minDigits || len(digits) > maxDigits {
			t.Fatalf("%q gives %q", input, n.Digits())
		}
		if strings.Contains(MaskRuns(input), digits[:len(digits)-4]) {
			t.Fatalf("%q is a number and is not masked", input)
		}
	})
}

func TestANumberThatIsNoneSaysWhatItIsMissing(t *testing.T) {
	for number, want := range map[string]struct {
		brand  string
		misfit int
	}{
		"411111111111": {"Visa", -1}, "4111111111111111": {"Visa", 0}, "4111111111111112": {"Visa", 0}, "41111111111111111111": {"Visa", 1},
		"37828224631000": {"American Express", -1}, "3782822463100055": {"American Express", 1}, "401178": {"Elo", -1},
	} {
		b, misfit, ok := Default().Claim([]byte(number))
		if !ok || b.Name != want.brand || misfit != want.misfit {
			t.Errorf("%s: %s, %d, %t", number, b.Name, misfit, ok)
		}
	}
	for _, number := range []string{"", "0000000000000000", "4111 1111", "411111111111111x"} {
		if b, _, ok := Default().Claim([]byte(number)); ok {
			t.Errorf("%q is taken for a %s", number, b.Name)
		}
	}
}
