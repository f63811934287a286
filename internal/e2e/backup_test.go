package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// How often a backup and a restore are killed; the full figure is
// CCMS_BACKUP_KILLS=50.
const backupKillsEnv = "CCMS_BACKUP_KILLS"

const passphrase = "correct horse battery"

// locked runs a command that asks for the passphrase, on a folder.
func locked(dir string, args ...string) ([]byte, error) {
	command := exec.Command(binary, append(args, "--data", dir)...)
	command.Stdin = strings.NewReader(passphrase + "\n")
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return append(out, said.Bytes()...), err
	}
	return out, nil
}

// receipts is what a firm was told of its registrations, in the order of the
// answers, and how long the answers took.
type receipts struct {
	mu    sync.Mutex
	cards []filed
	took  []time.Duration
}

func (l *receipts) told() []filed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.cards)
}

// registering registers cards with some writers until stop is called.
func (l *receipts) registering(t *testing.T, p *process, firm firmClient) (stop func()) {
	t.Helper()
	c := newClient(t)
	end := make(chan struct{})
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				number, began := randomCard(t), time.Now()
				status, body, err := c.send("POST", p.CreditCard+"/register", newRegistration(number, "123", "Ann Example"), firm.auth()...)
				var made struct {
					ID string `json:"registration_id"`
				}
				if err != nil || status != http.StatusCreated || json.Unmarshal(body, &made) != nil {
					t.Errorf("register: %d %s %v", status, body, err)
					return
				}
				l.mu.Lock()
				l.cards, l.took = append(l.cards, filed{made.ID, number}), append(l.took, time.Since(began))
				l.mu.Unlock()
			}
		})
	}
	return sync.OnceFunc(func() { close(end); writers.Wait() })
}

func (l *receipts) await(t *testing.T, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); len(l.told()) < n; <-tick.C {
		if time.Now().After(deadline) || t.Failed() {
			t.Fatalf("%d registrations", len(l.told()))
		}
	}
}

// TestABackupUnderLoadHoldsAllThatWasAcknowledged would fail if the copy were not
// of one moment, if keys and store did not fit, or if a restored product did not
// know the sessions and tokens of the one that was backed up.
func TestABackupUnderLoadHoldsAllThatWasAcknowledged(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	p, err := up(dir, busy...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.kill() }()
	c := newClient(t)
	firm := newFirm(t, c, p, "--live", "--scope", "cards:register,cards:read,cards:reveal")
	who := signUp(t, c, p, "ann")
	c.must(t, 201, "POST", p.CreditCard+"/api/customer/creditcard", newCard(randomCard(t), "123"), nil, who.auth()...)
	endFirm(t, c, p)
	var l receipts
	stop := l.registering(t, p, firm)
	defer stop()
	l.await(t, 20)
	before := l.told()
	file := filepath.Join(folder, "ccms.backup")
	out, err := locked(dir, "backup", file, "-o", "json")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var made struct {
		Bytes     int64 `json:"bytes"`
		Documents int   `json:"documents"`
		TookMS    int64 `json:"took_ms"`
	}
	if err := json.Unmarshal(out, &made); err != nil || made.Documents < len(before) {
		t.Fatalf("%s %v", out, err)
	}
	after := l.told()
	stop()
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	restored := filepath.Join(folder, "restored")
	began := time.Now()
	if out, err := locked(restored, "restore", file); err != nil || !strings.Contains(string(out), "restored ") {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(began)
	again, err := up(restored, busy...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { again.kill() }()
	var list []any
	c.must(t, 200, "GET", again.CreditCard+"/api/customer/creditcard", nil, &list, who.auth()...)
	if len(list) != 1 {
		t.Errorf("the cardholder has %d cards", len(list))
	}
	revealAll(t, again, firm, before)
	operator(t, restored, "audit", "verify")
	slices.Sort(l.took)
	t.Logf("%d documents, %d bytes in %d ms beside %d registrations (p50 %s, slowest %s); restored in %s",
		made.Documents, made.Bytes, made.TookMS, len(after)-len(before), l.took[len(l.took)/2], l.took[len(l.took)-1], took)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("SQLite")) || bytes.Contains(text, []byte(before[0].id)) {
		t.Error("something in the backup is readable")
	}
	refusesSpoilt(t, folder, text)
	kills := setting(t, backupKillsEnv, 1)
	late := killedBackups(t, restored, folder, kills) + killedRestores(t, file, folder, kills)
	t.Logf("of %d kills %d came too late", 2*kills, late)
}

// endFirm makes a firm with a card and destroys its keys: what does not open for
// that reason is no damage, and in the way of no restore.
func endFirm(t *testing.T, c *client, p *process) {
	t.Helper()
	gone := newFirm(t, c, p, "--live")
	c.must(t, 201, "POST", p.CreditCard+"/register", newRegistration(randomCard(t), "123", "Ann Example"), nil, gone.auth()...)
	operator(t, p.dir, "keys", "destroy", "--firm", gone.firm, "--for-good")
}

// refusesSpoilt restores backups that were cut or are none; every byte of one is
// altered in the tests of package backup.
func refusesSpoilt(t *testing.T, folder string, text []byte) {
	t.Helper()
	for name, spoilt := range map[string][]byte{"cut": text[:len(text)*2/3], "no backup": text[1:]} {
		file, into := filepath.Join(folder, "spoilt"), filepath.Join(folder, "never")
		if err := os.WriteFile(file, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := locked(into, "restore", file); err == nil {
			t.Errorf("%s: it was restored: %s", name, out)
		}
		if left, err := os.ReadDir(into); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the folder holds %v, %v", name, left, err)
		}
	}
}

// killedBackups kills backups of a folder at any moment: there is a whole file, or
// none.
func killedBackups(t *testing.T, dir, folder string, kills int) (finished int) {
	t.Helper()
	for range kills {
		file := filepath.Join(folder, "killed.backup")
		killed(dir, "backup", file)
		if _, err := os.Stat(file); err != nil {
			continue
		}
		finished++
		if out, err := locked(filepath.Join(folder, "of-killed"), "restore", file, "--force"); err != nil {
			t.Errorf("a file that is there: %v: %s", err, out)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	return finished
}

// killedRestores kills restores at any moment: there is a whole store, or none,
// and the next restore is not in the way of what is left.
func killedRestores(t *testing.T, file, folder string, kills int) (finished int) {
	t.Helper()
	for range kills {
		into := filepath.Join(folder, "into")
		killed(into, "restore", file)
		_, err := os.Stat(filepath.Join(into, "ccms.db"))
		if err == nil {
			finished++
			if out, err := ccms(into, "doctor", "--deep"); err != nil {
				t.Errorf("a store that is there: %v: %s", err, out)
			}
		} else if out, err := locked(into, "restore", file); err != nil {
			t.Errorf("again: %v: %s", err, out)
		}
		if left, _ := filepath.Glob(filepath.Join(into, "in*")); left != nil {
			t.Errorf("left is %v", left)
		}
		if err := os.RemoveAll(into); err != nil {
			t.Fatal(err)
		}
	}
	return finished
}

// killed runs a command that asks for the passphrase and kills it.
func killed(dir string, args ...string) {
	command := exec.Command(binary, append(args, "--data", dir)...)
	command.Stdin = strings.NewReader(passphrase + "\n")
	if command.Start() != nil {
		return
	}
	<-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond)
	_ = command.Process.Kill()
	_ = command.Wait()
}
