package creditcard_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"ccms/internal/store/storetest"
)

// asked is one operation of a history: what it does and to which number; list
// asks for all.
type asked struct {
	op     string
	number int
}

var historyNumbers = [3]string{visa, mastercard, amex}

// A holder's state is a letter per number: - never added, e enabled, d
// disabled, x deleted.
const nothing = "---"

func with(state string, number int, letter byte) string {
	b := []byte(state)
	b[number] = letter
	return string(b)
}

// step is what one operation does to a state, and the answer it then gives.
func step(state string, in asked) (string, string) {
	if in.op == "list" {
		return state, strings.ReplaceAll(state, "x", "-")
	}
	letter := state[in.number]
	switch in.op + string(letter) {
	case "add-", "addx":
		return with(state, in.number, 'e'), "201"
	case "adde", "addd":
		return state, "409 CARD_EXISTS"
	case "deletee", "deleted":
		return with(state, in.number, 'x'), "200"
	case "deletex":
		return state, "409 ALREADY_DELETED"
	case "togglee":
		return with(state, in.number, 'd'), "200 disabled"
	case "toggled":
		return with(state, in.number, 'e'), "200 enabled"
	case "togglex":
		return state, "409 CARD_DELETED"
	}
	return state, "404 CARD_NOT_FOUND"
}

// unknown is the answer of an operation that may or may not have happened.
const unknown = "503 DATABASE_ERROR"

var lifeCycle = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{nothing} },
	Step: func(state, in, out any) []any {
		next, answer := step(state.(string), in.(asked))
		switch out {
		case unknown:
			return []any{state, next}
		case answer:
			return []any{next}
		}
		return nil
	},
}).ToModel()

// ask performs an operation and says what came back.
func (w *world) ask(as string, in asked) string {
	number := historyNumbers[in.number]
	switch in.op {
	case "list":
		a := w.do(call{method: "GET", path: "/api/creditcards", as: as})
		if a.status != 200 {
			break
		}
		shown := nothing
		for _, o := range decode[[]object](w.t, a) {
			for i, n := range historyNumbers {
				if strings.HasSuffix(n, o.CreditCardNumber[len(o.CreditCardNumber)-4:]) {
					shown = with(shown, i, o.Status[0])
				}
			}
		}
		return shown
	case "add":
		return said(w.t, w.do(addCall(as, number)))
	case "delete":
		return said(w.t, w.delete(as, number))
	case "toggle":
		a := w.toggle(as, number)
		if a.status == 200 {
			return "200 " + decode[object](w.t, a).Status
		}
		return said(w.t, a)
	}
	return unknown
}

func said(t testing.TB, a answer) string {
	if a.status < 400 {
		return fmt.Sprint(a.status)
	}
	return fmt.Sprint(a.status, " ", decode[failure](t, a).ErrorCode)
}

// Six clients of two processes work on one holder's cards at once while now and
// then a write, or its acknowledgement, is lost. Some order of the operations,
// each at a moment between its request and its answer, must explain every
// answer.
func TestTheLifeOfCardsIsLinearisable(t *testing.T) {
	const histories, clients, operations = 25, 6, 12
	for h := range histories {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %#x", seed), func(t *testing.T) {
			t.Parallel()
			draw := rand.New(rand.NewPCG(seed, uint64(h)))
			w := newWorld(t)
			for range 3 {
				w.db.Add(storetest.Rule{
					Collection: "CreditCard", Op: storetest.Replace, Times: 1, Err: errDisk,
					Skip: draw.IntN(20), After: draw.IntN(2) == 0,
				})
			}
			plans := make([][]asked, clients)
			for c := range plans {
				for range operations {
					op := []string{"add", "add", "delete", "toggle", "toggle", "list"}[draw.IntN(6)]
					plans[c] = append(plans[c], asked{op, draw.IntN(len(historyNumbers))})
				}
			}
			if porcupine.CheckOperationsTimeout(lifeCycle, w.history(plans), time.Minute) != porcupine.Ok {
				t.Error("no order of the operations explains the answers")
			}
		})
	}
}

// history runs one client per plan and records when each operation was asked
// and answered.
func (w *world) history(plans [][]asked) []porcupine.Operation {
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	start := time.Now()
	for c, plan := range plans {
		wg.Go(func() {
			for _, in := range plan {
				o := porcupine.Operation{ClientId: c, Input: in, Call: int64(time.Since(start))}
				out := w.ask("alice", in)
				o.Output, o.Return = out, int64(time.Since(start))
				if out == unknown {
					o.Return = math.MaxInt64 // it may yet happen
				}
				mu.Lock()
				history = append(history, o)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}

func TestTheCheckerOfHistoriesFindsALostUpdate(t *testing.T) {
	at := func(call, end int64, in asked, out string) porcupine.Operation {
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: end}
	}
	history := []porcupine.Operation{
		at(0, 1, asked{"add", 0}, "201"),
		at(2, 5, asked{"toggle", 0}, "200 disabled"),
		at(3, 6, asked{"toggle", 0}, "200 disabled"),
	}
	if porcupine.CheckOperations(lifeCycle, history) {
		t.Error("two toggles answered alike and nobody noticed")
	}
}
