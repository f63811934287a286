package command

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"ccms/internal/identity"
	"ccms/internal/inventory"
)

func TestTheInventoryIsWritten(t *testing.T) {
	out, born := new(bytes.Buffer), time.Now().AddDate(-2, 0, 0)
	c := Client{Out: out, Ask: to(Desk{Inventory: func(context.Context) (inventory.Config, error) {
		return inventory.Config{BcryptCost: 11, Signing: func(context.Context) ([]identity.KeyInfo, error) {
			return []identity.KeyInfo{{ID: "kid-1", Algorithm: "ES256", State: "active", Created: born}}, nil
		}}, nil
	}})}
	if err := c.Inventory(t.Context()); err != nil || !strings.Contains(out.String(), "bcrypt, cost 11") || !strings.Contains(out.String(), " DUE ") || !strings.Contains(out.String(), "kid-1") {
		t.Errorf("%v: %s", err, out)
	}
	out.Reset()
	c.Format = "json"
	var entries []inventory.Entry
	if err := c.Inventory(t.Context()); err != nil || json.Unmarshal(out.Bytes(), &entries) != nil || len(entries) < 10 {
		t.Errorf("%v: %s", err, out)
	}
	if e := entries[len(entries)-1]; e.ID != "kid-1" || e.Kind != inventory.Key || !e.Created.Equal(born) {
		t.Errorf("%+v", e)
	}
	if err := (Client{Ask: to(Desk{})}).Inventory(t.Context()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("%v", err)
	}
}
