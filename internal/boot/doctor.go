package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"

	"ccms/internal/certs"
	"ccms/internal/config"
	"ccms/internal/datadir"
	"ccms/internal/eureka"
	"ccms/internal/store"
	"ccms/internal/trust"
)

// Finding is one line of the doctor's report.
type Finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Says   string `json:"says"`
	Advice string `json:"advice,omitzero"` // what to do when not OK
}

// ErrUnwell is returned by Doctor when a check failed.
var ErrUnwell = errors.New("a check failed, see above")

// Doctor checks the machine and the data folder, beside a running server or
// without one, and writes what it finds to w.
func Doctor(ctx context.Context, s config.Settings, w io.Writer, format string) error {
	dir := datadir.At(s.Data)
	run, alive := dir.Running()
	findings := []Finding{checkData(s.Data), checkKeys(dir), checkSpace(s.Data), checkHash(s), checkMail(ctx, s)}
	// Those of our own count only while they are shown: the next start renews
	// them.
	trusted := trustConfig(s, dir)
	trusted.Own = alive && strings.HasPrefix(run.Portal, "https:") && trusted.HasOwn()
	shown := trusted.Shown()
	shown.Pairs = slices.DeleteFunc(shown.Pairs, func(p certs.Pair) bool { return !exists(p.Cert) })
	findings = append(findings, checkTLS(shown))
	if alive {
		findings = append(findings, checkHealth(ctx, run, believe(trusted))...)
	} else {
		findings = append(findings, checkStore(ctx, s, dir), checkPorts(s))
	}
	if err := printFindings(w, findings, format); err != nil {
		return err
	}
	for _, f := range findings {
		if !f.OK {
			return ErrUnwell
		}
	}
	return nil
}

