package main

import (
	"crypto/sha256"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

func TestADocumentNamesEveryModuleInTheBinary(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8-X:runtimesecret",
		Main:      debug.Module{Path: "ccms", Version: "v1.2.3+dirty"},
		Deps: []*debug.Module{
			{Path: "example.org/kept", Version: "v1.0.0", Sum: "h1:abc="},
			{Path: "example.org/replaced", Version: "v1.0.0", Replace: &debug.Module{Path: "example.org/fork", Version: "v2.0.0"}},
		},
		Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "GOEXPERIMENT", Value: "runtimesecret"}, {Key: "-tags", Value: "x"}},
	}
	b := describe(info, sha256.Sum256([]byte("binary")))
	b.Components = append(b.Components, embedded("pkg:npm/swagger-ui-dist@5.0.0#Apache-2.0"))
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"bomFormat":"CycloneDX","specVersion":"1.6"`, `"timestamp":"2026-01-02T03:04:05Z"`,
		`"purl":"pkg:golang/ccms@v1.2.3%2Bdirty"`, `"purl":"pkg:golang/stdlib@1.26.8"`, `"value":"go1.26.8-X:runtimesecret"`, `"value":"h1:abc="`,
		`"purl":"pkg:golang/example.org/fork@v2.0.0"`, `"name":"go:build:GOEXPERIMENT","value":"runtimesecret"`,
		`"name":"swagger-ui-dist","version":"5.0.0"`, `"licenses":[{"license":{"id":"Apache-2.0"}}],"purl":"pkg:npm/swagger-ui-dist@5.0.0"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	for _, other := range []string{"example.org/replaced", "-tags"} {
		if strings.Contains(string(text), other) {
			t.Errorf("there is %s in %s", other, text)
		}
	}
	if !regexp.MustCompile(`"serialNumber":"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`).Match(text) {
		t.Errorf("no serial number in %s", text)
	}
}

func TestABinaryIsRead(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := read(own)
	if err != nil || len(b.Metadata.Component.Hashes) != 1 || len(b.Components) == 0 {
		t.Errorf("got %+v, %v", b, err)
	}
	if _, err := read("main.go"); err == nil {
		t.Error("a text was taken for a binary")
	}
}
