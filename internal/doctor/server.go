package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"ccms/internal/certs"
	"ccms/internal/datadir"
	"ccms/internal/patience"
	"ccms/internal/store"
	"ccms/internal/trust"
)

// mailWithin is how long a mail may wait before somebody should look.
const mailWithin = 5 * time.Minute

// mailTimeout bounds the look at the queue.
const mailTimeout = 5 * time.Second

// checkMail says how mail leaves and, where there is a queue, what is in it.
func checkMail(ctx context.Context, p Patient) Finding {
	f := Finding{Check: "mail", OK: true, Says: "no mail server: mails become files in the data folder"}
	if p.MailServer != "" {
		f.Says = "mails go out by " + p.MailServer
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	letters, err := p.Letters(ctx)
	if err != nil {
		return f
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

// checkCertificates looks at what people and services are shown.
func checkCertificates(shown certs.Config) Finding {
	shown.Pairs = slices.DeleteFunc(shown.Pairs, func(p certs.Pair) bool {
		_, err := os.Stat(p.Cert)
		return err != nil
	})
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

// overTLS reports whether a process serves HTTPS.
func overTLS(run datadir.Running) bool {
	return strings.HasPrefix(cmp.Or(run.Portal, run.CreditCard, run.Login, run.Eureka), "https:")
}

// believe reaches services that show these certificates. What is wrong with the
// files is checkCertificates's to say.
func believe(cfg trust.Config) *trust.Trust {
	t, err := trust.Believe(cfg)
	if err != nil {
		t, _ = trust.Believe(trust.Config{Services: cfg.Services}) // which reads no file
	}
	return t
}

// answerWithin is how quickly a service says how it is.
const answerWithin = patience.Times * 3 * time.Second

func checkServices(ctx context.Context, services []Service, cfg trust.Config) []Finding {
	t := believe(cfg)
	defer t.CloseIdle()
	services = slices.DeleteFunc(services, func(s Service) bool { return s.URL == "" }) // of another process
	all := make([]Finding, len(services))
	var asked sync.WaitGroup
	for i, s := range services {
		asked.Go(func() {
			client := http.Client{Timeout: answerWithin, Transport: t.Transport(s.Name)}
			all[i] = checkService(ctx, &client, s)
		})
	}
	asked.Wait()
	return all
}

// checkService tells a service that says it is not well from one that says
// nothing: that one is stopped, or the machine is too busy for it.
func checkService(ctx context.Context, client *http.Client, s Service) Finding {
	f := Finding{Check: s.Check, Says: s.URL + " does not answer", Advice: "look at its log; end it and start it again if it stays so"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/actuator/health", nil)
	if err != nil {
		return f
	}
	res, err := client.Do(req)
	if err != nil {
		return f
	}
	_ = res.Body.Close()
	if f.OK = res.StatusCode == http.StatusOK; f.OK {
		f.Says, f.Advice = s.URL+" is healthy", ""
		return f
	}
	f.Says, f.Advice = s.URL+" is not healthy", "read "+s.URL+"/actuator/health and the log"
	return f
}

// Store is the one of the settings.
type Store struct {
	Name string // for people
	// File is that of the embedded store, which the first start makes; "" for
	// another.
	File string
	Open func(context.Context) (store.DB, error)
}

func checkStore(ctx context.Context, s Store) Finding {
	if s.File != "" {
		if _, err := os.Stat(s.File); err != nil {
			return Finding{Check: "store", OK: true, Says: "no store yet; ccms up makes it"}
		}
	}
	db, err := s.Open(ctx)
	if err != nil {
		return Finding{Check: "store", Says: "cannot open the store", Advice: err.Error()}
	}
	if err := errors.Join(db.Ping(ctx), db.Close()); err != nil {
		return Finding{Check: "store", Says: "the store does not answer", Advice: err.Error()}
	}
	return Finding{Check: "store", OK: true, Says: s.Name + " opens and answers"}
}