func printFindings(w io.Writer, findings []Finding, format string) error {
	if format == "json" {
		return json.MarshalWrite(w, findings)
	}
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		line := fmt.Sprintf("%s  %-8s %s", mark, f.Check, f.Says)
		if f.Advice != "" {
			line += ": " + f.Advice
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

func checkData(path string) Finding {
	f := Finding{Check: "data", Says: path + " is ours alone"}
	if _, err := os.Stat(path); err != nil {
		f.OK, f.Says = true, path+" does not exist yet; ccms up makes it"
		return f
	}
	if err := datadir.Check(path); err != nil {
		f.Says = err.Error()
		return f
	}
	f.OK = true
	return f
}

func checkKeys(dir *datadir.Dir) Finding {
	f := Finding{Check: "keys", OK: true, Says: "root keys and internal credential are there and readable by us alone"}
	for _, name := range datadir.KeyFiles() {
		info, err := os.Stat(dir.File("keys", name))
		switch {
		case err != nil:
			f.Says = "no keys yet; ccms up makes them"
			return f
		case info.Mode().Perm()&0o077 != 0:
			return Finding{Check: "keys", Says: "others may read " + name, Advice: "chmod 600 " + dir.File("keys", name)}
		}
	}
	return f
}

// minFree is what a day of writes and a checkpoint need at least.
const minFree = 256 << 20

func checkSpace(path string) Finding {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		if err := unix.Statfs(".", &st); err != nil {
			return Finding{Check: "disk", Says: "cannot tell the free space", Advice: err.Error()}
		}
	}
	free := st.Bavail * uint64(st.Bsize)
	f := Finding{Check: "disk", OK: free >= minFree, Says: fmt.Sprintf("%d MiB free", free>>20)}
	if !f.OK {
		f.Advice = "free at least 256 MiB, or name another folder with --data"
	}
	return f
}

// affordable is how long one hash may take for a login to feel quick.
const affordable = 250 * time.Millisecond

// checkHash says which bcrypt cost this machine can afford (decision B6).
func checkHash(s config.Settings) Finding {
	start := time.Now()
	if _, err := bcrypt.GenerateFromPassword([]byte("measure this machine"), s.Login.BcryptCost); err != nil {
		return Finding{Check: "bcrypt", Says: "cannot hash", Advice: err.Error()}
	}
	one := time.Since(start)
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	best := s.Login.BcryptCost
	for took := one; best < 15 && took*2 <= affordable; took *= 2 {
		best++
	}
	f := Finding{Check: "bcrypt", OK: one <= 4*affordable}
	f.Says = fmt.Sprintf("cost %d takes %d ms, about %.0f logins/s with %d slots; cost %d is the highest that stays below %d ms",
		s.Login.BcryptCost, one.Milliseconds(), float64(slots)/one.Seconds(), slots, best, affordable.Milliseconds())
	if !f.OK {
		f.Advice = "lower login.bcrypt-cost, or give the machine more processor"
	}
	return f
}

// mailWithin is how long a mail may wait before somebody should look.
const mailWithin = 5 * time.Minute

// mailTimeout bounds the look at the queue.
const mailTimeout = 5 * time.Second

// checkMail says how mail leaves and, where there is a queue, what is in it.
func checkMail(ctx context.Context, s config.Settings) Finding {
	f := Finding{Check: "mail", OK: true, Says: "no mail server: mails become files in the data folder"}
	if !s.Mail.SMTPURL.IsZero() {
		f.Says = "mails go out by " + s.Mail.SMTPURL.String()
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	letters, err := Beside(s, io.Discard, "").Letters(ctx)
	if err != nil {
		return f // there is no store yet, or none of the login service; the other checks tell
	}
	wait, dead, late := 0, 0, false
	for _, l := range letters {
		if l.State == "dead" {
			dead++
			continue
		}
		wait++
		late = late || time.Since(l.Created) > mailWithin
	}
	f.Says += fmt.Sprintf("; %d mails wait, %d were given up", wait, dead)
	if late {
		f.OK, f.Advice = false, "some wait for more than 5 minutes: look at the last failure in ccms mail list"
	}
	return f
}

// checkTLS looks at what people and services are shown.
func checkTLS(shown certs.Config) Finding {
	c, err := certs.Open(shown)
	switch {
	case err != nil:
		return Finding{Check: "tls", Says: "the certificates cannot be used", Advice: err.Error()}
	case c.Expires().IsZero():
		return Finding{Check: "tls", OK: true, Says: "no certificate: plain HTTP on loopback"}
	case time.Until(c.Expires()) < trust.ExpiresSoon:
		return Finding{Check: "tls", Says: "a certificate expires at " + c.Expires().UTC().Format(time.RFC3339), Advice: "renew it and send SIGHUP"}
	}
	return Finding{Check: "tls", OK: true, Says: "certificates are good until " + c.Expires().UTC().Format(time.RFC3339)}
}

// believe reaches services that show these certificates. What is wrong with the
// files is checkTLS's to say.
func believe(cfg trust.Config) *trust.Trust {
	t, err := trust.Believe(cfg)
	if err != nil {
		t, _ = trust.Believe(trust.Config{Services: cfg.Services}) // which reads no file
	}
	return t
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func checkHealth(ctx context.Context, run datadir.Running, t *trust.Trust) []Finding {
	var all []Finding
	defer t.CloseIdle()
	for _, s := range []struct{ name, service, url string }{
		{"eureka", eureka.Audience, run.Eureka}, {"login", loginName, run.Login}, {"cards", cardName, run.CreditCard}, {"portal", portalName, run.Portal},
	} {
		client := http.Client{Timeout: 3 * time.Second, Transport: t.Transport(s.service)}
		f := Finding{Check: s.name, Says: s.url + " is healthy"}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/actuator/health", nil)
		if err == nil {
			var res *http.Response
			if res, err = client.Do(req); err == nil {
				f.OK = res.StatusCode == http.StatusOK
				_ = res.Body.Close()
			}
		}
		if !f.OK {
			f.Says, f.Advice = s.url+" is not healthy", "read "+s.url+"/actuator/health and the log"
		}
		all = append(all, f)
	}
	return all
}

func checkStore(ctx context.Context, s config.Settings, dir *datadir.Dir) Finding {
	name, open := s.Store.URL.String(), func() (store.DB, error) { return mongo(ctx, s.Store) }
	if s.Store.URL.Scheme() == "sqlite" {
		name = dir.File("ccms.db")
		if _, err := os.Stat(name); err != nil {
			return Finding{Check: "store", OK: true, Says: "no store yet; ccms up makes it"}
		}
		open = func() (store.DB, error) { return sqliteFile(ctx, dir) }
	}
	db, err := open()
	if err != nil {
		return Finding{Check: "store", Says: "cannot open the store", Advice: err.Error()}
	}
	if err := errors.Join(db.Ping(ctx), db.Close()); err != nil {
		return Finding{Check: "store", Says: "the store does not answer", Advice: err.Error()}
	}
	return Finding{Check: "store", OK: true, Says: name + " opens and answers"}
}

func checkPorts(s config.Settings) Finding {
	for _, addr := range addresses(s) {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return Finding{Check: "ports", Says: addr + " is taken", Advice: "stop what listens there, or choose another address (port 0 picks a free one)"}
		}
		_ = l.Close()
	}
	return Finding{Check: "ports", OK: true, Says: "all four addresses are free"}
}
