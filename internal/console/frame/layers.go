package frame

import (
	"fmt"
	"io/fs"
	"path"
)

// layers are the folders "pages" of several file systems as one.
type layers []fs.FS

// Open opens a file of the first layer that has it.
func (l layers) Open(name string) (fs.File, error) {
	for _, layer := range l {
		if f, err := layer.Open(path.Join("pages", name)); err == nil {
			return f, nil
		}
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// ReadDir lists what all layers have. A name that two have is an error: one of
// them would never be seen.
func (l layers) ReadDir(name string) ([]fs.DirEntry, error) {
	var all []fs.DirEntry
	seen := map[string]bool{}
	for _, layer := range l {
		entries, err := fs.ReadDir(layer, path.Join("pages", name))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if seen[e.Name()] {
				return nil, fmt.Errorf("two parts have a page %s", e.Name())
			}
			seen[e.Name()] = true
		}
		all = append(all, entries...)
	}
	return all, nil
}
