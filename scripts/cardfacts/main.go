// Command cardfacts says what the server makes of card numbers (argument
// brands) or expiry dates (argument expiries), one per line of standard input:
// the brand's id or the date as MM/YYYY, and an empty line for what it refuses.
// Tests of the pages' scripts compare themselves with it.
package main

import (
	"bufio"
	"log"
	"os"
	"time"

	"ccms/internal/card"
	"ccms/internal/page/cardfields"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cardfacts: ")
	answer, ok := map[string]func(string) string{"brands": brand, "expiries": expiry}[os.Args[len(os.Args)-1]]
	if !ok {
		log.Fatal("say brands or expiries")
	}
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	for in.Scan() {
		_, _ = out.WriteString(answer(in.Text()) + "\n") // Flush has the error
	}
	if err := in.Err(); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func brand(number string) string {
	n, err := card.Parse(number)
	if err != nil {
		return ""
	}
	defer n.Wipe()
	return n.Brand().ID
}

func expiry(text string) string {
	e, err := cardfields.ParseExpiry(text, time.Now())
	if err != nil {
		return ""
	}
	return e.String()
}
