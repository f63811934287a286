package cardimport

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/client"
	"ccms/internal/secret"
)

// line is a line of an NDJSON file: the body of POST /register, its members
// texts.
type line struct {
	Number    jsontext.Value    `json:"card_number"`
	Expiry    string            `json:"expiry_date"`
	Code      jsontext.Value    `json:"cvv"`
	Holder    jsontext.Value    `json:"cardholder_name"`
	Reference string            `json:"reference"`
	Metadata  map[string]string `json:"metadata"`
}

// parseJSON reads a line.
func parseJSON(text []byte) (d client.CardData, f *fault) {
	var in line
	var err error
	secret.Do(func() { err = json.Unmarshal(text, &in, json.RejectUnknownMembers(true)) })
	defer func() {
		clear(in.Number)
		clear(in.Code)
		clear(in.Holder)
	}()
	number, ok1 := unquote(in.Number)
	code, ok2 := unquote(in.Code)
	holder, ok3 := unquote(in.Holder)
	d = client.CardData{
		Number: number, Code: code, Holder: holder,
		Expiry: in.Expiry, Reference: in.Reference, Metadata: in.Metadata,
	}
	if err != nil || text[0] != '{' || !ok1 || !ok2 || !ok3 { // the cause would quote the line
		return d, &fault{"Malformed line", "A line is one JSON object with the texts card_number, expiry_date, cvv and cardholder_name, and if you like reference and metadata."}
	}
	return d, nil
}

// unquote returns the text of a JSON string; one that is absent is empty, and
// the service says what is missing.
func unquote(v jsontext.Value) (client.Secret, bool) {
	if len(v) == 0 || v.Kind() == 'n' {
		return client.Secret{}, true
	}
	if v.Kind() != '"' {
		return client.Secret{}, false
	}
	text, err := jsontext.AppendUnquote(make([]byte, 0, len(v)), v)
	return client.NewSecret(text), err == nil
}
