package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ccms/internal/store"
	"ccms/internal/store/sqlitestore"
)

func TestAMessageIsHandledOnceAndErased(t *testing.T) {
	f := setUp(t, nil)
	run(t, f.Queue)
	put(t, f.Queue, message("m1"))
	c := <-f.calls
	if c.ID != "m1" || c.Kind != "k" || c.Owner != "o" || string(c.Payload) != "says m1" {
		t.Errorf("got %+v", c.Message)
	}
	put(t, f.Queue, message("m1")) // still there, so the same message
	c.answer <- nil
	f.gone("m1")
	f.clock.Advance(time.Hour)
	put(t, f.Queue, message("m2"))
	if c := <-f.calls; c.ID != "m2" {
		t.Errorf("handled %s again", c.ID)
	} else {
		c.answer <- nil
	}
}

func TestPutWakesTheQueueAtOnce(t *testing.T) {
	f := setUp(t, func(c *Config) { c.Poll = time.Hour })
	run(t, f.Queue)
	for i := range 50 {
		put(t, f.Queue, message(fmt.Sprint(i)))
		c := <-f.calls
		c.answer <- nil
		f.gone(c.ID)
	}
}

func TestADelayedMessageWaits(t *testing.T) {
	f := setUp(t, nil)
	run(t, f.Queue)
	m := message("m")
	m.Delay = 10 * time.Second
	put(t, f.Queue, m)
	f.clock.Advance(m.Delay - time.Millisecond)
	select {
	case <-f.calls:
		t.Fatal("too early")
	case <-time.After(8 * time.Millisecond): // some polls
	}
	f.clock.Advance(2 * time.Millisecond)
	c := <-f.calls
	c.answer <- nil
	f.gone("m")
}

func TestMessagesOfAnotherProcessAreFound(t *testing.T) {
	f := setUp(t, nil)
	run(t, f.Queue)
	cfg := f.cfg
	cfg.Handlers = nil
	put(t, connect(t, cfg), message("m"))
	c := <-f.calls
	c.answer <- nil
	f.gone("m")
}

func TestAFailedMessageComesBackLaterAndLater(t *testing.T) {
	f := setUp(t, nil)
	run(t, f.Queue)
	put(t, f.Queue, message("m"))
	for i, wait := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 45 * time.Second, 45 * time.Second} {
		c := <-f.calls
		c.answer <- errDown
		due := f.putOff("m", i+1).Due.Sub(f.clock.Now())
		if due < wait-time.Millisecond || due > wait+wait/5 {
			t.Errorf("after failure %d it is due in %s, want %s and up to a fifth", i+1, due, wait)
		}
		f.clock.Advance(due - time.Millisecond)
		select {
		case <-f.calls:
			t.Fatal("too early")
		case <-time.After(8 * time.Millisecond): // some polls
		}
		f.clock.Advance(2 * time.Millisecond)
	}
	c := <-f.calls
	c.answer <- nil
	f.gone("m")
}

func TestAMessageDies(t *testing.T) {
	policy := func(c *Config) {
		c.Retry = Retry{Delays: []time.Duration{time.Minute}, MaxAge: time.Hour}
		c.Retries = map[string]Retry{"k": {Delays: []time.Duration{time.Minute}, MaxAge: 2 * time.Hour}}
	}
	forever := func(c *Config) { c.Retry = Retry{MaxAge: Forever} }
	tests := []struct {
		name   string
		change func(*Config)
		age    time.Duration
		err    error
		dies   bool
	}{
		{"at once when the failure is permanent", nil, 0, Permanent(errDown), true},
		{"at once when a permanent failure is wrapped", nil, 0, fmt.Errorf("send: %w", Permanent(errDown)), true},
		{"not before its age", nil, 24*time.Hour - time.Minute, errDown, false},
		{"of age", nil, 24 * time.Hour, errDown, true},
		{"not before the age of its kind", policy, 90 * time.Minute, errDown, false},
		{"of the age of its kind", policy, 2 * time.Hour, errDown, true},
		{"never where it lives forever", forever, 1e5 * time.Hour, errDown, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := setUp(t, tt.change)
			put(t, f.Queue, message("m"))
			f.clock.Advance(tt.age)
			stop := run(t, f.Queue)
			c := <-f.calls
			c.answer <- tt.err
			stop()
			l, there := f.letter("m")
			if !there || (l.State == dead) != tt.dies {
				t.Fatalf("letter %+v, %v", l, there)
			}
			if tt.dies != (l.Expires != nil) || tt.dies && l.Expires.Sub(f.clock.Now()).Round(time.Hour) != 30*24*time.Hour {
				t.Errorf("expires %v", l.Expires)
			}
			s, err := f.Stats(t.Context())
			if err != nil || tt.dies != (s.Dead == 1) || tt.dies == (s.Queued == 1) {
				t.Errorf("stats %+v, %v", s, err)
			}
		})
	}
}

