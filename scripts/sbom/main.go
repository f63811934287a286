// Command sbom prints what a Go binary is made of, as a CycloneDX 1.6 document
// (https://cyclonedx.org/docs/1.6/json/): sbom BINARY [PURL…]. It reads what the
// linker wrote into the binary, so it tells of what is in it and not of what a
// go.mod allows; package URLs of what is embedded and is not Go are given, each
// with its licence after a #. Licences of modules are read in the module cache.
// The same binary gives the same document.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sbom: ")
	if len(os.Args) < 2 {
		log.Fatal("name a binary")
	}
	b, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if err := license(b.Components); err != nil {
		log.Fatal(err)
	}
	for _, purl := range os.Args[2:] {
		b.Components = append(b.Components, embedded(purl))
	}
	b.Dependencies = []dependency{{b.Metadata.Component.Ref, refs(b.Components)}}
	if err := json.MarshalWrite(os.Stdout, b, jsontext.WithIndent("  ")); err != nil {
		log.Fatal(err)
	}
	fmt.Println()
}

// bom is the document; the fields are CycloneDX's.
type bom struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies,omitzero"`
	Compositions []coverage   `json:"compositions"`
}

// dependency says what is in a component. A binary does not tell which module
// asked for which other one.
type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

type metadata struct {
	Timestamp  string     `json:"timestamp,omitzero"` // of the commit
	Lifecycles []phase    `json:"lifecycles"`
	Component  component  `json:"component"`
	Properties []property `json:"properties"`
}

type phase struct {
	Phase string `json:"phase"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Scope   string `json:"scope,omitzero"`
	Hashes  []hash `json:"hashes,omitzero"`
	// Licenses is one, of one licence or an expression of several.
	Licenses []licenseChoice `json:"licenses,omitzero"`
	PURL     string          `json:"purl"`
	// Properties tell the sum by which go.sum knows a module.
	Properties []property `json:"properties,omitzero"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// coverage says that nothing is left out.
type coverage struct {
	Aggregate  string   `json:"aggregate"`
	Assemblies []string `json:"assemblies"`
}

// settings are what the build was told that shapes what comes out.
var settings = []string{"-buildmode", "-compiler", "-ldflags", "-trimpath", "CGO_ENABLED", "GOARCH", "GOOS", "GOEXPERIMENT", "vcs.revision", "vcs.time", "vcs.modified"}

// read describes the binary at path.
func read(path string) (bom, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return bom{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return bom{}, err
	}
	return describe(info, sha256.Sum256(content)), nil
}

func describe(info *debug.BuildInfo, digest [sha256.Size]byte) bom {
	root := library(&info.Main)
	root.Type, root.Scope = "application", ""
	root.Hashes = []hash{{"SHA-256", hex.EncodeToString(digest[:])}}
	b := bom{
		Format:       "CycloneDX",
		Spec:         "1.6",
		Serial:       "urn:uuid:" + uuid(digest),
		Version:      1,
		Metadata:     metadata{Lifecycles: []phase{{"post-build"}}, Component: root},
		Compositions: []coverage{{"complete", []string{root.Ref}}},
	}
	for _, name := range settings {
		for _, s := range info.Settings {
			if s.Key != name {
				continue
			}
			b.Metadata.Properties = append(b.Metadata.Properties, property{"go:build:" + name, s.Value})
			if name == "vcs.time" {
				b.Metadata.Timestamp = s.Value
			}
		}
	}
	b.Components = append(b.Components, standard(info.GoVersion))
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, library(m))
	}
	return b
}

// library describes a module. Its package URL is as the purl specification's
// golang type has it.
func library(m *debug.Module) component {
	purl := "pkg:golang/" + m.Path
	if m.Version != "" {
		purl += "@" + strings.ReplaceAll(m.Version, "+", "%2B")
	}
	c := component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, Scope: "required", PURL: purl}
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

// standard describes the standard library by the name under which lists of
// vulnerabilities have it. They know releases, so that what a release was built
// with beside (go1.26.8-X:runtimesecret) is no part of its version.
func standard(goVersion string) component {
	release := strings.TrimPrefix(goVersion, "go")
	if end := strings.IndexAny(release, "- "); end >= 0 {
		release = release[:end]
	}
	c := library(&debug.Module{Path: stdlib, Version: release})
	c.Properties = []property{{"go:version", goVersion}}
	return c
}

func refs(all []component) []string {
	var out []string
	for _, c := range all {
		out = append(out, c.Ref)
	}
	return out
}

// embedded describes what another package manager would install as purl,
// pkg:TYPE/NAME@VERSION#LICENCE.
func embedded(purl string) component {
	purl, spdx, _ := strings.Cut(purl, "#")
	at := max(strings.LastIndexByte(purl, '@'), 0)
	return component{
		Type: "library", Ref: purl, Name: purl[strings.LastIndexByte(purl[:at], '/')+1 : at], Version: purl[at+1:],
		Scope: "required", PURL: purl, Licenses: choice([]string{spdx}),
	}
}

// uuid is one of version 8 (RFC 9562, section 5.8): the serial number follows
// from the binary.
func uuid(digest [sha256.Size]byte) string {
	b := digest[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
