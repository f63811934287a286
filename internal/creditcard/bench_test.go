package creditcard_test

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkAdd is a first card of ever new cardholders, durable with its two
// audit records.
func BenchmarkAdd(b *testing.B) {
	for _, key := range []bool{false, true} {
		b.Run(fmt.Sprint("key=", key), func(b *testing.B) {
			w := newWorld(b)
			var n atomic.Int64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c := addCall(fmt.Sprint("holder-", n.Add(1)), visa)
					if key {
						c.key = "k"
					}
					if a := send(b, w.handler, c); a.status != 201 {
						b.Errorf("%d %s", a.status, a.body)
					}
				}
			})
		})
	}
}

func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	for _, n := range []string{visa, mastercard, amex} {
		w.add("alice", n)
	}
	for b.Loop() {
		w.list("alice")
	}
}
