// Command pause is what a pod's sandbox runs: it owns the pod's namespaces, does
// nothing, and leaves the work to the pod's containers until it is ended.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
}
