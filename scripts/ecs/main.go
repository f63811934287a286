// Command ecs writes the index template for our log lines: ecs FILE. The fields
// and their types are those of package logging, and those that Filebeat adds;
// Elasticsearch takes a line with any other only as text it does not search.
package main

import (
	"log"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/logging"
)

//go:generate go run . ../../deploy/logs/index-template.json

func main() {
	log.SetFlags(0)
	log.SetPrefix("ecs: ")
	if len(os.Args) != 2 {
		log.Fatal("name the file to write")
	}
	text, err := json.Marshal(template(), json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], append(text, '\n'), 0o644); err != nil { //nolint:gosec // a file of the repository
		log.Fatal(err)
	}
}

// object is one of Elasticsearch's, of its API _index_template.
type object = map[string]any

// added are the fields that deploy/logs/filebeat.yml leaves of what Filebeat adds:
// where a line stands.
func added() []logging.Field {
	return []logging.Field{
		{Name: "host.name", Type: logging.Keyword},
		{Name: "log.file.path", Type: logging.Keyword},
		{Name: "log.offset", Type: logging.Long},
	}
}

func template() object {
	fields := object{}
	for _, f := range slices.Concat(logging.ECS(), logging.Own(), added()) {
		of := object{"type": string(f.Type)}
		if f.Type == logging.Keyword {
			of["ignore_above"] = 1024 // ECS's own bound
		}
		fields[f.Name] = of
	}
	return object{
		"index_patterns": []string{"logs-ccms-*"},
		"data_stream":    object{},
		"priority":       500,
		"_meta":          object{"description": "CCMS, ECS 8.11"},
		"template": object{
			"settings": object{"index": object{"codec": "best_compression"}},
			"mappings": object{"dynamic": false, "properties": fields},
		},
	}
}
