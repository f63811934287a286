package card

// published are the card numbers that schemes and payment services publish
// for tests (Stripe, Braintree, PAYONE, Worldpay, Basis Theory, EBANX, Adyen,
// Mastercard Gateway, Hyperswitch), and the first of Mir's range, for which
// nobody publishes one. No issuer gives them out.
var published = map[string]struct{}{
	// Visa.
	"4111111111111111": {}, "4242424242424242": {}, "4012888888881881": {}, "4000056655665556": {},
	"4444333322221111": {}, "4111141011111111116": {},
	// Mastercard.
	"5555555555554444": {}, "5105105105105100": {}, "2223000048400011": {}, "2720990000000015": {},
	"2720394612465072": {}, "5200828282828210": {}, "5123450000000008": {},
	// American Express.
	"378282246310005": {}, "371449635398431": {}, "370000000000002": {}, "371881634498004": {},
	// Discover.
	"6011111111111117": {}, "6011000991300009": {}, "6011000990139424": {}, "6445644564456445": {},
	// Diners Club.
	"30569309025904": {}, "38520000023237": {}, "36259600000004": {}, "36227206271667": {}, "38000000000006": {},
	// JCB.
	"3530111333300000": {}, "3566002020360505": {},
	// UnionPay.
	"6243030000000001": {}, "6221261111117766": {}, "6223164991230014": {}, "6200000000000005": {},
	"8171999927660000": {}, "8171999900000000021": {},
	// Maestro.
	"6304000000000000": {}, "5000550000000029": {}, "6771830999991239343": {}, "6703444444444449": {},
	// Elo, Hipercard, Dankort, Cartes Bancaires, Mir.
	"6362970000457013": {}, "5067268650517446": {}, "6062825624254001": {}, "5019555544445555": {},
	"4035501428146300": {}, "4360000001000005": {}, "2200000000000004": {},
	// Aura and UATP, whose brands the table does not have.
	"5078601870000127985": {}, "122000000000003": {},
	// What simulators decline: declined, insufficient funds, lost, stolen.
	"4000000000000002": {}, "4000000000009995": {}, "4000000000009987": {}, "4000000000009979": {},
	// What account updaters are tried with.
	"4166676667666746": {}, "4212345678910006": {}, "4539097887163333": {}, "4711358892785746": {}, "6011168802268945": {},
	// What 3-D Secure is tried with.
	"5204247750001471": {}, "340000000004001": {}, "4000020000000000": {}, "4264281511112228": {},
}

// IsTest reports whether n is a published test number. Test clients take these
// alone, and live clients refuse them (decision D8).
func IsTest(n Number) bool {
	_, ok := published[string(n.Digits())]
	return ok
}
