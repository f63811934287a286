// Command cardfacts says what the server makes of the lines of standard input:
// of "brand NUMBER" the brand's id, of "expiry TEXT" the date as MM/YYYY, and an
// empty line for what it refuses; of "number NUMBER" what it says to a person who
// entered that, and of "date TEXT" likewise, by the key of the text. Tests of the
// pages' scripts compare themselves with it.
package main

import (
	"bufio"
	"log"
	"os"
	"strings"
	"time"

	"ccms/internal/card"
	"ccms/internal/page/cardfields"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("cardfacts: ")
	answers := map[string]func(string) string{
		"brand": brand, "expiry": expiry,
		"number": func(text string) string { return cardfields.NumberFault([]byte(text)).Key },
		"date": func(text string) string {
			_, f := cardfields.ParseExpiry(text, time.Now())
			return f.Key
		},
	}
	in, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	for in.Scan() {
		what, text, _ := strings.Cut(in.Text(), " ")
		answer, ok := answers[what]
		if !ok {
			log.Fatalf("begin each line with brand, expiry, number or date, not with %q", what)
		}
		_, _ = out.WriteString(answer(text) + "\n") // Flush has the error
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
	e, f := cardfields.ParseExpiry(text, time.Now())
	if f.Key != "" {
		return ""
	}
	return e.String()
}
