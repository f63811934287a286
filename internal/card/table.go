package card

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
)

// Bounds of a card number and of the prefixes that name its brand
// (ISO/IEC 7812-1; 12 is the shortest Maestro).
const (
	minDigits = 12
	maxDigits = 19
	maxPrefix = 8
	// maxTable is the largest table LoadTable reads, in bytes.
	maxTable = 1 << 20
)

//go:embed brands.json
var embedded []byte

// embeddedTable is compiled on first use. A table that does not load fails the
// first test and the first start, never a single request.
var embeddedTable = sync.OnceValue(func() *Table {
	t, err := LoadTable(embedded)
	if err != nil {
		panic(err)
	}
	return t
})

// Default returns the table built into the program.
func Default() *Table { return embeddedTable() }

// Table says which numbers belong to which brand. It is immutable and safe for
// concurrent use; to change it at run time, load another.
type Table struct {
	version string
	brands  []Brand
	rules   []rule
}

// Version is the table's date, as its file gives it.
func (t *Table) Version() string { return t.version }

// Brands returns all brands, the most specific first.
func (t *Table) Brands() []Brand { return slices.Clone(t.brands) }

// rule is one range of prefixes of one brand.
type rule struct {
	low, high uint32
	digits    int // of low and high
	brand     int // index in Table.brands; lower is more specific
	series    *series
}

// series is what holds for some ranges of a brand.
type series struct {
	lengths  []int
	luhn     bool
	fallback bool // matches only numbers that no other brand claims
}

// find returns the rules that claim digits, the brand's own first: the longest
// prefix wins, then the more specific brand. (504175 is Elo, though it lies
// within Maestro's: credit-card-type had that wrong once, in its issue 107.)
// Each brand appears once.
func (t *Table) find(digits []byte) []rule {
	var prefix [maxPrefix + 1]uint32
	for i := range min(len(digits), maxPrefix) {
		prefix[i+1] = prefix[i]*10 + uint32(digits[i]-'0')
	}
	var found []rule
	for _, r := range t.rules {
		p := prefix[r.digits]
		if r.low <= p && p <= r.high && !hasBrand(found, r.brand) && (!r.series.fallback || len(found) == 0) {
			found = append(found, r)
		}
	}
	return found
}

func hasBrand(rules []rule, brand int) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return r.brand == brand })
}

// The file's shape.
type (
	tableFile struct {
		Version string      `json:"version"`
		Source  string      `json:"source"`
		Brands  []brandFile `json:"brands"`
	}
	brandFile struct {
		ID      string       `json:"id"`
		Name    string       `json:"name"`
		Note    string       `json:"note"`
		Aliases []string     `json:"aliases"`
		Code    codeFile     `json:"code"`
		Groups  []int        `json:"groups"`
		Series  []seriesFile `json:"series"`
	}
	codeFile struct {
		Name   string `json:"name"`
		Length int    `json:"length"`
	}
	seriesFile struct {
		Prefixes []string `json:"prefixes"`
		Lengths  []int    `json:"lengths"`
		Luhn     *bool    `json:"luhn"`
		Fallback bool     `json:"fallback"`
	}
)

// LoadTable reads a brand table: a JSON object like the built-in brands.json.
// Brands stand from the most specific to the most general, which settles ties
// between prefixes of equal length; within a brand the earlier series wins. A
// prefix is "4" or a range "2221-2720" with ends of equal length, 1 to 8
// digits. Unknown and duplicate members are refused; all errors of the content
// are reported together.
func LoadTable(b []byte) (*Table, error) {
	if len(b) > maxTable {
		return nil, fmt.Errorf("brand table: larger than %d bytes", maxTable)
	}
	var f tableFile
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("brand table: %w", err)
	}
	l := loader{table: &Table{version: f.Version}, names: map[string]string{}}
	if f.Version == "" {
		l.fail("version is missing")
	}
	if len(f.Brands) == 0 {
		l.fail("no brands")
	}
	for _, b := range f.Brands {
		l.brand(b)
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	slices.SortStableFunc(l.table.rules, closer)
	return l.table, nil
}

// closer orders longer prefixes first, and fallbacks behind all others.
func closer(a, b rule) int {
	switch {
	case a.series.fallback == b.series.fallback:
		return b.digits - a.digits
	case a.series.fallback:
		return 1
	}
	return -1
}

// loader turns a file into a table and collects what is wrong with it.
type loader struct {
	table *Table
	names map[string]string // lower-case name or alias to brand id
	errs  []error
}

func (l *loader) fail(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("brand table: "+format, args...))
}

func (l *loader) brand(f brandFile) {
	index := len(l.table.brands)
	if f.ID == "" || f.Name == "" {
		l.fail("brand %d: id and name are needed", index+1)
	}
	if slices.ContainsFunc(l.table.brands, func(b Brand) bool { return b.ID == f.ID }) {
		l.fail("%s: stands in the table twice", f.ID)
	}
	if f.Code.Length < 3 || f.Code.Length > 4 {
		l.fail("%s: code length %d is not 3 or 4", f.ID, f.Code.Length)
	}
	if len(f.Groups) == 0 || slices.Min(f.Groups) < 1 {
		l.fail("%s: groups must be positive", f.ID)
	}
	if len(f.Series) == 0 {
		l.fail("%s: no series", f.ID)
	}
	l.claim(f)
	for _, s := range f.Series {
		l.series(f.ID, index, s)
	}
	l.table.brands = append(l.table.brands, Brand{
		ID: f.ID, Name: f.Name, Aliases: f.Aliases,
		CodeName: f.Code.Name, CodeLength: f.Code.Length, Groups: f.Groups,
	})
}

// claim keeps two brands from answering to one name.
func (l *loader) claim(f brandFile) {
	for _, name := range append([]string{f.ID, f.Name}, f.Aliases...) {
		key := strings.ToLower(name)
		if other, taken := l.names[key]; taken && other != f.ID {
			l.fail("%s: the name %q belongs to %s", f.ID, name, other)
		}
		l.names[key] = f.ID
	}
}

func (l *loader) series(id string, brand int, f seriesFile) {
	if f.Luhn == nil {
		l.fail("%s: a series must say whether luhn holds", id)
		return
	}
	if len(f.Prefixes) == 0 {
		l.fail("%s: a series has no prefixes", id)
	}
	if len(f.Lengths) == 0 || slices.Min(f.Lengths) < minDigits || slices.Max(f.Lengths) > maxDigits {
		l.fail("%s: lengths must lie between %d and %d", id, minDigits, maxDigits)
	}
	s := &series{lengths: f.Lengths, luhn: *f.Luhn, fallback: f.Fallback}
	for _, p := range f.Prefixes {
		r, err := parseRange(p)
		if err != nil {
			l.fail("%s: prefix %q: %w", id, p, err)
			continue
		}
		r.brand, r.series = brand, s
		l.table.rules = append(l.table.rules, r)
	}
}

func parseRange(p string) (rule, error) {
	first, last, ranged := strings.Cut(p, "-")
	if !ranged {
		last = first
	}
	if len(first) != len(last) {
		return rule{}, errors.New("both ends must have equally many digits")
	}
	low, err := parsePrefix(first)
	if err != nil {
		return rule{}, err
	}
	high, err := parsePrefix(last)
	if err != nil {
		return rule{}, err
	}
	if low > high {
		return rule{}, errors.New("the ends are the wrong way round")
	}
	return rule{low: low, high: high, digits: len(first)}, nil
}

func parsePrefix(s string) (uint32, error) {
	if len(s) == 0 || len(s) > maxPrefix || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("want 1 to %d digits", maxPrefix)
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
