package boot

import (
	"bytes"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ccms/internal/boot/desk"
	"ccms/internal/config"
	"ccms/internal/datadir"
)

// alone are the settings of a service by itself.
func alone(t *testing.T, service string, more ...string) config.Settings {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := desk.KeysInit(keys, t.Output()); err != nil {
		t.Fatal(err)
	}
	return settings(t, append([]string{"internal.credential-file", filepath.Join(keys, "internal"),
		"keyring.url", "file:" + filepath.Join(keys, service+".key"), "log.level", "warn"}, more...)...)
}

func TestKeysInitSaysWhereTheKeysAre(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "keys")
	var says bytes.Buffer
	if err := desk.KeysInit(folder, &says); err != nil {
		t.Fatal(err)
	}
	for _, name := range datadir.KeyFiles() {
		if !strings.Contains(says.String(), filepath.Join(folder, name)) {
			t.Errorf("it does not say where %s is", name)
		}
	}
	if err := desk.KeysInit(folder, &says); err == nil {
		t.Error("it made keys a second time")
	}
}

func TestWhatKeepsAServiceFromStartingAlone(t *testing.T) {
	const mongo = "mongodb://127.0.0.1:1/CCMS"
	for name, c := range map[string]struct {
		service string
		flags   []string
		want    string
	}{
		"the embedded store":                        {"login", nil, "login alone needs a MongoDB"},
		"the embedded store, for cards":             {"creditcard", nil, "creditcard alone needs a MongoDB"},
		"no public address":                         {"login", []string{"store.url", mongo}, "public-url"},
		"no credential":                             {"portal", []string{"internal.credential-file", ""}, "ccms keys init"},
		"a store that would tell strangers secrets": {"login", []string{"store.url", mongo + "?compressors=zlib", "public-url", "http://localhost:5000"}, "CVE-2025-14847"},
	} {
		t.Run(name, func(t *testing.T) {
			s := alone(t, c.service, c.flags...)
			err := One(t.Context(), c.service, Start{Settings: s, Console: Console{Out: t.Output(), Err: t.Output()}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAServiceWaitsForItsDatabase would fail if a database that is not there
// yet ended the process, if it did not say what it waits for, or if it said the
// password.
func TestAServiceWaitsForItsDatabase(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := alone(t, "login", "public-url", "http://localhost:5000")
	s.Store.URL = config.NewURL("mongodb://ann:sesame@" + l.Addr().String() + "/CCMS")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	var log bytes.Buffer
	err = One(ctx, "login", Start{Settings: s, Console: Console{Out: t.Output(), Err: &log}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	if strings.Count(log.String(), "waiting for the database") != 1 || strings.Contains(log.String(), "sesame") {
		t.Errorf("it says %s", &log)
	}
}
