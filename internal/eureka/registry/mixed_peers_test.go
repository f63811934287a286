//go:build peers

package registry_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/eureka/registry"
)

// reference starts the reference server as a peer of the registry behind a
// wire.
func reference(t *testing.T, ours *wire) (port int) {
	t.Helper()
	jar, err := filepath.Abs(os.Getenv("CCMS_TEST_EUREKA_REFERENCE_JAR"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-jar", jar, "--server.port="+strconv.Itoa(port),
		// A peer must have another host name than its own; these are one machine.
		"--eureka.instance.hostname=localhost", "--eureka.client.service-url.defaultZone="+ours.url(),
		"--eureka.client.register-with-eureka=true", "--eureka.client.fetch-registry=true", "--eureka.server.enable-self-preservation=false",
		"--eureka.server.peer-node-read-timeout-ms=2000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return port
}

// One of ours and the reference server are told different things while the
// wire between them is cut, with their clients' heartbeats going on, and hold
// the same afterwards.
func TestOursAndTheReferenceConvergeAfterAPartition(t *testing.T) {
	toOurs, toTheirs := newWire(t), newWire(t)
	port := reference(t, toOurs)
	toTheirs.aim(fmt.Sprint("127.0.0.1:", port))
	ours := started(t, registry.Config{Peers: []string{toTheirs.url()}}, toOurs)
	theirs := &rest{t: t, url: fmt.Sprint("http://127.0.0.1:", port)}
	wait(t, "the reference answers", func() bool {
		resp, err := http.Get(theirs.url + "/eureka/apps")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	wait(t, "ours is open", ours.reg.Open)
	held := func(s *rest) map[string]string {
		all := s.holds()
		maps.DeleteFunc(all, func(name, _ string) bool { return strings.HasPrefix(name, "EUREKA/") }) // the reference itself
		return all
	}
	same := func() bool { return maps.Equal(held(ours), held(theirs)) }
	myOwn := `"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}`
	register := func(s *rest, id, dirty string) {
		s.want(http.StatusNoContent, "POST", "/eureka/apps/SVC", strings.Replace(
			instanceJSON("SVC", id, at(dirty, myOwn, `"metadata":{"by":"`+dirty+`"}`)...), `"@class":"x"`, `"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo"`, 1), "Content-Type", "application/json")
	}
	for i := range 10 {
		register(ours, fmt.Sprint("o", i), "1000")
		register(theirs, fmt.Sprint("t", i), "1000")
	}
	wait(t, "both hold all", func() bool { return len(held(ours)) == 20 && same() })
	wait(t, "the reference sees ours as a peer that answers", func() bool { return ours.reg.Peers()[0].Available })

	var beats sync.WaitGroup
	stop := make(chan struct{})
	beats.Go(func() { // the clients of either go on
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			for i := 4; i < 10; i++ {
				ours.ask("PUT", fmt.Sprint("/eureka/apps/SVC/o", i, "?status=UP&lastDirtyTimestamp=1000"), "")
				theirs.ask("PUT", fmt.Sprint("/eureka/apps/SVC/t", i, "?status=UP&lastDirtyTimestamp=1000"), "")
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	toOurs.set(true)
	toTheirs.set(true)
	for i := range 3 {
		ours.want(http.StatusOK, "DELETE", fmt.Sprint("/eureka/apps/SVC/o", i), "")
		theirs.want(http.StatusOK, "DELETE", fmt.Sprint("/eureka/apps/SVC/t", i), "")
	}
	register(ours, "new-o", "1000")
	register(theirs, "new-t", "1000")
	register(ours, "t3", "2000") // a client that moved over, with newer metadata
	register(theirs, "o3", "2000")
	ours.want(http.StatusOK, "PUT", "/eureka/apps/SVC/o5/status?value=OUT_OF_SERVICE", "")
	theirs.want(http.StatusOK, "PUT", "/eureka/apps/SVC/t5/status?value=DOWN", "")
	if same() {
		t.Fatal("the wire is not cut")
	}
	toOurs.set(false)
	toTheirs.set(false)
	wait(t, "both hold the same", func() bool { return len(held(ours)) == 16 && same() })
	close(stop)
	beats.Wait()
}
