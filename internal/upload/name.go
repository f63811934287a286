package upload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// measured is what a file was when it was looked at.
type measured struct {
	size   int64
	day    time.Time // when it was last written
	sha256 []byte
}

// measure reads f to its present end.
func measure(f *os.File) (m measured, err error) {
	info, err := f.Stat()
	if err != nil {
		return m, err
	}
	if !info.Mode().IsRegular() {
		return m, errors.New("is no file")
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, info.Size()))
	if err == nil && n != info.Size() {
		err = errChanged
	}
	return measured{size: n, day: info.ModTime(), sha256: sum.Sum(nil)}, err
}

// sumBytes of a checksum are in a name: enough that no two files share it.
const sumBytes = 16

// rotated is what a log file that was put aside has behind its name.
var rotated = regexp.MustCompile(`\.[0-9]{1,9}$`)

// key is the name of the copy: the day on which the file was last written, its
// own name and its checksum, as 2026-11-22/ccms-5891b5b5….log for ccms.log.3. So
// a file has the same name whenever it is sent and whichever number it bears by
// then, and none takes the place of another.
func (m measured) key(path string) string {
	name := filepath.Base(path)
	if plain := rotated.ReplaceAllString(name, ""); filepath.Ext(plain) != "" {
		name = plain
	}
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	return fmt.Sprintf("%s/%s-%x%s", m.day.UTC().Format(time.DateOnly), stem, m.sha256[:sumBytes], ext)
}