func TestAfterACrashAnotherTakesOver(t *testing.T) {
	f := setUp(t, nil)
	put(t, f.Queue, message("m"))
	r, err := f.docs.Get(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	lost, err := f.take(t.Context(), r) // and no word of it any more
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.take(t.Context(), r); !errors.Is(err, store.ErrStale) {
		t.Errorf("a second worker took it too: %v", err)
	}
	run(t, connect(t, f.cfg))
	f.clock.Advance(59 * time.Second)
	select {
	case <-f.calls:
		t.Fatal("handled while it was leased")
	case <-time.After(10 * time.Millisecond):
	}
	f.clock.Advance(time.Second)
	c := <-f.calls
	// The first worker was only slow. Its word comes too late to harm.
	for _, outcome := range []error{nil, errDown, Permanent(errDown)} {
		if err := f.settle(t.Context(), lost, outcome, f.cfg.Log); !errors.Is(err, store.ErrStale) {
			t.Errorf("the late worker settled: %v", err)
		}
	}
	c.answer <- nil
	f.gone("m")
}

func TestManyWorkersHandleEachMessageOnce(t *testing.T) {
	const messages = 400
	var mu sync.Mutex
	count := map[string]int{}
	f := setUp(t, func(c *Config) {
		c.Workers, c.Poll = 32, 50*time.Millisecond
		c.Handlers = map[string]Handler{"k": func(_ context.Context, m Message) error {
			mu.Lock()
			defer mu.Unlock()
			count[m.ID]++
			if string(m.Payload) != "says "+m.ID {
				return Permanent(errors.New("payload of another message"))
			}
			return nil
		}}
	})
	other := connect(t, f.cfg)
	stops := []func(){run(t, f.Queue), run(t, other)}
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range messages / 8 {
				put(t, []*Queue{f.Queue, other}[i%2], message(fmt.Sprint(w, "/", i)))
			}
		})
	}
	group.Wait()
	f.until("the queue is empty", func() bool {
		s, err := f.Stats(t.Context())
		return err == nil && s == Stats{}
	})
	for _, stop := range stops {
		stop()
	}
	if len(count) != messages {
		t.Errorf("%d messages handled", len(count))
	}
	for id, n := range count {
		if n != 1 {
			t.Errorf("message %s was handled %d times", id, n)
		}
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	f := setUp(t, func(c *Config) {
		handle := c.Handlers["k"]
		c.Handlers["k"] = func(ctx context.Context, m Message) error {
			if err := handle(ctx, m); err != nil {
				panic("whisper " + string(m.Payload))
			}
			return nil
		}
	})
	stop := run(t, f.Queue)
	put(t, f.Queue, message("m"))
	(<-f.calls).answer <- errDown
	f.putOff("m", 1)
	f.clock.Advance(time.Minute)
	(<-f.calls).answer <- nil
	f.gone("m")
	stop()
	if s := f.log.String(); strings.Contains(s, "whisper") || !strings.Contains(s, "panicked with a string") || !strings.Contains(s, "ccms.outbox.id=m ccms.outbox.kind=k ccms.outbox.try=1") {
		t.Errorf("log: %s", s)
	}
}

func TestAHandlerHasLessTimeThanItsLease(t *testing.T) {
	ends := make(chan time.Duration, 1)
	f := setUp(t, func(c *Config) {
		c.Handlers["k"] = func(ctx context.Context, _ Message) error {
			end, _ := ctx.Deadline()
			ends <- time.Until(end)
			return nil
		}
	})
	run(t, f.Queue)
	put(t, f.Queue, message("m"))
	if d := <-ends; d <= 40*time.Second || d > 45*time.Second {
		t.Errorf("it has %s of a minute", d)
	}
}

func TestWhatAStopInterruptsIsGivenBack(t *testing.T) {
	f := setUp(t, nil)
	stop := run(t, f.Queue)
	put(t, f.Queue, message("m"))
	f.until("it is taken", func() bool { l, _ := f.letter("m"); return l.Tries == 1 })
	stop() // the handler returns ctx.Err
	if l, there := f.letter("m"); !there || l.Tries != 0 || l.State != queued || l.Due.After(f.clock.Now()) {
		t.Errorf("letter %+v, %v", l, there)
	}
	run(t, connect(t, f.cfg))
	(<-f.calls).answer <- nil
	f.gone("m")
}

func TestAStopLetsAHandlerFinish(t *testing.T) {
	f := setUp(t, nil)
	stop := run(t, f.Queue)
	put(t, f.Queue, message("m"))
	c := <-f.calls
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	c.answer <- nil
	<-stopped
	if _, there := f.letter("m"); there {
		t.Error("what was delivered is still queued")
	}
}

