//go:build peers || chaos

package e2e

import (
	"context"
	"crypto/rand"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// database gives a test a database of its own on the deployment that
// CCMS_TEST_MONGODB_URL names, and looks into it with the bare driver. It is
// dropped when the test ends.
func database(t testing.TB) (at string, bare *mongo.Database) {
	t.Helper()
	given := os.Getenv("CCMS_TEST_MONGODB_URL")
	if given == "" {
		t.Fatal("these tests need a MongoDB: give its URL in CCMS_TEST_MONGODB_URL, or run make check-peers")
	}
	before, query, _ := strings.Cut(given, "?")
	scheme, rest, _ := strings.Cut(before, "://")
	hosts, _, _ := strings.Cut(rest, "/")
	name := "ccms_test_" + strings.ToLower(rand.Text()[:12])
	at = scheme + "://" + hosts + "/" + name + "?" + query
	client, err := mongo.Connect(options.Client().ApplyURI(at))
	if err != nil {
		t.Fatal(err)
	}
	bare = client.Database(name)
	t.Cleanup(func() {
		if err := bare.Drop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return at, bare
}

// onMongo are the flags of a service that keeps its documents at a URL.
func onMongo(at string) []string {
	return []string{"--store.url", at, "--store.allow-standalone"}
}

var bcryptShape = regexp.MustCompile(`^\$2a\$10\$[./A-Za-z0-9]{53}$`)

// TestDocumentsHaveTheContractsShape reads with the bare driver what the
// services wrote, and compares it with the entities of contract sections 6.1
// and 6.2, member by member.
func TestDocumentsHaveTheContractsShape(t *testing.T) {
	at, bare := database(t)
	p := start(t, onMongo(at)...)
	c := newClient(t)
	who := signUp(t, c, p, "johndoe")
	c.must(t, 201, "POST", p.CreditCard+"/api/customer/creditcard", map[string]any{
		"cardNumber": "4111111111111111", "cvv": "123", "expiryMonth": 12, "expiryYear": 2031, "wireTransactionVendor": "Visa",
	}, nil, who.auth()...)

	customer := one(t, bare.Collection("Customer"), bson.D{{Key: "username", Value: "johndoe"}})
	compare(t, customer, map[string]any{
		"username":           "johndoe",
		"name.first":         "Ann",
		"name.last":          "Example",
		"email":              who.email,
		"password":           bcryptShape,
		"accountValidated":   true,
		"verificationToken":  nil, // decision F3: only hashes of tokens are kept, elsewhere
		"resetPasswordToken": nil,
	})
	history, ok := customer.Lookup("passwordHistory").ArrayOK()
	if !ok {
		t.Fatalf("passwordHistory is %v", customer.Lookup("passwordHistory"))
	}
	past, err := history.Values()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range past {
		if s, ok := v.StringValueOK(); !ok || !bcryptShape.MatchString(s) {
			t.Errorf("passwordHistory holds %v", v)
		}
	}

	holder := one(t, bare.Collection("CreditCard"), bson.D{{Key: "username", Value: "johndoe"}})
	if id := holder.Lookup("_id"); !id.Equal(customer.Lookup("_id")) {
		t.Errorf("the holder is %v, the customer %v", id, customer.Lookup("_id"))
	}
	compare(t, holder, map[string]any{
		"creditcards.0.creditCardId":          bson.TypeInt64,
		"creditcards.0.creditCardNumber":      regexp.MustCompile(`^AES256\{[A-Za-z0-9+/]+=*\}$`),
		"creditcards.0.expiryMonth":           int64(12),
		"creditcards.0.expiryYear":            int64(2031),
		"creditcards.0.cvv":                   nil, // decision C11: never kept
		"creditcards.0.status":                "enabled",
		"creditcards.0.deleted":               false,
		"creditcards.0.wireTransactionVendor": "Visa",
	})
}

// one returns the only document that filter finds.
func one(t *testing.T, c *mongo.Collection, filter bson.D) bson.Raw {
	t.Helper()
	found, err := c.Find(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	var all []bson.Raw
	if err := found.All(t.Context(), &all); err != nil || len(all) != 1 {
		t.Fatalf("%d documents in %s, %v", len(all), c.Name(), err)
	}
	return all[0]
}

// compare holds members of a document against values, shapes or types.
func compare(t *testing.T, doc bson.Raw, want map[string]any) {
	t.Helper()
	for path, want := range want {
		v, err := doc.LookupErr(strings.Split(path, ".")...)
		if err != nil {
			t.Errorf("there is no %s", path)
			continue
		}
		ok := false
		switch want := want.(type) {
		case nil:
			ok = v.Type == bson.TypeNull
		case bool:
			b, is := v.BooleanOK()
			ok = is && b == want
		case string:
			s, is := v.StringValueOK()
			ok = is && s == want
		case int64:
			n, is := v.AsInt64OK()
			ok = is && n == want
		case bson.Type:
			ok = v.IsNumber() == (want == bson.TypeInt64)
		case *regexp.Regexp:
			s, is := v.StringValueOK()
			ok = is && want.MatchString(s)
		}
		if !ok {
			t.Errorf("%s is %v, want %v", path, v, want)
		}
	}
}
