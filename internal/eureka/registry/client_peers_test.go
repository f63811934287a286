//go:build peers

package registry_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ccms/internal/eureka"
	"ccms/internal/eureka/registry"
	"ccms/internal/eureka/registry/writers"
	"ccms/internal/httpserver"
)

// patience is how long somebody else's client may take for one thing on a busy
// machine: they beat and fetch every second here, but back off after failures.
const patience = 4 * time.Minute

// stage is a registry at one address that can be killed and started again.
type stage struct {
	t    *testing.T
	addr string
	file string // its snapshot
	reg  *registry.Registry
	kill func()
}

// start opens the registry; with forget it knows nobody.
func (s *stage) start(forget bool) {
	s.t.Helper()
	if forget {
		_ = os.Remove(s.file)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(peersPassword), bcrypt.MinCost)
	if err != nil {
		s.t.Fatal(err)
	}
	list, err := writers.Parse(strings.NewReader("PEER basic peer:"+string(hash)), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s.reg = registry.New(registry.Config{Log: log, Snapshot: s.file, Writers: list})
	mux := httpserver.NewMux(log)
	s.reg.Routes(mux)
	var l net.Listener
	wait(s.t, "the address is free", func() bool {
		var err error
		l, err = net.Listen("tcp", s.addr)
		return err == nil
	})
	s.addr = l.Addr().String()
	srv := &http.Server{Handler: mux}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Serve(l) })
	running.Go(func() { _ = s.reg.Run(ctx) })
	s.kill = sync.OnceFunc(func() {
		_ = srv.Close()
		stop()
		running.Wait()
	})
	s.t.Cleanup(s.kill)
}

// peersPassword opens the client's name; it is in the URL the client is given
// (T30).
const peersPassword = "of-the-peer"

func (s *stage) peer() *eureka.Instance {
	a, _ := s.reg.Leases().Application("PEER")
	if len(a.Instances) != 1 {
		return nil
	}
	return a.Instances[0]
}

func (s *stage) is(status eureka.Status) func() bool {
	return func() bool { in := s.peer(); return in != nil && in.Status == status }
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never: " + what)
		}
	}
}

// player is somebody else's client in a process of its own, which registers as
// PEER, does what it is told on its input and says what it finds on its output.
type player struct {
	t   *testing.T
	in  io.Writer
	out chan string
	cmd *exec.Cmd
}

func play(t *testing.T, url string) *player {
	t.Helper()
	command := strings.Fields(os.Getenv("CCMS_TEST_EUREKA_CLIENT"))
	if len(command) == 0 {
		t.Fatal("CCMS_TEST_EUREKA_CLIENT names no command")
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "EUREKA_URL="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &player{t, in, make(chan string, 1000), cmd}
	go func() {
		defer close(p.out)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if answer, ok := strings.CutPrefix(lines.Text(), "answer: "); ok {
				p.out <- answer
			}
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return p
}

// ask tells the client something and returns its answer.
func (p *player) ask(command string) string {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		p.t.Fatal(err)
	}
	select {
	case answer := <-p.out:
		return answer
	case <-time.After(patience):
		p.t.Fatal("no answer to " + command)
		return ""
	}
}

// T28, T30: an unmodified client, with credentials in its URL, registers, beats,
// finds others, changes its status, outlives a registry that is killed and comes
// back, with its memory and without, and leaves.
func TestAnUnmodifiedClientLivesWithTheRegistry(t *testing.T) {
	s := &stage{t: t, addr: "127.0.0.1:0", file: t.TempDir() + "/registry.json"}
	s.start(true)
	c := play(t, "http://peer:"+peersPassword+"@"+s.addr+"/eureka/")
	wait(t, "the client is registered", s.is(eureka.Up))
	id := s.peer().ID

	first := s.peer().Lease.Renewed
	wait(t, "a heartbeat comes", func() bool { in := s.peer(); return in != nil && in.Lease.Renewed > first })
	other := func() {
		in := &eureka.Instance{
			App: "OTHER", ID: "other:1", HostName: "127.0.0.1", IPAddr: "127.0.0.1", Status: eureka.Up, Overridden: eureka.Unknown,
			Port: eureka.Port{Number: 8080, Enabled: true}, SecurePort: eureka.Port{Number: 443}, CountryID: 1,
			DataCenter: &eureka.DataCenter{Name: eureka.MyOwn}, Lease: eureka.Lease{RenewalInterval: 30, Duration: 900},
			VIPAddress: new("OTHER"), SecureVIPAddress: new("OTHER"),
		}
		if err := s.reg.Leases().Register(in, false); err != nil {
			t.Fatal(err)
		}
	}
	other()
	wait(t, "the client finds another", func() bool { return c.ask("find OTHER") == "1" })
	s.reg.Leases().SetStatus("OTHER", "other:1", eureka.OutOfService, nil)
	wait(t, "and sees it go out of service", func() bool { return c.ask("find OTHER") == "0" })
	s.reg.Leases().Cancel("OTHER", "other:1")
	other()
	wait(t, "and come back", func() bool { return c.ask("find OTHER") == "1" })

	if c.ask("status DOWN") == "ok" {
		wait(t, "the client is down", s.is(eureka.Down))
		c.ask("status UP")
		wait(t, "and up again", s.is(eureka.Up))
	}

	s.kill()
	s.start(false)
	registered := s.peer().Lease.Registered
	wait(t, "it beats on after a restart", func() bool {
		in := s.peer()
		return in != nil && in.Lease.Renewed > registered && in.Lease.Registered == registered
	})
	s.kill()
	s.start(true)
	wait(t, "it registers again after one that forgot it", s.is(eureka.Up))
	if got := s.peer().ID; got != id {
		t.Errorf("now %s, was %s", got, id)
	}
	other()
	wait(t, "and finds others", func() bool { return c.ask("find OTHER") == "1" })
	if c.ask("stop") == "ok" {
		wait(t, "it leaves", func() bool { return s.peer() == nil })
	}
}
