//go:build memory

package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	endian "encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"
)

// needle is a value to look for, and what it is.
type needle struct{ kind, value string }

// part is how many characters of a needle in a row are a find. Fewer would be
// met by chance: the first six and last four digits of a number may be kept.
const part = 12

// pattern is a part of a needle in the form it may have in memory.
type pattern struct {
	needle int
	form   string
	bytes  []byte
}

// haystackKey is how many bytes of a pattern it is found by.
const haystackKey = 8

// scanner looks for every part of every needle in one pass.
type scanner struct {
	needles  []needle
	patterns map[uint64][]pattern // by their first bytes
	filter   []uint64             // bits; one that is not set rules a place out
}

const filterBits = 24

func newScanner(needles []needle) *scanner {
	s := &scanner{needles: needles, patterns: map[uint64][]pattern{}, filter: make([]uint64, 1<<filterBits/64)}
	for i, n := range needles {
		for start := 0; start+part <= len(n.value); start++ {
			for form, b := range shapes(n.value[start : start+part]) {
				s.add(pattern{i, form, b})
			}
		}
		if v, err := strconv.ParseUint(n.value, 10, 64); err == nil {
			s.add(pattern{i, "integer", endian.LittleEndian.AppendUint64(nil, v)})
			s.add(pattern{i, "integer, big endian", endian.BigEndian.AppendUint64(nil, v)})
		}
	}
	return s
}

func (s *scanner) add(p pattern) {
	key := endian.LittleEndian.Uint64(p.bytes)
	s.patterns[key] = append(s.patterns[key], p)
	bit := filterBit(key)
	s.filter[bit/64] |= 1 << (bit % 64)
}

func filterBit(key uint64) uint64 { return key * 0x9e3779b97f4a7c15 >> (64 - filterBits) }

// shapes are the forms in which text could lie in memory.
func shapes(text string) map[string][]byte {
	raw := []byte(text)
	all := map[string][]byte{
		"text":        raw,
		"hex":         []byte(hex.EncodeToString(raw)),
		"HEX":         []byte(strings.ToUpper(hex.EncodeToString(raw))),
		"reversed":    slices.Clone(raw),
		"UTF-16":      nil,
		"UTF-16, big": nil,
		"runes":       nil,
	}
	slices.Reverse(all["reversed"])
	for _, u := range utf16.Encode([]rune(text)) {
		all["UTF-16"] = endian.LittleEndian.AppendUint16(all["UTF-16"], u)
		all["UTF-16, big"] = endian.BigEndian.AppendUint16(all["UTF-16, big"], u)
	}
	for _, r := range text {
		all["runes"] = endian.LittleEndian.AppendUint32(all["runes"], uint32(r))
	}
	if strings.Trim(text, "0123456789") == "" {
		for i, d := range raw {
			all["digits as numbers"] = append(all["digits as numbers"], d-'0')
			all["grouped by spaces"] = group(all["grouped by spaces"], i, d, ' ')
			all["grouped by hyphens"] = group(all["grouped by hyphens"], i, d, '-')
		}
	}
	// Where text begins within three bytes decides how base64 writes it; what
	// it shares a character with is cut off.
	for shift := range 3 {
		e := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), raw...))
		from, to := (shift*8+5)/6, (shift+len(raw))*8/6
		all[fmt.Sprintf("base64, shifted by %d", shift)] = []byte(e[from:to])
		u := strings.NewReplacer("+", "-", "/", "_").Replace(e[from:to])
		all[fmt.Sprintf("base64url, shifted by %d", shift)] = []byte(u)
	}
	return all
}

// group appends digit d to groups of four.
func group(groups []byte, i int, d, between byte) []byte {
	if i > 0 && i%4 == 0 {
		groups = append(groups, between)
	}
	return append(groups, d)
}

// find is one copy of a needle, or of a part of it.
type find struct {
	needle
	form   string
	at     uint64
	around string
}

