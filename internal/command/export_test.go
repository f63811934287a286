package command

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ccms/internal/audit"
)

// entry puts an event of a firm on record.
func (o *office) entry(t *testing.T, e audit.Entry) {
	t.Helper()
	l, err := audit.Open(t.Context(), o.log)
	if err == nil {
		err = errors.Join(l.Note(t.Context(), e, audit.Success), l.Close(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFirmsAuditRecordsAreExported(t *testing.T) {
	o := newOffice(t)
	o.entry(t, audit.Entry{Act: "card.reveal", Actor: "client_1", Object: "tok_1", Owner: "firm_1", From: "192.0.2.1", Reason: "=cmd()", Request: "r"})
	o.entry(t, audit.Entry{Act: "card.reveal", Actor: "client_2", Object: "tok_2", Owner: "firm_2"})
	if err := o.NewExport("firm_1").Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := o.said()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"service":"login-service","time":"20`) || !strings.Contains(lines[0], `"act":"card.reveal","actor":"client_1","object":"tok_1","from":"192.0.2.1","result":"success","reason":"=cmd()"`) ||
		!strings.Contains(lines[1], `"act":"audit.export","actor":"administrator","object":"firm_1"`) {
		t.Errorf("%s", text)
	}
	o.Format = "csv"
	e := o.NewExport("firm_1")
	e.From, e.To = "2020-01-01", time.Now().Add(time.Hour).Format(time.RFC3339)
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text = o.said()
	cells, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(cells) != 4 || cells[0][0] != "service" || cells[1][7] != "'=cmd()" || cells[3][2] != "audit.export" {
		t.Errorf("%v: %s", err, text)
	}
	e.From = "yesterday"
	if err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `"yesterday" is no time`) {
		t.Errorf("%v", err)
	}
	if err := o.VerifyAudit(t.Context(), ""); err != nil {
		t.Error(err, o.said())
	}
}

func TestHeadsAreKeptForALaterCheck(t *testing.T) {
	o, file := newOffice(t), filepath.Join(t.TempDir(), "heads")
	o.act(t)
	if err := o.HeadAudit(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := o.said()
	if !strings.HasPrefix(text, `[{"service":"login-service","chain":"`) || !strings.Contains(text, `"number":4,"value":"`) {
		t.Error(text)
	}
	keep := func() {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keep()
	if err := o.VerifyAudit(t.Context(), file); err != nil {
		t.Error(err)
	}
	keep()
	for _, name := range []string{"Audit", "AuditCheckpoint"} {
		empty(t, o.log.DB, specOf(name))
	}
	if err := o.VerifyAudit(t.Context(), file); !errors.Is(err, ErrBroken) {
		t.Errorf("a log that was removed: %v", err)
	}
}

func TestWhereNoLogIsKept(t *testing.T) {
	c := Client{Ask: to(Desk{})}
	for _, err := range []error{c.HeadAudit(t.Context()), c.NewExport("f").Run(t.Context())} {
		if !errors.Is(err, errNoLog) {
			t.Errorf("%v", err)
		}
	}
}
