package main

import (
	"github.com/alecthomas/kong"

	"ccms/internal/completion"
	"ccms/internal/config"
)

// completionScript is the script of a shell for app, whose flags are the settings
// of table too.
func completionScript(shell string, app *kong.Application, table []config.Setting) (string, error) {
	values := map[string]completion.Value{}
	for _, t := range table {
		values[t.Key] = completion.Value{Listed: t.Values, Path: t.Kind == "path" || t.Kind == "file"}
	}
	return completion.Script(shell, app, values)
}
