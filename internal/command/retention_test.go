package command

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ccms/internal/retention"
)

func TestDataThatIsKeptTooLongIsTold(t *testing.T) {
	out := new(bytes.Buffer)
	ages := []time.Duration{time.Minute}
	c := Client{Out: out, Ask: to(Desk{Retention: func(context.Context) ([]retention.Source, error) {
		return []retention.Source{func(_ context.Context, now time.Time) (retention.Class, error) {
			class := retention.Class{Name: "deleted things", Justification: "They may be restored.", Keep: time.Hour, Grace: time.Minute}
			for _, age := range ages {
				class.Note(now.Add(-age), now)
			}
			return class, nil
		}}, nil
	}})}
	if err := c.VerifyRetention(t.Context()); err != nil || !strings.Contains(out.String(), "ok  deleted things  1h0m0s    1       0        20") || !strings.Contains(out.String(), "They may be restored.") {
		t.Errorf("%v: %s", err, out)
	}
	ages = append(ages, 2*time.Hour)
	out.Reset()
	if err := c.VerifyRetention(t.Context()); !errors.Is(err, ErrOverdue) || !strings.HasPrefix(strings.Split(out.String(), "\n")[1], "FAIL") {
		t.Errorf("%v: %s", err, out)
	}
	out.Reset()
	c.Format = "json"
	if err := c.VerifyRetention(t.Context()); !errors.Is(err, ErrOverdue) || !strings.HasPrefix(out.String(), `[{"class":"deleted things","justification":"They may be restored.","keep_seconds":3600,"stored":2,"overdue":1,"oldest":"20`) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWhereNothingIsKept(t *testing.T) {
	if err := (Client{Ask: to(Desk{})}).VerifyRetention(t.Context()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("%v", err)
	}
}
