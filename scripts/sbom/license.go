package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// stdlib is the standard library among the components.
const stdlib = "stdlib"

// licenseChoice is CycloneDX's: an SPDX id or an expression of them.
type licenseChoice struct {
	License    *spdx  `json:"license,omitzero"`
	Expression string `json:"expression,omitzero"`
}

type spdx struct {
	ID string `json:"id"`
}

// choice is the licences under which something comes, all of them at once.
func choice(ids []string) []licenseChoice {
	switch {
	case len(ids) == 0 || ids[0] == "":
		return nil
	case len(ids) == 1:
		return []licenseChoice{{License: &spdx{ids[0]}}}
	}
	return []licenseChoice{{Expression: strings.Join(ids, " AND ")}}
}

// license finds the licences of modules where go keeps their sources. One that
// is not known is an error: somebody has to read it before it is released.
func license(all []component) error {
	out, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	cache, root, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	for i, c := range all {
		folder := filepath.Join(cache, escaped(c.Name)+"@"+escaped(c.Version))
		if c.Name == stdlib {
			folder = root
		}
		ids, err := licensesIn(folder)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		if all[i].Licenses = choice(ids); len(ids) == 0 {
			return fmt.Errorf("%s: its licence is none of those that are known: read it, and see to known", c.Name)
		}
	}
	return nil
}

// licensesIn are those of all files that look like one.
func licensesIn(folder string) ([]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range files {
		name := strings.ToUpper(f.Name())
		if f.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return nil, err
		}
		ids = append(ids, licensesOf(string(text))...)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// known are sentences by which a licence is recognized, without line breaks.
func known() map[string]string {
	return map[string]string{
		"Apache License Version 2.0":                                     "Apache-2.0",
		"Apache License, Version 2.0":                                    "Apache-2.0",
		"Mozilla Public License Version 2.0":                             "MPL-2.0",
		"Mozilla Public License, version 2.0":                            "MPL-2.0",
		"Permission is hereby granted, free of charge, to any person":    "MIT",
		"Permission to use, copy, modify, and/or distribute this softwa": "ISC",
		"Permission to use, copy, modify, and distribute this software ": "ISC",
	}
}

func licensesOf(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	var ids []string
	for sentence, id := range known() {
		if strings.Contains(text, sentence) {
			ids = append(ids, id)
		}
	}
	if strings.Contains(text, "Redistribution and use in source and binary forms") {
		id := "BSD-2-Clause"
		if strings.Contains(text, "Neither the name") {
			id = "BSD-3-Clause"
		}
		ids = append(ids, id)
	}
	return ids
}

// escaped is a path or version as the module cache has it: file systems may not
// tell cases apart.
func escaped(path string) string {
	var b strings.Builder
	for _, r := range path {
		if unicode.IsUpper(r) {
			b.WriteByte('!')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