func TestDropOwner(t *testing.T) {
	f := setUp(t, nil)
	for i := range 10 {
		m := message(fmt.Sprint(i))
		m.Owner = fmt.Sprint("o", i%2)
		put(t, f.Queue, m)
	}
	r, err := f.docs.Get(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = f.take(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if err := f.settle(t.Context(), r, Permanent(errDown), f.cfg.Log); err != nil {
		t.Fatal(err)
	}
	if err := f.DropOwner(t.Context(), "o0"); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, there := f.letter(fmt.Sprint(i)); there != (i%2 == 1) {
			t.Errorf("message %d is there: %v", i, there)
		}
	}
}

func TestDropOwnerWhileHisMessagesAreHandled(t *testing.T) {
	f := setUp(t, func(c *Config) {
		c.Handlers["k"] = func(context.Context, Message) error { return errDown }
		c.Retry = Retry{Delays: []time.Duration{time.Nanosecond}}
	})
	run(t, f.Queue)
	for i := range 50 {
		put(t, f.Queue, message(fmt.Sprint(i)))
	}
	if err := f.DropOwner(t.Context(), "o"); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Stats(t.Context()); err != nil || s != (Stats{}) {
		t.Errorf("stats %+v, %v", s, err)
	}
}

func TestStats(t *testing.T) {
	f := setUp(t, nil)
	if s, err := f.Stats(t.Context()); err != nil || s != (Stats{}) {
		t.Errorf("empty: %+v, %v", s, err)
	}
	for i := range 3 {
		put(t, f.Queue, message(fmt.Sprint(i)))
		f.clock.Advance(time.Minute)
	}
	if s, err := f.Stats(t.Context()); err != nil || s.Queued != 3 || s.Dead != 0 || s.Oldest.Round(time.Second) != 3*time.Minute {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNothingIsStoredInClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	q := connect(t, Config{DB: db, Sealer: newBox(t)})
	put(t, q, Message{ID: "m", Kind: "k", Payload: []byte("canary-in-the-payload")})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(path + "*")
	for _, name := range files {
		if content, err := os.ReadFile(name); err != nil || bytes.Contains(content, []byte("canary")) {
			t.Errorf("%s holds the payload, %v", filepath.Base(name), err)
		}
	}
}

func TestAPayloadMovedToAnotherMessageIsNotDelivered(t *testing.T) {
	moved := map[string]func(*store.Record[letter]){
		"another id":    func(r *store.Record[letter]) { r.ID = "n" },
		"another kind":  func(r *store.Record[letter]) { r.Value.Kind = "other" },
		"another owner": func(r *store.Record[letter]) { r.Value.Owner = "x" },
		"a shifted id":  func(r *store.Record[letter]) { r.ID, r.Value.Kind = "mk", "" },
	}
	for name, change := range moved {
		t.Run(name, func(t *testing.T) {
			f := setUp(t, func(c *Config) {
				c.Handlers["other"] = c.Handlers["k"]
				c.Handlers[""] = c.Handlers["k"]
			})
			put(t, f.Queue, message("m"))
			r, err := f.docs.Get(t.Context(), "m")
			if err != nil {
				t.Fatal(err)
			}
			if err := f.docs.Delete(t.Context(), "m", r.Rev); err != nil {
				t.Fatal(err)
			}
			change(&r)
			if err := f.docs.Insert(t.Context(), r.ID, r.Value); err != nil {
				t.Fatal(err)
			}
			run(t, f.Queue)
			f.until("it is tried, and not delivered", func() bool {
				l, _ := f.letter(r.ID)
				select {
				case c := <-f.calls:
					t.Fatalf("delivered %+v", c.Message)
				default:
				}
				return l.Tries == 1 && !f.has(r.ID)
			})
		})
	}
}

func TestAFailureIsTriedAgainBeforeTheNextPoll(t *testing.T) {
	tries := make(chan []byte, 2)
	f := setUp(t, func(c *Config) {
		c.Poll, c.Now = time.Hour, time.Now
		c.Retry = Retry{Delays: []time.Duration{time.Millisecond}}
		c.Handlers["k"] = func(_ context.Context, m Message) error {
			tries <- m.Payload
			if len(tries) == 1 {
				return errDown
			}
			return nil
		}
	})
	run(t, f.Queue)
	put(t, f.Queue, message("m"))
	f.gone("m")
	for range 2 { // what the handler kept against the rule is wiped
		if payload := <-tries; len(payload) == 0 || len(bytes.Trim(payload, "\x00")) != 0 {
			t.Errorf("the payload is still in memory: %q", payload)
		}
	}
}

func TestAMessageWithoutHandlerWaitsForOne(t *testing.T) {
	f := setUp(t, nil)
	stop := run(t, f.Queue)
	m := message("m")
	m.Kind = "later"
	put(t, f.Queue, m)
	f.putOff("m", 1)
	stop()
	f.cfg.Handlers["later"] = f.cfg.Handlers["k"]
	f.clock.Advance(time.Minute)
	run(t, connect(t, f.cfg))
	(<-f.calls).answer <- nil
	f.gone("m")
}

func TestPutRefuses(t *testing.T) {
	f := setUp(t, nil)
	for name, m := range map[string]Message{
		"no ID": {Kind: "k"}, "no kind": {ID: "m"}, "a NUL": {ID: "m\x00", Kind: "k"},
	} {
		if err := f.Put(t.Context(), m); err == nil {
			t.Errorf("a message with %s was taken", name)
		}
	}
	if _, err := Open(t.Context(), Config{DB: f.cfg.DB}); err == nil {
		t.Error("a queue without a sealer was opened")
	}
}
