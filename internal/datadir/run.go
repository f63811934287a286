package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"
)

// Running is what run.json tells scripts of a process that serves: its id, the
// URLs of its services, and the file of who vouches for them where one is set. A
// service that runs alone tells of itself.
type Running struct {
	PID        int    `json:"pid"`
	Eureka     string `json:"eureka,omitzero"`
	Login      string `json:"login,omitzero"`
	CreditCard string `json:"creditcard,omitzero"`
	Portal     string `json:"portal,omitzero"`
	CA         string `json:"ca,omitzero"`
	// Certificate is the file of what everyone is shown, where one was given.
	Certificate string `json:"certificate,omitzero"`
}

// RunningAlone is this process with one service, named as its command is.
func RunningAlone(service, url string) Running {
	r := Running{PID: os.Getpid()}
	switch service {
	case "eureka":
		r.Eureka = url
	case "login":
		r.Login = url
	case "creditcard":
		r.CreditCard = url
	case "portal":
		r.Portal = url
	}
	return r
}

// WriteRunning writes run.json.
func (d *Dir) WriteRunning(r Running) error {
	for _, file := range []*string{&r.CA, &r.Certificate} {
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // whoever reads it is in a folder of his own
		if err != nil {
			return fmt.Errorf("file in run.json: %w", err)
		}
		*file = path
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode run.json: %w", err)
	}
	return d.replace("run.json", append(b, '\n'))
}

// WriteDemo writes demo-firm.json: who the demo firm is, its client's secret
// included. It is no place for another's.
func (d *Dir) WriteDemo(content []byte) error { return d.replace("demo-firm.json", content) }

// Running reads run.json and reports whether its process is alive.
func (d *Dir) Running() (Running, bool) {
	var r Running
	b, err := os.ReadFile(d.File("run.json"))
	if err != nil || json.Unmarshal(b, &r) != nil {
		return r, false
	}
	return r, unix.Kill(r.PID, 0) == nil
}

// RemoveRunning removes run.json, if there is one.
func (d *Dir) RemoveRunning() error {
	if err := os.Remove(d.File("run.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove run.json: %w", err)
	}
	return nil
}

// Ports are those of the last run by service; none when it is not known.
func (d *Dir) Ports() map[string]int {
	ports := map[string]int{}
	if b, err := os.ReadFile(d.File("ports.json")); err == nil {
		_ = json.Unmarshal(b, &ports) // a spoilt file costs the old ports only
	}
	return ports
}

// KeepPorts remembers the ports of all services for the next run.
func (d *Dir) KeepPorts(ports map[string]int) error {
	b, err := json.Marshal(ports, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode ports: %w", err)
	}
	return d.replace("ports.json", append(b, '\n'))
}
