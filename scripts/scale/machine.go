package main

import "slices"

// costs are what the parts of one machine take, in microseconds. They were
// chosen once so that the model meets docs/performance.md; validation prints how
// well it does.
type costs struct {
	client float64 // the load itself, for one request
	wake   float64 // to begin something on an idle core
	base   float64 // of a transaction of the embedded store
	each   float64 // of a document in it
	sync   float64 // of the disk
	calls  int     // of the system, one behind the other, in a transaction
	// handle is what each route computes beside that.
	handle map[string]float64
}

func fitted() costs {
	return costs{client: 36, wake: 8, base: 104, each: 89, sync: 116, calls: 2,
		handle: map[string]float64{register: 250, reveal: 185, grant: 283, introspect: 61}}
}

// The routes whose rates were measured.
const (
	register   = "POST /register"
	reveal     = "POST /v1/cards/{token}/reveal"
	grant      = "POST /oauth2/token"
	introspect = "POST /oauth2/introspect"
)

// writes is how many durable writes a request waits for, one behind the other:
// the first is its record.
func writes(route string) int {
	return map[string]int{register: 3, reveal: 1, grant: 1}[route]
}

// result is what a simulated load gave.
type result struct {
	rate     float64 // requests a second
	cpu      float64 // microseconds of the product's for one request
	p50, p99 float64 // milliseconds
}

// machine simulates one machine of two cores with the embedded store, and
// clients on it that send a request as soon as the last one was answered.
func machine(k costs, route string, clients int) result {
	c := new(clock)
	cpu := &cores{clock: c, free: 2, wake: k.wake}
	j := &journal{clock: c, on: cpu, base: k.base, each: k.each, sync: k.sync, calls: k.calls}
	log := &chain{clock: c, write: j.write}
	n := writes(route)
	part := k.handle[route] / float64(n+1)
	var times []float64
	var send func()
	send = func() {
		cpu.use(k.client, false, func() {
			began := c.now
			answer := func() {
				if route != grant && n > 0 {
					log.outcome()
				}
				times = append(times, c.now-began)
				send()
			}
			var step func(left int)
			step = func(left int) {
				cpu.use(part, true, func() {
					switch {
					case left == 0:
						answer()
					case left == n:
						log.record(func() { step(left - 1) })
					default:
						j.write(func() { step(left - 1) })
					}
				})
			}
			step(n)
		})
	}
	for range clients {
		send()
	}
	c.run(warmUp)
	times, cpu.spent = nil, 0
	c.run(warmUp + window)
	return result{
		rate: float64(len(times)) / (window / 1e6), cpu: cpu.spent / float64(len(times)),
		p50: quantile(times, .5) / 1000, p99: quantile(times, .99) / 1000,
	}
}

const (
	warmUp = 100_000 // microseconds
	window = 500_000 // of measuring
)

func quantile(times []float64, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))]
}
