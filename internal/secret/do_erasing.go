//go:build goexperiment.runtimesecret

package secret

import "runtime/secret"

// Erasing says that Do erases: this is a build with GOEXPERIMENT=runtimesecret.
const Erasing = true

// Do calls f. In a build with GOEXPERIMENT=runtimesecret, registers and stack
// that f used are erased before Do returns, and what f allocated is erased as
// soon as the garbage collector finds that nobody has it any more, on
// linux/amd64 and linux/arm64. It is there for the copies that libraries make
// and nobody else can wipe; each allocation within f costs a little more.
func Do(f func()) { secret.Do(f) }
