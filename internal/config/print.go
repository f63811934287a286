package config

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// shown is a setting as Print writes it in JSON.
type shown struct {
	Key     string   `json:"key"`
	Value   any      `json:"value"`
	Source  string   `json:"source"`
	Default string   `json:"default"`
	Kind    string   `json:"kind"`
	Values  []string `json:"values,omitempty"`
	Flag    string   `json:"flag"`
	Env     string   `json:"env"`
	Restart bool     `json:"restart"`
	Doc     string   `json:"doc"`
}

// Print writes every setting with its value and where that came from,
// passwords hidden. Format "json" gives an array of objects; "text" gives YAML
// with the sources as comments, which --config takes back.
func Print(w io.Writer, s Settings, format string) error {
	if format == "json" {
		return printJSON(w, s)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range table(&s) {
		v := t.show()
		if _, list := v.([]string); list {
			v = t.text()
		}
		b, err := yaml.Marshal(v)
		if err != nil {
			return fmt.Errorf("print %s: %w", t.Key, err)
		}
		fmt.Fprintf(tw, "%s: %s\t# %s\n", t.Key, strings.TrimSpace(string(b)), s.Source(t.Key))
	}
	return tw.Flush()
}

func printJSON(w io.Writer, s Settings) error {
	var all []shown
	for _, t := range table(&s) {
		all = append(all, shown{t.Key, t.show(), s.Source(t.Key), t.Default, t.Kind, t.Values, t.Flag(), t.Env(), !t.Reread, t.Doc})
	}
	if err := json.MarshalWrite(w, all, jsontext.WithIndent("  ")); err != nil {
		return fmt.Errorf("print settings: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
