package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
)

// binary is the path of the program under test, built once by TestMain unless
// binaryEnv names another build.
var binary string

const binaryEnv = "CCMS_E2E_BINARY"

func TestMain(m *testing.M) {
	if os.Getenv(emptyServerEnv) != "" {
		serveEmpty()
		return
	}
	// The parallel ones wait for leases and schedules more than they compute.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if binary = os.Getenv(binaryEnv); binary != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "ccms-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "ccms")
	build := exec.Command("go", "build", "-o", binary, "ccms/cmd/ccms")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build ccms:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// readSources looks at what the program is built from: go test keeps results as
// long as what a test read has not changed, and knows nothing of what the build in
// TestMain reads.
var readSources = sync.OnceFunc(func() {
	for _, part := range []string{"../../go.mod", "../../client", "../../cmd", "../../internal"} {
		_ = filepath.WalkDir(part, func(string, fs.DirEntry, error) error { return nil })
	}
})

// urls is what DIR/run.json holds.
type urls struct {
	PID        int    `json:"pid"`
	Eureka     string `json:"eureka"`
	Login      string `json:"login"`
	CreditCard string `json:"creditcard"`
	Portal     string `json:"portal"`
}

// process is a running "ccms up".
type process struct {
	urls
	dir    string
	cmd    *exec.Cmd
	output *lockedBuffer
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

// within bounds whatever is waited for, generously: other tests share the machine,
// and others may share its processors. How fast things are is measured by
// benchmarks instead.
const within = 3 * time.Minute

// up starts the product on the data folder dir with free ports and waits until
// it is ready.
func up(dir string, args ...string) (*process, error) {
	p := launch(dir, "up", append(anyPort("eureka", "login", "creditcard", "portal"), args...)...)
	return p, p.awaitReady()
}

// anyPort are the flags that let services take any port.
func anyPort(services ...string) []string {
	var flags []string
	for _, service := range services {
		flags = append(flags, "--"+service+".addr", "127.0.0.1:0")
	}
	return flags
}

// launch starts a command of the program on the data folder dir.
func launch(dir, command string, args ...string) *process {
	readSources()
	p := &process{dir: dir, output: new(lockedBuffer), exited: make(chan struct{})}
	p.cmd = exec.Command(binary, append([]string{command, "--data", dir, "--log.level", "debug"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	_ = os.Remove(filepath.Join(dir, "run.json")) // of a process that was killed
	err := p.cmd.Start()
	go func() {
		if p.err = err; err == nil {
			p.err = p.cmd.Wait()
		}
		close(p.exited)
	}()
	return p
}

func (p *process) awaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if b, err := os.ReadFile(filepath.Join(p.dir, "run.json")); err == nil && json.Unmarshal(b, &p.urls) == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("ccms up ended: %v\n%s", p.err, p.output)
		case <-ctx.Done():
			p.kill()
			return fmt.Errorf("ccms up was not ready within %s\n%s", within, p.output)
		case <-tick.C:
		}
	}
}

// await waits until the process has printed what shape matches, and returns its
// first group.
func (p *process) await(t testing.TB, shape *regexp.Regexp) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if m := shape.FindStringSubmatch(p.output.String()); m != nil {
			return m[1]
		}
		select {
		case <-p.exited:
			t.Fatalf("it ended without saying %s: %v\n%s", shape, p.err, p.output)
		case <-ctx.Done():
			t.Fatalf("it did not say %s within %s\n%s", shape, within, p.output)
		case <-tick.C:
		}
	}
}

// stop asks the process to end and returns how it ended.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return p.err
	case <-time.After(within):
		p.kill()
		return fmt.Errorf("ccms up did not end within %s of SIGTERM\n%s", within, p.output)
	}
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// start is up for a test that wants the product to end with it.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	p, err := up(t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return p
}

// lockedBuffer collects what a process prints.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
