package main

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"ccms/internal/config"
)

// settingFlags makes every setting of the table a flag of the whole program,
// so that help and completion know them all. It keeps the text of what was
// given; package config judges it, together with what stands elsewhere.
type settingFlags struct {
	given map[string]string // by key, after parsing
	flags []*kong.Flag
}

// addSettings adds the settings to app.
func addSettings(app *kong.Kong, table []config.Setting) *settingFlags {
	s := &settingFlags{given: map[string]string{}}
	group := &kong.Group{Key: "settings", Title: "Settings (flag, else environment, else --config file, else default; `ccms config print` shows the values):"}
	for _, t := range table {
		f := s.add(t, t.Key, t.Doc)
		f.Group = group
		f.PlaceHolder = cmp.Or(t.Default, strings.ToUpper(t.Kind))
		if len(t.Values) > 0 && !t.IsBool() {
			f.Help += " One of " + strings.Join(t.Values, ", ") + "."
		}
		if t.Secret {
			s.add(t, t.FileKey(), "File that holds "+t.Key+".").Hidden = true
		}
	}
	app.Model.Flags = append(app.Model.Flags, s.flags...)
	return s
}

func (s *settingFlags) add(t config.Setting, key, help string) *kong.Flag {
	v := &kong.Value{
		Name:   key,
		Help:   help,
		Tag:    &kong.Tag{},
		Target: reflect.ValueOf(new(string)).Elem(),
		Mapper: settingMapper{key: key, bool: t.IsBool() && key == t.Key, given: s.given},
	}
	f := &kong.Flag{Value: v}
	v.Flag = f
	s.flags = append(s.flags, f)
	return f
}

// takeUnknown removes flags with a dot in their names that are no settings, and
// keeps them as given: package config then reports them together with all other
// mistakes, where kong would stop at the first.
func (s *settingFlags) takeUnknown(args []string) []string {
	var rest []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(rest, args[i:]...)
		}
		name, text, withValue := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		known := slices.ContainsFunc(s.flags, func(f *kong.Flag) bool { return f.Name == name })
		if !strings.HasPrefix(args[i], "--") || !strings.Contains(name, ".") || known {
			rest = append(rest, args[i])
			continue
		}
		if !withValue && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			text = args[i]
		}
		s.given[name] = text
	}
	return rest
}

// show leaves all settings but these out of a command's help.
func (s *settingFlags) show(title string, keys ...string) {
	for _, f := range s.flags {
		f.Hidden = !slices.Contains(keys, f.Name)
		if !f.Hidden {
			f.Group = &kong.Group{Key: f.Group.Key, Title: title}
		}
	}
}

// settingMapper keeps the text of a flag as it was given.
type settingMapper struct {
	key   string
	bool  bool
	given map[string]string
}

// IsBool implements kong.BoolMapper: the flag may stand alone.
func (m settingMapper) IsBool() bool { return m.bool }

// Decode implements kong.Mapper.
func (m settingMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	text := "true"
	if !m.bool || ctx.Scan.Peek().Type == kong.FlagValueToken {
		if ctx.Scan.PopValueInto("value", &text) != nil {
			return errors.New("give it a value, after an equals sign if it begins with a hyphen")
		}
	}
	m.given[m.key] = text
	target.SetString(text)
	return nil
}
