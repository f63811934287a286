package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"ccms/internal/config/flat"
)

// value is one setting as a source wrote it.
type value struct {
	key    string
	text   string
	source string
	flag   bool // it stood on the command line
}

// loader gathers the settings and the mistakes in them.
type loader struct {
	src      Sources
	settings *Settings
	rows     map[string]Setting // by key, and by FileKey
	errs     []error
}

// newLoader returns a loader whose settings are the defaults.
func newLoader(src Sources) *loader {
	l := &loader{src: src, settings: &Settings{sources: map[string]string{}}, rows: map[string]Setting{}}
	for _, t := range table(l.settings) {
		l.rows[t.Key] = t
		if t.Secret {
			l.rows[t.FileKey()] = t
		}
		if err := t.set(t.Default); err != nil {
			l.fail(t.Key, "default", err.Error(), "give "+t.want)
		}
	}
	if src.Service != "" {
		l.settings.Data += "/" + src.Service
	}
	if src.Terminal {
		l.settings.Log.Format = "text"
	}
	return l
}

func (l *loader) fail(key, source, wrong, right string) {
	l.errs = append(l.errs, &Error{key, source, wrong, right})
}

// source applies what one source gives; what a later source gives wins.
func (l *loader) source(values []value) {
	seen := map[string]string{}
	for _, v := range values {
		t, ok := l.rows[v.key]
		if !ok {
			l.fail(v.key, v.source, "is no setting", l.hint(v.key))
			continue
		}
		if other, twice := seen[t.Key]; twice {
			l.fail(v.key, v.source, "is set twice, also by "+other, "keep one of them")
			continue
		}
		seen[t.Key] = v.source
		l.apply(t, v)
	}
}

func (l *loader) apply(t Setting, v value) {
	if v.key != t.Key {
		text, err := readSecret(v.text)
		if err != nil {
			l.fail(v.key, v.source, err.Error(), "name a readable file that holds only the value")
			return
		}
		v.text = text
	} else if t.Secret && v.flag && hasPassword(v.text) {
		l.fail(v.key, v.source, "holds a password, which other users of this machine can read there",
			fmt.Sprintf("give it as %s, in the settings file, or in a file named by --%s", t.Env(), t.FileKey()))
		return
	}
	l.settings.sources[t.Key] = v.source
	if v.text == "" {
		delete(l.settings.sources, t.Key) // only what is empty by default may be
	}
	if err := t.set(v.text); err != nil {
		l.fail(v.key, v.source, err.Error(), "give "+t.want)
	}
}

// fromFlags gives what stood on the command line, in a fixed order.
func (l *loader) fromFlags() []value {
	var all []value
	for key, text := range l.src.Flags {
		all = append(all, value{key, text, "flag --" + key, true})
	}
	slices.SortFunc(all, func(a, b value) int { return cmp.Compare(a.key, b.key) })
	return all
}

const (
	envPrefix = "CCMS_"
	// envFile names the settings file where --config does not.
	envFile = "CCMS_CONFIG"
)

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// fromEnv gives the settings in the environment. An empty variable is as good
// as none: composition files cannot leave one out. An unknown one is only a
// warning, because the environment belongs to other programs too.
func (l *loader) fromEnv() []value {
	keys := map[string]string{}
	for key := range l.rows {
		keys[envName(key)] = key
	}
	var all []value
	for name, text := range l.env() {
		if text == "" || name == envFile {
			continue
		}
		key, ok := keys[name]
		if !ok {
			l.settings.Warnings = append(l.settings.Warnings, fmt.Sprintf("%s in the environment is no setting; %s", name, l.hintEnv(name)))
			continue
		}
		all = append(all, value{key: key, text: text, source: "env " + name})
	}
	return all
}

// env gives each variable that begins with CCMS_ once, the last one winning
// as it does in a shell, in a fixed order.
func (l *loader) env() iter.Seq2[string, string] {
	last := map[string]string{}
	for _, e := range l.src.Env {
		if name, text, ok := strings.Cut(e, "="); ok && strings.HasPrefix(name, envPrefix) {
			last[name] = text
		}
	}
	return sorted(last)
}

// fromFile gives the settings of the settings file, if there is one.
func (l *loader) fromFile() []value {
	name, source := l.src.File, "flag --config"
	if name == "" {
		source = "env " + envFile
		for n, text := range l.env() {
			if n == envFile {
				name = text
			}
		}
	}
	if name == "" {
		return nil
	}
	b, err := readLimited(name, fileLimit)
	if err != nil {
		l.fail("config", source, err.Error(), "name a readable settings file")
		return nil
	}
	entries, faults := flat.Parse(name, b)
	for _, f := range faults {
		l.fail(cmp.Or(f.Key, "config"), at(name, f.Line), f.Wrong, f.Right)
	}
	return l.ofSpring(name, entries)
}

// at names a line of a file.
func at(name string, line int) string { return fmt.Sprintf("%s:%d", name, line) }

const (
	fileLimit   = 1 << 20  // of a settings file
	secretLimit = 64 << 10 // of a file with one value
)

// readLimited reads a file of at most limit bytes. Its error completes "the
// setting …".
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	if int64(len(b)) > limit {
		return nil, quoted(name, fmt.Sprintf("is larger than %d KiB", limit>>10))
	}
	return b, nil
}

func unreadable(name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return quoted(name, "cannot be read: "+err.Error())
}

// readSecret is what a file holds, without the line end an editor leaves.
func readSecret(name string) (string, error) {
	b, err := readLimited(name, secretLimit)
	return strings.TrimRight(string(b), "\r\n"), err
}
