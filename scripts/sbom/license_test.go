package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLicencesAreRecognized(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"Apache", "  Apache License\n  Version 2.0, January 2004", []string{"Apache-2.0"}},
		{"MIT, broken differently", "Permission is hereby granted,\nfree of charge, to any\nperson obtaining", []string{"MIT"}},
		{"BSD with three clauses", "Redistribution and use in source and binary forms, with\nNeither the name of", []string{"BSD-3-Clause"}},
		{"BSD with two", "Redistribution and use in source and binary forms, with", []string{"BSD-2-Clause"}},
		{"two at once", "Permission is hereby granted, free of charge, to any person\nApache License, Version 2.0", []string{"Apache-2.0", "MIT"}},
		{"none that is known", "All rights reserved.", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"LICENSE", "license.txt"} { // the same twice is one
				if err := os.WriteFile(filepath.Join(dir, name), []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := licensesIn(dir); err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
}

func TestEveryModuleOfABinaryHasALicence(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := read(own)
	if err != nil {
		t.Fatal(err)
	}
	if err := license(b.Components); err != nil {
		t.Error(err)
	}
	for _, c := range b.Components {
		if len(c.Licenses) != 1 {
			t.Errorf("%s has %v", c.Name, c.Licenses)
		}
	}
	unknown := []component{{Name: "example.org/none", Version: "v1.0.0"}}
	if err := license(unknown); err == nil {
		t.Error("a module without a licence passes")
	}
	if got := escaped("github.com/Azure/x"); got != "github.com/!azure/x" {
		t.Errorf("got %s", got)
	}
}

func TestSeveralLicencesAreAnExpression(t *testing.T) {
	if got := choice([]string{"Apache-2.0", "MIT"}); len(got) != 1 || got[0].Expression != "Apache-2.0 AND MIT" || got[0].License != nil {
		t.Errorf("got %+v", got)
	}
	if got := choice([]string{"MIT"}); len(got) != 1 || got[0].License == nil || got[0].License.ID != "MIT" {
		t.Errorf("got %+v", got)
	}
}
