// Command eureka-fargo is hudl's fargo client doing what it is told line by
// line; see internal/eureka/registry/client_peers_test.go. Its argument is json
// or xml.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hudl/fargo"
)

func main() {
	conn := fargo.NewConn(strings.TrimSuffix(os.Getenv("EUREKA_URL"), "/"))
	conn.UseJson = len(os.Args) > 1 && os.Args[1] == "json"
	self := &fargo.Instance{
		InstanceId: "fargo:peer:8080", HostName: "127.0.0.1", App: "PEER", IPAddr: "127.0.0.1",
		VipAddress: "PEER", SecureVipAddress: "PEER", Status: fargo.UP, Port: 8080, PortEnabled: true,
		DataCenterInfo: fargo.DataCenterInfo{Name: fargo.MyOwn}, LeaseInfo: fargo.LeaseInfo{RenewalIntervalInSecs: 1, DurationInSecs: 90},
	}
	if err := conn.RegisterInstance(self); err != nil {
		fmt.Fprintln(os.Stderr, "register:", err)
		os.Exit(1)
	}
	go func() {
		for range time.Tick(time.Second) {
			if err := conn.HeartBeatInstance(self); err == nil {
				continue
			} else if code, known := fargo.HTTPResponseStatusCode(err); known && code == 404 {
				_ = conn.ReregisterInstance(self)
			}
		}
	}()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		command, rest, _ := strings.Cut(in.Text(), " ")
		fmt.Println("answer:", do(&conn, self, command, rest))
		if command == "stop" {
			return
		}
	}
}

func do(conn *fargo.EurekaConnection, self *fargo.Instance, command, rest string) string {
	switch command {
	case "find":
		return find(conn, rest)
	case "status":
		if err := conn.UpdateInstanceStatus(self, fargo.StatusType(rest)); err != nil {
			return err.Error()
		}
		return "ok"
	case "stop":
		if err := conn.DeregisterInstance(self); err != nil {
			return err.Error()
		}
		return "ok"
	}
	return "cannot"
}

// find counts the instances of an application that are up, by every way this
// client can look; they must agree.
func find(conn *fargo.EurekaConnection, name string) string {
	up := func(list []*fargo.Instance) int {
		n := 0
		for _, in := range list {
			if in.Status == fargo.UP {
				n++
			}
		}
		return n
	}
	one, err := conn.GetApp(name)
	if err != nil {
		return err.Error()
	}
	all, err := conn.GetApps()
	if err != nil {
		return err.Error()
	}
	vip, err := conn.GetInstancesByVIPAddress(name, false, fargo.ThatAreUp)
	if err != nil {
		return err.Error()
	}
	if a, b, c := up(one.Instances), up(all[name].Instances), up(vip); a != b || b != c {
		return fmt.Sprint("by application ", a, ", in all ", b, ", by VIP address ", c)
	} else {
		return fmt.Sprint(a)
	}
}