func (f find) String() string {
	return fmt.Sprintf("%s as %s at %x: %s", f.kind, f.form, f.at, f.around)
}

// scan reads what the process pid may write to and returns what is there.
func (s *scanner) scan(pid int) ([]find, int, error) {
	regions, err := writable(pid)
	if err != nil {
		return nil, 0, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, fmt.Errorf("the memory of another process is open to root and to CAP_SYS_PTRACE: %w", err)
	}
	defer mem.Close()
	var all []find
	total := 0
	for _, r := range regions {
		b := make([]byte, r.to-r.from)
		n, err := mem.ReadAt(b, int64(r.from))
		if err != nil && n == 0 && r.needed {
			return nil, 0, fmt.Errorf("read %x-%x: %w", r.from, r.to, err)
		}
		total += n
		all = append(all, s.search(b[:n], r.from)...)
	}
	return all, total, nil
}

// search finds in b, which lies at base. Parts that overlap are one copy.
func (s *scanner) search(b []byte, base uint64) []find {
	var all []find
	type copied struct {
		needle int
		form   string
	}
	last := map[copied]int{}
	for i := 0; i+haystackKey <= len(b); i++ {
		key := endian.LittleEndian.Uint64(b[i:])
		bit := filterBit(key)
		if s.filter[bit/64]&(1<<(bit%64)) == 0 {
			continue
		}
		for _, p := range s.patterns[key] {
			if !bytes.HasPrefix(b[i:], p.bytes) {
				continue
			}
			c := copied{p.needle, p.form}
			if end, ok := last[c]; !ok || i > end {
				all = append(all, find{s.needles[p.needle], p.form, base + uint64(i), surroundings(b, i, len(p.bytes))})
			}
			last[c] = i + len(p.bytes)
		}
	}
	return all
}

func surroundings(b []byte, at, n int) string {
	return fmt.Sprintf("%q", b[max(0, at-80):min(len(b), at+n+80)])
}

// region is what lies between two addresses.
type region struct {
	from, to uint64
	needed   bool // whether it must be readable
}

func writable(pid int) ([]region, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []region
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r region
		var rights string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &r.from, &r.to, &rights); err != nil {
			return nil, fmt.Errorf("%s: %w", lines.Text(), err)
		}
		if strings.HasPrefix(rights, "rw") {
			r.needed = !strings.Contains(lines.Text(), "[v")
			all = append(all, r)
		}
	}
	return all, lines.Err()
}

// distinct counts the needles of each kind that were found.
func distinct(all []find) map[string]int {
	kinds := map[string]int{}
	seen := map[string]bool{}
	for _, f := range all {
		if !seen[f.value] {
			kinds[f.kind]++
		}
		seen[f.value] = true
	}
	return kinds
}

// TestTheScannerFindsEveryForm plants values in this process, in every form.
func TestTheScannerFindsEveryForm(t *testing.T) {
	for _, value := range []string{"Pw1-" + "QZXJ7WVUPLK3MNBT", "4929481275301846"} {
		for form, b := range shapes(value) {
			planted := append(append([]byte("before "), b...), " after"...)
			s := newScanner([]needle{{"planted", value}})
			if !slices.ContainsFunc(s.search(planted, 0), func(f find) bool { return f.form == form || strings.HasPrefix(form, "base64") }) {
				t.Errorf("%s of %s is not found", form, value)
			}
			if found := s.search(planted[:7+part-1], 0); form == "text" && len(found) > 0 {
				t.Errorf("less than a part of %s is found: %v", value, found)
			}
		}
	}
	kept := []byte("4929481275301846 in this process")
	found, _, err := newScanner([]needle{{"planted", string(kept[:16])}}).scan(os.Getpid())
	if err != nil || len(found) == 0 {
		t.Errorf("found %d copies, %v", len(found), err)
	}
	_, _ = io.Discard.Write(kept)
}
