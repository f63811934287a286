// Command inventory writes the inventory of the scripts that people's browsers
// run on our pages (PCI DSS 6.4.3): which they are, what they must be byte for
// byte, and why each is there. It fails when a script has no reason, and when a
// reason has no script.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// reason is why a script is there.
type reason struct {
	Owner  string   `json:"owner"`
	Reason string   `json:"reason"`
	Pages  []string `json:"pages"`
}

// script is one line of the inventory.
type script struct {
	File      string `json:"file"`
	Integrity string `json:"integrity"` // as a page names it (W3C SRI)
	Bytes     int    `json:"bytes"`
	Gzip      int    `json:"gzip"` // bytes that travel
	reason
}

func main() {
	log.SetFlags(0)
	assets := flag.String("assets", "assets", "folder of the scripts")
	reasons := flag.String("reasons", "web/reasons.json", "file that says why each is there")
	out := flag.String("out", "inventory.json", "file to write")
	flag.Parse()
	if err := write(*assets, *reasons, *out); err != nil {
		log.Fatalf("inventory: %v", err)
	}
}

func write(assets, reasons, out string) error {
	text, err := os.ReadFile(reasons)
	if err != nil {
		return err
	}
	var why map[string]reason
	if err := json.Unmarshal(text, &why); err != nil {
		return fmt.Errorf("%s: %w", reasons, err)
	}
	files, err := filepath.Glob(filepath.Join(assets, "*.js"))
	if err != nil {
		return err
	}
	var all []script
	for _, file := range files {
		s, err := describe(file, why)
		if err != nil {
			return err
		}
		all = append(all, s)
		delete(why, s.File)
	}
	if len(why) > 0 {
		return fmt.Errorf("%s gives reasons for scripts there are not: %q", reasons, slices.Sorted(maps.Keys(why)))
	}
	b, err := json.MarshalIndent(map[string]any{"scripts": all}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

func describe(file string, why map[string]reason) (script, error) {
	name := filepath.Base(file)
	r := why[name]
	if r.Owner == "" || r.Reason == "" || len(r.Pages) == 0 {
		return script{}, fmt.Errorf("%s has no reason: say who owns it, why it is there and on which pages", name)
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return script{}, err
	}
	sum := sha512.Sum384(body)
	return script{name, "sha384-" + base64.StdEncoding.EncodeToString(sum[:]), len(body), packed(body), r}, nil
}

// packed is the length of body as it travels. Writing to memory does not fail.
func packed(body []byte) int {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Len()
}
