package house

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	linkPattern    = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)
	headingPattern = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*#*$`)
	fencePattern   = regexp.MustCompile("(?ms)^```.*?^```")
	notInAnchor    = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// pages gives every Markdown file of the repository.
func pages(fsys fs.FS) (map[string]string, error) {
	all := map[string]string{}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skipped, d.Name())) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		b, err := fs.ReadFile(fsys, name)
		all[name] = fencePattern.ReplaceAllString(string(b), "")
		return err
	})
	return all, err
}

// deadLinks lists relative links that lead nowhere, PAGE: LINK.
func deadLinks(fsys fs.FS) ([]string, error) {
	all, err := pages(fsys)
	if err != nil {
		return nil, err
	}
	var dead []string
	for page, text := range all {
		for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, ":") { // another site
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := fs.Stat(fsys, file); err != nil {
				dead = append(dead, page+": "+m[1])
			} else if other, isPage := all[file]; isPage && anchor != "" && !slices.Contains(anchors(other), anchor) {
				dead = append(dead, page+": "+m[1])
			}
		}
	}
	slices.Sort(dead)
	return dead, nil
}

// anchors are the names GitHub gives to headings.
func anchors(text string) []string {
	var all []string
	for _, m := range headingPattern.FindAllStringSubmatch(text, -1) {
		plain := notInAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := fs.ReadFile(root(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	dead, err := deadLinks(root())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dead {
		t.Errorf("a link leads nowhere: %s", d)
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	dead, err := deadLinks(fstest.MapFS{
		"README.md": {Data: []byte("# A `b`: c\n[ok](docs/x.md) [ok](docs) [ok](#a-b-c) [ok](docs/x.md#x) [out](https://example.com/#y)\n" +
			"[no](docs/y.md) [no](#d) [no](docs/x.md#y)\n```\n[code](nowhere.md)\n```\n")},
		"docs/x.md": {Data: []byte("# X\n[up](../README.md \"title\") [no](README.md)")},
	})
	want := []string{"README.md: #d", "README.md: docs/x.md#y", "README.md: docs/y.md", "docs/x.md: README.md"}
	if err != nil || !slices.Equal(dead, want) {
		t.Errorf("found %q, %v, want %q", dead, err, want)
	}
}
