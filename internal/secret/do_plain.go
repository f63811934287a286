//go:build !goexperiment.runtimesecret

package secret

// Erasing says that Do erases: it does in a build with
// GOEXPERIMENT=runtimesecret, which this is not.
const Erasing = false

// Do calls f. A build with GOEXPERIMENT=runtimesecret also erases what f leaves
// on the stack and the heap; this one leaves the copies that libraries make.
func Do(f func()) { f() }
