package desk

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ccms/internal/boot/chassis"
	"ccms/internal/card"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/registration/firmcard"
	"ccms/internal/secret"
	"ccms/internal/vault"
)

// stocked is a data folder with cards of a firm in it.
func stocked(b *testing.B, cards int) config.Settings {
	b.Helper()
	s, err := config.Load(config.Sources{Flags: map[string]string{"data": filepath.Join(b.TempDir(), "data"), "log.format": "json"}})
	must(b, err)
	dir, err := datadir.Open(s.Data)
	must(b, err)
	must(b, datadir.MakeKeys(dir.File("keys")))
	db, err := chassis.SQLite(b.Context(), dir)
	must(b, err)
	d := &Desk{Process: &chassis.Process{Settings: s, Dir: dir, DB: db}}
	if d.Log, err = chassis.OpenLog(s, new(bytes.Buffer)); err != nil {
		b.Fatal(err)
	}
	_, err = d.record(b.Context())
	must(b, err)
	_, err = d.heads(b.Context())
	must(b, err)
	ring, err := d.OpenRing(b.Context(), "CreditCardKey", "creditcard.key")
	must(b, err)
	service, err := firmcard.Open(b.Context(), firmcard.Config{DB: db, Vault: vault.New(vault.Config{Keys: ring})})
	must(b, err)
	const writers = 64
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range cards / writers {
				if _, err := service.Put(b.Context(), deposit(b)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	must(b, d.close(b.Context()))
	return s
}

// deposit is a card with a number of this run alone.
func deposit(b *testing.B) firmcard.Deposit {
	for {
		n, err := rand.Int(rand.Reader, big.NewInt(1e15))
		must(b, err)
		number, err := card.Parse(fmt.Sprintf("4%015d", n))
		if err != nil {
			continue // nine of ten fail the Luhn check
		}
		return firmcard.Deposit{
			FirmID: "firm_acme", Mode: "live", Token: vault.NewToken(), Number: number,
			Expiry: card.Expiry{Month: 12, Year: 2035}, Name: secret.NewString("Ann Example"),
		}
	}
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBackup measures backup and restore of a store of cards, the second
// with every check, beside a plain copy of the store's file.
func BenchmarkBackup(b *testing.B) {
	const cards = 20_000
	s := stocked(b, cards)
	file := filepath.Join(b.TempDir(), "a.backup")
	order := func(force bool) BackupOrder {
		return BackupOrder{File: file, Passphrase: []byte("correct horse battery"), Force: force, Out: new(bytes.Buffer)}
	}
	var made, restored, copied time.Duration
	for b.Loop() {
		began := time.Now()
		must(b, Backup(b.Context(), s, order(true)))
		made += time.Since(began)
		into := s
		into.Data = filepath.Join(b.TempDir(), "restored")
		began = time.Now()
		must(b, Restore(b.Context(), into, order(false)))
		restored += time.Since(began)
		began = time.Now()
		content, err := os.ReadFile(filepath.Join(into.Data, "ccms.db"))
		must(b, err)
		must(b, os.WriteFile(filepath.Join(into.Data, "copy"), content, 0o600))
		copied += time.Since(began)
		b.SetBytes(int64(len(content)))
	}
	b.ReportMetric(made.Seconds()/float64(b.N), "s/backup")
	b.ReportMetric(restored.Seconds()/float64(b.N), "s/restore")
	b.ReportMetric(copied.Seconds()/float64(b.N), "s/copy")
	b.ReportMetric(cards, "cards")
}
