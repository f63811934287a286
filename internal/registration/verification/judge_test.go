package verification_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ccms/internal/card"
	"ccms/internal/clocktest"
	"ccms/internal/registration/verification"
	"ccms/internal/webhook"
)

const (
	visa       = "4111111111111111"
	mastercard = "5555555555554444"
	coBadged   = "6362970000457013" // Elo, in Maestro's range
)

func newClock() *clocktest.Clock {
	return clocktest.At(time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC))
}

func config(c *clocktest.Clock) verification.Config {
	return verification.Config{Client: webhook.NewClient(webhook.ClientConfig{AllowPrivate: true, Now: c.Now}), Secret: webhook.NewSecret(), Now: c.Now}
}

func number(t testing.TB, digits string) card.Number {
	t.Helper()
	n, err := card.Parse(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// numberUnder makes the i-th valid number that begins with a BIN.
func numberUnder(t testing.TB, bin string, i int) card.Number {
	t.Helper()
	body := bin + strconv.Itoa(1_000_000_000 + i)[1:]
	for check := range 10 {
		if n, err := card.Parse(body + strconv.Itoa(check)); err == nil {
			return n
		}
	}
	t.Fatalf("no number under %s", bin)
	return card.Number{}
}

func open(t testing.TB, c verification.Config) *verification.Pipeline {
	t.Helper()
	p, err := verification.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func caseOf(t testing.TB, digits string, rules verification.Rules) verification.Case {
	n := number(t, digits)
	return verification.Case{
		RegistrationID: "reg_1", FirmID: "firm_1", ClientID: "client_1", Mode: "test", Token: "tok_1",
		BIN: n.BIN(), Last4: n.Last4(), Brand: n.Brand().Name, Expiry: "03/2030", Reference: "order-7",
		Number: n, RegisteredToday: 1, Rules: rules,
	}
}

// adopted is what a firm's rules become.
func adopted(t testing.TB, p *verification.Pipeline, rules verification.Rules) verification.Rules {
	t.Helper()
	rules, _, err := p.Adopt(verification.Change{FirmID: "firm_1", Mode: "live", After: rules})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestJudge(t *testing.T) {
	type rules = verification.Rules
	endpoint := &verification.Endpoint{URL: "https://firm.example/verify"}
	for _, tt := range []struct {
		name           string
		digits         string
		rules          rules
		today          int
		status, reason string
		flags          []string
	}{
		{"no rules accept every card", visa, rules{}, 1, "verified", "", nil},
		{"an endpoint leaves it pending", visa, rules{Endpoint: endpoint}, 1, "pending", "", nil},
		{"an accepted brand passes", visa, rules{Brands: []string{"mastercard", "VISA"}}, 1, "verified", "", nil},
		{"a brand is accepted by its alias", "378282246310005", rules{Brands: []string{"Amex"}}, 1, "verified", "", nil},
		{"another brand is rejected", mastercard, rules{Brands: []string{"Visa"}}, 1, "rejected", "brand_not_accepted", nil},
		{"a card of several brands passes for any of them", coBadged, rules{Brands: []string{"Elo"}}, 1, "verified", "", nil},
		{"another brand is rejected before the endpoint is asked", mastercard, rules{Brands: []string{"Visa"}, Endpoint: endpoint}, 1, "rejected", "brand_not_accepted", nil},
		{"a denied BIN of six digits is rejected", visa, rules{BINDeny: []string{"411111"}}, 1, "rejected", "bin_denied", nil},
		{"a denied BIN of eight digits is rejected", visa, rules{BINDeny: []string{"41111111"}}, 1, "rejected", "bin_denied", nil},
		{"a BIN that differs in the eighth digit passes", visa, rules{BINDeny: []string{"41111112"}}, 1, "verified", "", nil},
		{"an allowed BIN passes", visa, rules{BINAllow: []string{"555555", "4111111"}}, 1, "verified", "", nil},
		{"a BIN that is not allowed is rejected", visa, rules{BINAllow: []string{"555555"}}, 1, "rejected", "bin_not_allowed", nil},
		{"deny wins over allow", visa, rules{BINAllow: []string{"411111"}, BINDeny: []string{"41111111"}}, 1, "rejected", "bin_denied", nil},
		{"the ninth time a day passes", visa, rules{}, 9, "verified", "", nil},
		{"the tenth time a day is flagged", visa, rules{}, 10, "verified", "", []string{"velocity_card"}},
		{"the tenth time a day is rejected where the firm says so", visa, rules{Velocity: "refuse"}, 10, "rejected", "velocity_card", []string{"velocity_card"}},
		{"the tenth time a day stays pending when flagged", visa, rules{Velocity: "flag", Endpoint: endpoint}, 10, "pending", "", []string{"velocity_card"}},
		{"what was noticed stands beside another reason", visa, rules{BINDeny: []string{"411111"}}, 12, "rejected", "bin_denied", []string{"velocity_card"}},
		{"the reaction to a walk is not the one to velocity", visa, rules{BINWalk: "refuse"}, 10, "verified", "", []string{"velocity_card"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, config(newClock()))
			c := caseOf(t, tt.digits, adopted(t, p, tt.rules))
			c.RegisteredToday = tt.today
			v := p.Judge(c)
			if v.Status != tt.status || v.Reason != tt.reason || !slices.Equal(v.Flags, tt.flags) || v.CVVStatus != "unchecked" {
				t.Errorf("got %+v, want %s %q %v", v, tt.status, tt.reason, tt.flags)
			}
		})
	}
}

func TestTheHundredthRegistrationWithinAMinute(t *testing.T) {
	for _, how := range []verification.Reaction{"", verification.Flag, verification.Refuse} {
		t.Run("with the reaction "+string(how), func(t *testing.T) {
			clock := newClock()
			p := open(t, config(clock))
			c := caseOf(t, visa, verification.Rules{Velocity: how})
			for i := range 99 {
				if v := p.Judge(c); len(v.Flags) > 0 || v.Status != "verified" {
					t.Fatalf("registration %d: %+v", i+1, v)
				}
				clock.Advance(time.Minute / 100)
			}
			v := p.Judge(c)
			if !slices.Equal(v.Flags, []string{"velocity_client"}) || (v.Status == "rejected") != (how == "refuse") {
				t.Errorf("the hundredth: %+v", v)
			}
			other := c
			other.ClientID = "client_2"
			if v := p.Judge(other); len(v.Flags) > 0 {
				t.Errorf("another client: %+v", v)
			}
			clock.Advance(time.Minute)
			if v := p.Judge(c); len(v.Flags) > 0 {
				t.Errorf("a minute later: %+v", v)
			}
		})
	}
}

func TestARefusedClientWhoSlowsDownGetsThrough(t *testing.T) {
	clock := newClock()
	p := open(t, config(clock))
	c := caseOf(t, visa, verification.Rules{Velocity: verification.Refuse})
	refused := 0
	for range 300 { // one each tenth of a second, for half a minute
		if p.Judge(c).Status == "rejected" {
			refused++
		}
		clock.Advance(100 * time.Millisecond)
	}
	if refused != 201 {
		t.Errorf("%d refused, want all but 99", refused)
	}
	clock.Advance(30 * time.Second)
	if v := p.Judge(c); v.Status != "verified" {
		t.Errorf("a minute after the first: %+v", v)
	}
}

func TestAWalkThroughABIN(t *testing.T) {
	for _, how := range []verification.Reaction{"", verification.Refuse} {
		t.Run("with the reaction "+string(how), func(t *testing.T) {
			clock := newClock()
			p := open(t, config(clock))
			try := func(i int, client string) verification.Verdict {
				c := caseOf(t, visa, verification.Rules{BINWalk: how})
				c.Number, c.ClientID = numberUnder(t, "411111", i), client
				clock.Advance(time.Second)
				return p.Judge(c)
			}
			for i := range 19 {
				if v := try(i, "client_1"); len(v.Flags) > 0 {
					t.Fatalf("number %d: %+v", i+1, v)
				}
			}
			if v := try(7, "client_1"); len(v.Flags) > 0 {
				t.Errorf("a number tried before: %+v", v)
			}
			v := try(19, "client_1")
			if !slices.Equal(v.Flags, []string{"bin_walk"}) || (v.Status == "rejected") != (how == "refuse") {
				t.Errorf("the twentieth number: %+v", v)
			}
			if v := try(20, "client_2"); len(v.Flags) > 0 {
				t.Errorf("another client: %+v", v)
			}
			clock.Advance(10 * time.Minute)
			if v := try(21, "client_1"); len(v.Flags) > 0 {
				t.Errorf("ten minutes later: %+v", v)
			}
		})
	}
}

// TestAWalkGoesOn tries more numbers than are remembered: each is flagged, and
// what was tried first is new again.
func TestAWalkGoesOn(t *testing.T) {
	clock := newClock()
	p := open(t, config(clock))
	for i := range 100 {
		c := caseOf(t, visa, verification.Rules{})
		c.Number = numberUnder(t, "411111", i%50)
		clock.Advance(time.Second)
		if v := p.Judge(c); slices.Contains(v.Flags, "bin_walk") != (i >= 19) {
			t.Fatalf("number %d: %+v", i+1, v)
		}
	}
}

func TestManyBINsAreNoWalk(t *testing.T) {
	p := open(t, config(newClock()))
	for i := range 90 {
		c := caseOf(t, visa, verification.Rules{})
		c.Number = numberUnder(t, strconv.Itoa(400000+i), i)
		if v := p.Judge(c); len(v.Flags) > 0 {
			t.Fatalf("number %d: %+v", i+1, v)
		}
	}
}

// TestJudgeAgainstTheDefinition compares velocity with what decision G says, in
// words: a registration is over when it is the hundredth that counts within any
// minute; none below the limit is ever refused.
func TestJudgeAgainstTheDefinition(t *testing.T) {
	n := number(t, visa)
	rapid.Check(t, func(t *rapid.T) {
		clock := newClock()
		p, err := verification.New(config(clock))
		if err != nil {
			t.Fatal(err)
		}
		how := rapid.SampledFrom([]verification.Reaction{"", verification.Flag, verification.Refuse}).Draw(t, "reaction")
		gap := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second}).Draw(t, "gap")
		counted := map[string][]time.Time{}
		for range rapid.IntRange(1, 400).Draw(t, "registrations") {
			clock.Advance(time.Duration(rapid.Int64Range(0, int64(gap)).Draw(t, "wait")))
			id := rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "client")
			today := rapid.SampledFrom([]int{1, 1, 1, 9, 10}).Draw(t, "today")
			lately := 0
			for _, at := range counted[id] {
				if clock.Now().Sub(at) < time.Minute {
					lately++
				}
			}
			v := p.Judge(verification.Case{FirmID: "f", ClientID: id, Number: n, RegisteredToday: today, Rules: verification.Rules{Velocity: how}})
			over := lately >= 99
			if got := slices.Contains(v.Flags, "velocity_client"); got != over {
				t.Fatalf("after %d within a minute: flagged %v", lately, got)
			}
			if got, want := v.Status == "rejected", how == verification.Refuse && (over || today >= 10); got != want {
				t.Fatalf("after %d within a minute, %d today: rejected %v", lately, today, got)
			}
			if !over || how != verification.Refuse {
				counted[id] = append(counted[id], clock.Now())
			}
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	clock := newClock()
	c := config(clock)
	c.Clients, c.ClientBINs = 100, 100
	p := open(t, c)
	n := number(t, visa)
	for i := range 10_000 {
		p.Judge(verification.Case{FirmID: "f", ClientID: strconv.Itoa(i), Number: n})
	}
	if clients, pairs := p.Remembered(); clients > 100 || pairs > 100 {
		t.Errorf("%d clients and %d pairs are remembered", clients, pairs)
	}
	clock.Advance(time.Hour)
	p.Judge(verification.Case{FirmID: "f", ClientID: "last", Number: n})
	if clients, pairs := p.Remembered(); clients != 1 || pairs != 1 {
		t.Errorf("an hour later %d clients and %d pairs are remembered", clients, pairs)
	}
}

func TestRulesHaveAShape(t *testing.T) {
	type rules = verification.Rules
	for _, tt := range []struct {
		name  string
		rules rules
		ok    bool
	}{
		{"none", rules{}, true},
		{"all", rules{Brands: []string{"visa", "American Express", "amex"}, BINAllow: []string{"411111", "4111111"}, BINDeny: []string{"41111111"}, Velocity: "refuse", BINWalk: "flag"}, true},
		{"an unknown brand", rules{Brands: []string{"Vista"}}, false},
		{"an empty brand", rules{Brands: []string{""}}, false},
		{"too many brands", rules{Brands: slices.Repeat([]string{"visa"}, 65)}, false},
		{"a BIN of five digits", rules{BINAllow: []string{"41111"}}, false},
		{"a BIN of nine digits", rules{BINDeny: []string{"411111111"}}, false},
		{"a BIN with a letter", rules{BINDeny: []string{"41111a"}}, false},
		{"a BIN of other digits", rules{BINDeny: []string{"٤١"}}, false},
		{"too many BINs", rules{BINDeny: slices.Repeat([]string{"411111"}, 2001)}, false},
		{"an unknown reaction", rules{Velocity: "block"}, false},
		{"an unknown reaction to a walk", rules{BINWalk: "Refuse"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.rules.Validate(); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	full := verification.Rules{Brands: []string{"Mastercard", "Visa"}, BINAllow: []string{"411111"}}
	for i := range 1999 {
		full.BINAllow, full.BINDeny = append(full.BINAllow, strconv.Itoa(500000+i)), append(full.BINDeny, strconv.Itoa(41112000+i))
	}
	for _, bb := range []struct {
		name  string
		rules verification.Rules
	}{{"no rules", verification.Rules{}}, {"full lists", full}} {
		b.Run(bb.name, func(b *testing.B) {
			p := open(b, config(newClock()))
			rules := adopted(b, p, bb.rules)
			cases := make([]verification.Case, 1000)
			for i := range cases {
				cases[i] = caseOf(b, visa, rules)
				cases[i].Number, cases[i].ClientID = numberUnder(b, "411111", i), strconv.Itoa(i%50)
			}
			i := 0
			for b.Loop() {
				p.Judge(cases[i%len(cases)])
				i++
			}
		})
	}
}
