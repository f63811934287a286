package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"ccms/client"
)

// testServer answers as a CCMS does, so that the examples run anywhere.
func testServer() *httptest.Server {
	mux := http.NewServeMux()
	say := func(pattern string, status int, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	say("POST /oauth2/token", 200, `{"access_token":"…","token_type":"Bearer","expires_in":600}`)
	say("GET /status/{id}", 200, `{"registration_id":"01a2","status":"verified","token":"tok_7h","brand":"Visa","last4":"1111","expiry":"12/2030"}`)
	say("GET /v1/registrations", 200, `{"data":[{"registration_id":"01a2","status":"verified","last4":"1111","reference":"order-7"}],"next_cursor":null}`)
	say("POST /v1/cards/{token}/reveal", 200, `{"card_number":"4111111111111111","expiry_date":"12/2030","cardholder_name":"Jane Doe"}`)
	say("POST /v1/registrations/bulk", 200, `{"line":1,"code":201,"registration_id":"01a2","status":"pending"}
{"line":2,"code":400,"error":"Invalid expiry date","errorCode":"INVALID_EXPIRY","details":"The card's month is over."}
`)
	mux.HandleFunc("POST /register", func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), "4111111111111111") {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"error":"Invalid credit card number","errorCode":"INVALID_CARD","details":"The number does not pass the Luhn check.","timestamp":"2027-03-10T08:00:00.000Z","path":"/register"}`)
			return
		}
		w.WriteHeader(201)
		_, _ = io.WriteString(w, `{"registration_id":"01a2","status":"pending"}`)
	})
	return httptest.NewServer(mux)
}

// open returns a client of a server.
func open(server *httptest.Server) *client.Client {
	c, err := client.New(client.Config{BaseURL: server.URL, ClientID: "client_1", Secret: client.Text("secret")})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func Example() {
	server := testServer()
	defer server.Close()
	c, err := client.New(client.Config{
		BaseURL:  server.URL, // "https://cards.example.com"
		ClientID: "client_1",
		Secret:   client.Text("secret"), // from a file or a vault, not from the source
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	made, err := c.Register(ctx, client.CardData{
		Number: client.Text("4111111111111111"), Code: client.Text("123"), Expiry: "12/2030",
		Holder: client.Text("Jane Doe"), Reference: "order-7", IdempotencyKey: "order-7",
	})
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := c.Await(ctx, made.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome.State, outcome.Brand, outcome.Last4, outcome.Token)
	// Output: verified Visa 1111 tok_7h
}

func ExampleError() {
	server := testServer()
	defer server.Close()
	_, err := open(server).Register(context.Background(), client.CardData{Number: client.Text("4111111111111112")})
	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == client.CodeInvalidCard {
		fmt.Println("ask for another card:", e.Details)
	}
	// Output: ask for another card: The number does not pass the Luhn check.
}

func ExampleClient_Bulk() {
	server := testServer()
	defer server.Close()
	cards := []client.CardData{
		{Number: client.Text("4111111111111111"), Code: client.Text("123"), Expiry: "12/2030", Holder: client.Text("Jane Doe")},
		{Number: client.Text("5555555555554444"), Code: client.Text("123"), Expiry: "12/2020", Holder: client.Text("John Doe")},
	}
	for r := range open(server).Bulk(context.Background(), cards) {
		switch e, refused := errors.AsType[*client.Error](r.Err); {
		case r.Err == nil:
			fmt.Println(r.Index, r.ID)
		case r.Settled && refused:
			fmt.Println(r.Index, "refused:", e.Code)
		default:
			fmt.Println(r.Index, "not known:", r.Err)
		}
	}
	// Output:
	// 0 01a2
	// 1 refused: INVALID_EXPIRY
}

func ExampleClient_Registrations() {
	server := testServer()
	defer server.Close()
	for r, err := range open(server).Registrations(context.Background(), client.Filter{State: client.Verified}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.ID, r.Last4, r.Reference)
	}
	// Output: 01a2 1111 order-7
}

func ExampleClient_Reveal() {
	server := testServer()
	defer server.Close()
	card, err := open(server).Reveal(context.Background(), "tok_7h", "chargeback 4711")
	if err != nil {
		log.Fatal(err)
	}
	defer card.Wipe()
	fmt.Println(card.Number, card.Number.Len(), card.Expiry) // Number.Reveal() has the digits
	// Output: [redacted] 16 12/2030
}

func ExampleVerifier() {
	secret := hookSecret() // "whsec_…", as it was shown when the endpoint was made
	v, err := client.NewVerifier(client.VerifierConfig{Secrets: []client.Secret{client.Text(secret)}})
	if err != nil {
		log.Fatal(err)
	}
	receive := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := v.Verify(r.Header, body)
		if err != nil {
			http.Error(w, "not from the service", http.StatusBadRequest)
			return
		}
		fmt.Println(event.ID, event.Type) // put it in your queue, unless you have event.ID already
		w.WriteHeader(http.StatusNoContent)
	}

	r := httptest.NewRequest("POST", "/ccms", strings.NewReader(`{"type":"registration.verified"}`))
	r.Header.Set("Webhook-Id", "evt_1")
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	r.Header.Set("Webhook-Signature", "v1,forged")
	w := httptest.NewRecorder()
	receive(w, r)
	fmt.Println(w.Code)
	// Output: 400
}
