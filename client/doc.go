// Package client speaks to a CCMS for a firm: it registers cards, says what
// became of them, hands numbers back, and checks webhooks. It needs the standard
// library alone and is safe for concurrent use.
//
//	c, err := client.New(client.Config{
//		BaseURL:  "https://cards.example.com",
//		ClientID: "client_…",
//		Secret:   client.NewSecret(secret),
//	})
//	made, err := c.Register(ctx, client.CardData{
//		Number: client.NewSecret(number), Code: client.NewSecret(code),
//		Expiry: "12/2030", Holder: client.Text("Jane Doe"), Reference: "order-7",
//	})
//	outcome, err := c.Await(ctx, made.ID)
//
// A Client fetches its access token when it first needs one and another shortly
// before that expires; callers at the same time share one request.
//
// # Errors
//
// What the service refuses is an [*Error]; choose by its Code. What never came
// to an answer is an error of net/http or of the context.
//
//	if e, ok := errors.AsType[*client.Error](err); ok && e.Code == client.CodeInvalidCard {
//		…
//	}
//
// # Trying again
//
// What can be repeated without harm is repeated until it succeeds or
// [Config.RetryFor] is over: all that only reads, and registrations, which carry
// an Idempotency-Key and therefore happen once however often they are sent. A
// call is repeated after a broken connection and after 429, 502, 503, 504 and
// 409 IDEMPOTENCY_IN_PROGRESS, waiting as Retry-After says, else longer each
// time and never in step with others. All else (reveal, links, changes, erasure)
// is sent once; whether it happened after a broken connection is for the caller
// to look up. A call never goes on after its context has ended, and does not
// begin a wait that would outlast it.
//
// # Secrets
//
// Numbers, codes, names and client secrets are [Secret]s: they print as
// [redacted] everywhere and can be wiped. The package wipes the bodies it makes
// and reads; what net/http and TLS keep in their buffers is out of its reach, as
// are access tokens, which live ten minutes.
package client
