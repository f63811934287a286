package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"ccms/internal/apidocs"
)

// actor is somebody who sends requests.
type actor struct {
	name   string
	header []string
	dead   bool // nothing he shows is accepted

	person   bool
	operator bool
	role     string // of a person in the firm he names
	firm     string // of a client, or that a person names
	mode     string
	scopes   []string // of a client
	// knows is what he may be shown; see world.marks.
	knows []string
}

// rule says who may use a route, with what it is tried, and on what. A path has
// parameters of world.objects.
type rule struct {
	service string // login or creditcard
	needs   string // see refusal
	at      string // default the path of the description
	body    string // a good one
	object  string // whose it is: acme, acme live, ann; "" for nobody's
}

// rules has an entry for every route there is.
var rules = map[string]rule{
	"POST /api/customer/signup":                         {needs: "nothing", body: "{}"},
	"POST /api/customer/login":                          {needs: "nothing", body: "{}"},
	"POST /api/customer/login/subsequent":               {needs: "nothing", body: "{}"},
	"POST /api/customer/send-verification":              {needs: "nothing", body: "{}"},
	"GET /api/customer/verify":                          {needs: "nothing"},
	"POST /api/customer/forgot-password":                {needs: "nothing", body: "{}"},
	"POST /api/customer/forgot-password/reset-password": {needs: "nothing", body: "{}"},
	"GET /.well-known/jwks.json":                        {needs: "nothing"},
	"GET /.well-known/oauth-authorization-server":       {needs: "nothing"},
	"POST /oauth2/token":                                {needs: "nothing", body: "grant_type=client_credentials"}, // see keepsTokensApart
	"POST /oauth2/introspect":                           {needs: "nothing", body: "token=x"},
	"POST /oauth2/revoke":                               {needs: "nothing", body: "token=x"},
	"GET /api/customer/jwt/validate":                    {needs: "token"},
	"POST /api/customer/logout":                         {needs: "account"},
	"GET /api/account":                                  {needs: "account"},
	"PUT /api/account":                                  {needs: "account", body: `{"name":{"first":"Eve"}}`},
	"DELETE /api/account":                               {needs: "account", body: `{"password":"x"}`},
	"POST /api/account/password":                        {needs: "account", body: `{"currentPassword":"x","newPassword":"x","confirmPassword":"x"}`},
	"GET /api/account/export":                           {needs: "account"},
	"GET /api/account/sessions":                         {needs: "account"},
	"DELETE /api/account/sessions":                      {needs: "account"},
	"GET /api/account/sessions/{id}":                    {needs: "account", at: "/api/account/sessions/{session}", object: "ann"},
	"DELETE /api/account/sessions/{id}":                 {needs: "account", at: "/api/account/sessions/{session}", object: "ann"},

	"GET /api/firms":                                  {needs: "account"},
	"POST /api/firms":                                 {needs: "operator", body: `{"name":"Evil Ltd"}`},
	"GET /api/firms/{firm}":                           {needs: "viewer or operator", object: "acme"},
	"PUT /api/firms/{firm}":                           {needs: "admin", body: `{"name":"Evil Ltd"}`, object: "acme"},
	"POST /api/firms/{firm}/suspend":                  {needs: "operator", object: "acme"},
	"POST /api/firms/{firm}/resume":                   {needs: "operator", object: "acme"},
	"GET /api/firms/{firm}/audit":                     {needs: "admin or operator", object: "acme"},
	"GET /api/firms/{firm}/members":                   {needs: "viewer or operator", object: "acme"},
	"POST /api/firms/{firm}/members":                  {needs: "admin or operator", body: `{"email":"eve@example.com","role":"viewer"}`, object: "acme"},
	"PATCH /api/firms/{firm}/members/{member}":        {needs: "admin or operator", body: `{"role":"admin"}`, object: "acme"},
	"PATCH /api/firms/{firm}/members/{member} owner":  {needs: "owner or operator", at: "/api/firms/{firm}/members/{ownerMember}", body: `{"role":"viewer"}`, object: "acme"},
	"DELETE /api/firms/{firm}/members/{member}":       {needs: "viewer or operator", object: "acme"}, // the viewer is who is to go
	"DELETE /api/firms/{firm}/members/{member} owner": {needs: "owner or operator", at: "/api/firms/{firm}/members/{ownerMember}", object: "acme"},
	"GET /api/firms/{firm}/clients":                   {needs: "viewer", object: "acme"},
	"POST /api/firms/{firm}/clients":                  {needs: "admin", body: `{"name":"evil"}`, object: "acme"},
	"GET /api/firms/{firm}/clients/{client}":          {needs: "viewer", object: "acme"},
	"PATCH /api/firms/{firm}/clients/{client}":        {needs: "admin", body: `{"name":"evil"}`, object: "acme"},
	"DELETE /api/firms/{firm}/clients/{client}":       {needs: "admin", object: "acme"},
	"POST /api/firms/{firm}/clients/{client}/rotate":  {needs: "admin", body: `{}`, object: "acme"},
	"GET /internal/verification":                      {needs: "proof"},
	"GET /internal/firms/{firm}":                      {needs: "proof"},
	"POST /internal/firms/{firm}/disabled-endpoints":  {needs: "proof"},
	"GET /internal/firms/{firm}/members/{subject}":    {needs: "proof", at: "/internal/firms/{firm}/members/{member}"},
	"GET /internal/clients/{client}":                  {needs: "proof"},
	"GET /internal/operators/{subject}":               {needs: "proof", at: "/internal/operators/{member}"},
	"POST /internal/operators/{subject}/acts":         {needs: "proof", at: "/internal/operators/{member}/acts?act=evil"},

	"GET /api/operator/keys":               {needs: "operator"},
	"POST /api/operator/keys/rotate":       {needs: "operator", body: `{"keys":"signing"}`},
	"POST /api/operator/keys/rewrap":       {needs: "operator"},
	"GET /api/operator/audit":              {needs: "operator"},
	"GET /api/operator/audit/head":         {needs: "operator"},
	"POST /api/operator/audit/verify":      {needs: "operator"},
	"GET /api/operator/backup":             {needs: "operator"},
	"GET /api/operator/people":             {needs: "operator"},
	"POST /api/operator/people":            {needs: "operator", body: `{"email":"eve@example.com"}`},
	"DELETE /api/operator/people/{person}": {needs: "operator", at: "/api/operator/people/{member}"},

	"GET /api/customer/creditcard":                             {service: "creditcard", needs: "cardholder"},
	"POST /api/customer/creditcard":                            {service: "creditcard", needs: "cardholder", body: `{"cardNumber":"4111111111111111","cvv":"123","expiryMonth":12,"expiryYear":2035}`},
	"DELETE /api/customer/creditcard/{creditCardNumber}":       {service: "creditcard", needs: "cardholder", at: "/api/customer/creditcard/{cardToken}", object: "ann"},
	"PUT /api/customer/creditcard/{creditCardNumber}/toggle":   {service: "creditcard", needs: "cardholder", at: "/api/customer/creditcard/{cardToken}/toggle", object: "ann"},
	"POST /api/customer/creditcard/{id}/restore":               {service: "creditcard", needs: "cardholder", at: "/api/customer/creditcard/{cardToken}/restore", object: "ann"},
	"GET /api/creditcards":                                     {service: "creditcard", needs: "cardholder"},
	"POST /register":                                           {service: "creditcard", needs: "cards:register", body: `{"card_number":"4111111111111111","expiry_date":"12/35","cvv":"123","cardholder_name":"Eve"}`},
	"POST /v1/registrations/bulk":                              {service: "creditcard", needs: "cards:register", body: `{"card_number":"4111111111111111","expiry_date":"12/35","cvv":"123","cardholder_name":"Eve"}`},
	"GET /status":                                              {service: "creditcard", needs: "cards:read", at: "/status?registration_id={registration}", object: "acme test"},
	"GET /status/{registration_id}":                            {service: "creditcard", needs: "cards:read", at: "/status/{registration}", object: "acme test"},
	"GET /status/{registration_id} of live":                    {service: "creditcard", needs: "cards:read", at: "/status/{liveRegistration}", object: "acme live"},
	"GET /v1/registrations":                                    {service: "creditcard", needs: "cards:read"},
	"GET /v1/registrations/{id}":                               {service: "creditcard", needs: "cards:read", at: "/v1/registrations/{registration}", object: "acme test"},
	"GET /v1/registrations/{id} of live":                       {service: "creditcard", needs: "cards:read", at: "/v1/registrations/{liveRegistration}", object: "acme live"},
	"DELETE /v1/registrations/{id}":                            {service: "creditcard", needs: "cards:manage", at: "/v1/registrations/{registration}", object: "acme test"},
	"DELETE /v1/registrations/{id} of live":                    {service: "creditcard", needs: "cards:manage", at: "/v1/registrations/{liveRegistration}", object: "acme live"},
	"GET /v1/settings":                                         {service: "creditcard", needs: "cards:read"},
	"PUT /v1/settings":                                         {service: "creditcard", needs: "cards:manage", body: `{"verification":{"brands":["Visa"]}}`},
	"GET /v1/cards":                                            {service: "creditcard", needs: "cards:read"},
	"GET /v1/cards/{token}":                                    {service: "creditcard", needs: "cards:read", object: "acme test"},
	"PATCH /v1/cards/{token}":                                  {service: "creditcard", needs: "cards:manage", body: `{"status":"disabled"}`, object: "acme test"},
	"DELETE /v1/cards/{token}":                                 {service: "creditcard", needs: "cards:manage", object: "acme test"},
	"POST /v1/cards/{token}/reveal":                            {service: "creditcard", needs: "cards:reveal", body: `{"reason":"curious"}`, object: "acme test"},
	"GET /v1/cards/{token} of live":                            {service: "creditcard", needs: "cards:read", at: "/v1/cards/{liveToken}", object: "acme live"},
	"PATCH /v1/cards/{token} of live":                          {service: "creditcard", needs: "cards:manage", at: "/v1/cards/{liveToken}", body: `{"status":"disabled"}`, object: "acme live"},
	"DELETE /v1/cards/{token} of live":                         {service: "creditcard", needs: "cards:manage", at: "/v1/cards/{liveToken}", object: "acme live"},
	"POST /v1/cards/{token}/reveal of live":                    {service: "creditcard", needs: "cards:reveal", at: "/v1/cards/{liveToken}/reveal", body: `{"reason":"curious"}`, object: "acme live"},
	"GET /v1/cards/{token} of a cardholder":                    {service: "creditcard", needs: "cards:read", at: "/v1/cards/{cardToken}", object: "ann"},
	"POST /v1/cards/{token}/reveal of a cardholder":            {service: "creditcard", needs: "cards:reveal", at: "/v1/cards/{cardToken}/reveal", body: `{"reason":"curious"}`, object: "ann"},
	"DELETE /api/customer/creditcard/{creditCardNumber} firms": {service: "creditcard", needs: "cardholder", at: "/api/customer/creditcard/{token}", object: "acme test"},
	"POST /v1/links":                                           {service: "creditcard", needs: "cards:register", body: `{"mode":"link"}`},
	"GET /v1/links":                                            {service: "creditcard", needs: "cards:register"},
	"DELETE /v1/links/{id}":                                    {service: "creditcard", needs: "cards:register", at: "/v1/links/{link}", object: "acme test"},
	"POST /internal/links/open":                                {service: "creditcard", needs: "proof", body: "{}"},
	"POST /internal/links/submit":                              {service: "creditcard", needs: "proof", body: "{}"},
	"POST /v1/webhooks":                                        {service: "creditcard", needs: "webhooks:manage", body: `{"url":"https://hooks.evil.invalid/x"}`},
	"GET /v1/webhooks":                                         {service: "creditcard", needs: "webhooks:manage"},
	"GET /v1/webhooks/{id}":                                    {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}", object: "acme test"},
	"PATCH /v1/webhooks/{id}":                                  {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}", body: `{"url":"https://hooks.evil.invalid/x"}`, object: "acme test"},
	"DELETE /v1/webhooks/{id}":                                 {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}", object: "acme test"},
	"POST /v1/webhooks/{id}/rotate":                            {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}/rotate", body: "{}", object: "acme test"},
	"POST /v1/webhooks/{id}/test":                              {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}/test", object: "acme test"},
	"POST /v1/webhooks/{id}/replay":                            {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}/replay", body: `{"since":"2026-01-01T00:00:00Z"}`, object: "acme test"},
	"GET /v1/webhooks/{id}/deliveries":                         {service: "creditcard", needs: "webhooks:manage", at: "/v1/webhooks/{webhook}/deliveries", object: "acme test"},
	"GET /v1/reports/registrations":                            {service: "creditcard", needs: "reports:read"},
	"GET /v1/audit":                                            {service: "creditcard", needs: "reports:read"},
	"GET /v1/operator/keys":                                    {service: "creditcard", needs: "operator"},
	"POST /v1/operator/keys/rotate":                            {service: "creditcard", needs: "operator", body: `{"keys":"values"}`},
	"POST /v1/operator/keys/rewrap":                            {service: "creditcard", needs: "operator"},
	"GET /v1/operator/audit":                                   {service: "creditcard", needs: "operator"},
	"GET /v1/operator/audit/head":                              {service: "creditcard", needs: "operator"},
	"POST /v1/operator/audit/verify":                           {service: "creditcard", needs: "operator"},
	"GET /v1/operator/backup":                                  {service: "creditcard", needs: "operator"},
	"POST /internal/cardholders/{id}/erase":                    {service: "creditcard", needs: "proof", at: "/internal/cardholders/{cardholder}/erase"},
	"GET /internal/cardholders/{id}/cards":                     {service: "creditcard", needs: "proof", at: "/internal/cardholders/{cardholder}/cards"},
}

// operation are the paths of every service that are open on loopback.
var operation = regexp.MustCompile(`^GET /(actuator|v3/api-docs|swagger-ui)`)

// routesOf are the routes of a service's description: "GET /actuator".
func routesOf(t *testing.T, service string) []string {
	t.Helper()
	b, err := apidocs.Document(service)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Paths map[string]map[string]jsontext.Value `json:"paths"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	var all []string
	for path, item := range d.Paths {
		for method := range item {
			if method != "parameters" {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	return all
}

// TestEveryRouteHasARule would fail if a route were added and the matrix did
// not try it.
func TestEveryRouteHasARule(t *testing.T) {
	known := map[string]bool{}
	for _, service := range []string{"login", "creditcard"} {
		for _, route := range routesOf(t, service) {
			known[route] = true
			if r, ok := rules[route]; !ok && !operation.MatchString(route) {
				t.Errorf("%s of %s has no rule", route, service)
			} else if ok && (r.service == "creditcard") != (service == "creditcard") {
				t.Errorf("%s is of %s", route, service)
			}
		}
	}
	for route := range rules {
		if !known[strings.Join(strings.Fields(route)[:2], " ")] {
			t.Errorf("%s has a rule and is not described", route)
		}
	}
}

// refusal is the status for an actor who may not, 0 for one who may.
func (r rule) refusal(a actor) int {
	switch {
	case r.needs == "proof":
		return 403
	case r.needs == "nothing":
		return 0
	case a.dead:
		return 401
	case r.needs == "token":
		return 0
	case strings.Contains(r.needs, ":"):
		return r.refusalOfFirms(a)
	case !a.person:
		return 403 // its token is good, and of the wrong kind
	case r.object == "ann" && a.name != "ann", r.object == "acme test":
		return 404
	case r.object == "acme":
		return r.refusalOfPeople(a)
	case r.needs == "operator" && !a.operator:
		return 403
	}
	return 0
}

// refusalOfPeople is for the routes about Acme (decision B13).
func (r rule) refusalOfPeople(a actor) int {
	least, orOperator := strings.CutSuffix(r.needs, " or operator")
	if least == "operator" {
		orOperator = true
	}
	ranks := []string{"viewer", "admin", "owner", "operator"}
	rank := -1
	if a.firm == "acme" {
		rank = slices.Index(ranks, a.role)
	}
	switch {
	case a.operator && orOperator:
		return 0
	case rank < 0 && !a.operator:
		return 404
	case rank < slices.Index(ranks, least):
		return 403
	}
	return 0
}

// refusalOfFirms is for the routes of firms' clients and members (decisions D1
// and D6).
func (r rule) refusalOfFirms(a actor) int {
	scopes := a.scopes
	if a.person {
		switch a.role {
		case "viewer":
			scopes = []string{"cards:read", "reports:read"}
		case "admin", "owner":
			scopes = []string{"cards:read", "reports:read", "cards:register", "cards:manage", "webhooks:manage"}
		}
	}
	switch {
	case a.firm == "" || !slices.Contains(scopes, r.needs):
		return 403
	case r.object != "" && r.object != a.firm+" "+a.mode:
		return 404
	}
	return 0
}

// actors are everybody there is.
func (w *world) actors(t *testing.T) []actor {
	t.Helper()
	all := strings.Split(allScopes, ",")
	acme, other := w.objects["firm"], w.other.firm
	as := func(who customer, firm string) []string {
		return append(who.auth(), "CCMS-Firm", firm, "CCMS-Mode", "test")
	}
	people := []string{"acme", "acme test"}
	actors := []actor{
		{name: "nobody", dead: true},
		{name: "a forger", dead: true, header: []string{"Authorization", "Bearer " + w.all.token[:len(w.all.token)-8] + "AAAAAAAA"}},
		{name: "ann", person: true, header: w.ann.auth(), knows: []string{"ann"}},
		{name: "bob", person: true, header: w.bob.auth()},
		{name: "bob for acme", person: true, header: as(w.bob, acme)},
		{name: "acme's owner", person: true, role: "owner", firm: "acme", mode: "test", header: as(w.owner, acme), knows: people},
		{name: "acme's admin", person: true, role: "admin", firm: "acme", mode: "test", header: as(w.admin, acme), knows: people},
		{name: "acme's viewer", person: true, role: "viewer", firm: "acme", mode: "test", header: as(w.viewer, acme), knows: people},
		{name: "other's owner", person: true, header: as(w.stranger, acme)},
		{name: "operator", person: true, operator: true, header: w.operator.auth(), knows: []string{"acme"}},
		{name: "operator for acme", person: true, operator: true, header: as(w.operator, acme), knows: []string{"acme"}},
		{name: "operators' client", header: w.operators.auth()},
		{name: "acme's client", firm: "acme", mode: "test", scopes: all, header: w.all.auth(), knows: people},
		{name: "acme's live client", firm: "acme", mode: "live", scopes: all, header: w.live.auth(), knows: []string{"acme", "acme live"}},
		{name: "acme's client for other", header: append(w.all.auth(), "CCMS-Firm", other), knows: people},
		{name: "acme's client for live", header: append(w.all.auth(), "CCMS-Mode", "live"), knows: people},
		{name: "acme's revoked client", dead: true, header: w.revoked.auth()},
		{name: "other's client", firm: "other", mode: "test", scopes: all, header: w.other.auth()},
		{name: "other's live client", firm: "other", mode: "live", scopes: all, header: w.otherLive.auth()},
		{name: "other's client for acme", header: append(w.other.auth(), "CCMS-Firm", acme)},
		{name: "suspended client", dead: true, header: w.halted.auth()},
	}
	for _, scope := range all {
		token := grant(t, w.c, w.process, w.all, scope)
		actors = append(actors, actor{name: "acme's client with " + scope, firm: "acme", mode: "test", scopes: []string{scope}, header: []string{"Authorization", "Bearer " + token}, knows: people})
	}
	return actors
}

// otherFirm is an actor in the firm Other, whose own objects those of Acme are
// not: what he may not do he may not do for want of the object alone.
func (w *world) otherFirm() actor {
	return actor{name: "other's owner at home", person: true, firm: "other", mode: "test", role: "owner", header: append(w.stranger.auth(), "CCMS-Firm", w.other.firm, "CCMS-Mode", "test")}
}

// marks are texts by which something is recognised, by who may know them.
func (w *world) marks() map[string][]string {
	o := w.objects
	return map[string][]string{
		"acme":      {o["firm"], o["member"], o["client"], w.live.id, w.revoked.id, "Acme Ltd", w.owner.email, w.viewer.email},
		"acme test": {o["registration"], o["token"], o["link"], "link of acme", o["webhook"], "hooks.acme", `"reference of acme"`, "Agatha", acmesCard, acmesCard[12:]},
		"acme live": {o["liveRegistration"], o["liveToken"], "live reference of acme"},
		"ann":       {o["cardToken"], o["session"], w.ann.email, annsCard, "***" + annsCard[12:]},
	}
}

// forbidden are the texts an actor may not be shown. A firm's audit log is of
// both modes, and it shows what the firm's clients asked for in vain.
func (w *world) forbidden(a actor, route string, marks map[string][]string) []string {
	var all []string
	for whose, texts := range marks {
		if slices.Contains(a.knows, whose) {
			continue
		}
		for _, text := range texts {
			if route == "GET /v1/audit" && slices.Contains(slices.Collect(maps.Values(w.objects)), text) && text != w.all.id {
				continue
			}
			all = append(all, text)
		}
	}
	return all
}

// state is everything of Acme and Ann, as those see it who may.
func (w *world) state(t *testing.T) map[string]string {
	t.Helper()
	acme := append(w.owner.auth(), "CCMS-Firm", w.objects["firm"])
	ofTest, ofLive := append(acme, "CCMS-Mode", "test"), append(slices.Clone(acme), "CCMS-Mode", "live")
	firm := w.Login + "/api/firms/" + w.objects["firm"]
	state := map[string]string{}
	for _, q := range []struct {
		url    string
		header []string
	}{
		{w.CreditCard + "/v1/registrations", acme}, {w.CreditCard + "/v1/cards", acme}, {w.CreditCard + "/v1/links", acme}, {w.CreditCard + "/v1/webhooks", acme}, {w.CreditCard + "/v1/webhooks/" + w.objects["webhook"] + "/deliveries", acme},
		{w.CreditCard + "/v1/settings", ofTest}, {w.CreditCard + "/v1/settings", ofLive},
		{w.CreditCard + "/status/" + w.objects["registration"], w.all.auth()}, {w.CreditCard + "/status/" + w.objects["liveRegistration"], w.live.auth()},
		{firm, w.owner.auth()}, {firm + "/members", w.owner.auth()}, {firm + "/clients", w.owner.auth()},
		{w.CreditCard + "/api/creditcards", w.ann.auth()}, {w.Login + "/api/account", w.ann.auth()}, {w.Login + "/api/account/sessions", w.ann.auth()},
	} {
		status, body, err := w.c.send("GET", q.url, nil, q.header...)
		if err != nil || status != 200 {
			t.Fatalf("GET %s: %d %s %v", q.url, status, body, err)
		}
		state[fmt.Sprint(q.url, q.header[2:])] = string(seen.ReplaceAll(body, nil))
	}
	for _, m := range []firmClient{w.all, w.live} {
		token := map[string]string{w.all.id: w.objects["token"], w.live.id: w.objects["liveToken"]}[m.id]
		_, body, _ := w.c.send("POST", w.CreditCard+"/v1/cards/"+token+"/reveal", `{"reason":"test"}`, m.auth()...)
		state["number of "+token] = string(body)
	}
	return state
}

// seen is what looking changes.
var seen = regexp.MustCompile(`"(lastSeen|expires|last_used)":"[^"]*"`)

func TestNobodyCrosses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--reveal.per-hour", "100000")
	t.Run("by any route", w.refusesOnEveryRoute)
	t.Run("by another's token", w.keepsTokensApart)
}

// refusesOnEveryRoute lets everybody try every route on what belongs to a firm and
// to a cardholder. Who may not is refused with the right status and told
// nothing, who may is not refused, and in the end nothing has changed.
func (w *world) refusesOnEveryRoute(t *testing.T) {
	before, marks, tried := w.state(t), w.marks(), 0
	for _, a := range append(w.actors(t), w.otherFirm()) {
		for _, route := range slices.Sorted(maps.Keys(rules)) {
			r := rules[route]
			method, path := strings.Fields(route)[0], strings.Fields(route)[1]
			want, body := r.refusal(a), r.body
			switch {
			case want == 0 && r.needs != "nothing" && body != "":
				body = "[]" // a body that is refused behind the door
			case want == 0 && r.needs != "nothing" && method != "GET":
				continue // what he may do would happen
			}
			tried++
			status, answer := w.try(t, a, method, r.url(w, path), body)
			switch {
			case want != 0 && status != want:
				t.Errorf("%s: %s: %d, want %d: %s", a.name, route, status, want, answer)
			case want == 0 && r.needs != "nothing" && (status == 401 || status == 403 || status == 404 && r.object != "" || status >= 500):
				t.Errorf("%s: %s: %d, though he may: %s", a.name, route, status, answer)
			}
			for _, text := range w.forbidden(a, route, marks) {
				if bytes.Contains(answer, []byte(text)) {
					t.Errorf("%s: %s: %d tells %q: %s", a.name, route, status, text, answer)
				}
			}
		}
	}
	after := w.state(t)
	for what, was := range before {
		if after[what] != was {
			t.Errorf("%s was\n%s\nand is\n%s", what, was, after[what])
		}
	}
	t.Logf("%d requests", tried)
}

func (r rule) url(w *world, path string) string {
	base := w.Login
	if r.service == "creditcard" {
		base = w.CreditCard
	}
	if r.at != "" {
		path = r.at
	}
	for name, value := range w.objects {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return base + path
}

// try sends a request and returns what its answer tells: the path in an error is
// what the caller said himself.
func (w *world) try(t *testing.T, a actor, method, at, body string) (int, []byte) {
	t.Helper()
	kind := "application/json"
	switch {
	case strings.Contains(at, "/oauth2/"):
		kind = "application/x-www-form-urlencoded"
	case strings.HasSuffix(at, "/bulk"):
		kind = "application/x-ndjson"
	}
	var in any
	if body != "" {
		in = body
	}
	status, answer, err := w.c.send(method, at, in, append(slices.Clone(a.header), "Content-Type", kind)...)
	if err != nil {
		t.Fatalf("%s: %s %s: %v", a.name, method, at, err)
	}
	if status >= 400 && !strings.Contains(at, "/oauth2/") {
		checkShape(t, a.name+": "+method+" "+at, answer)
	}
	where, _ := url.Parse(at)
	return status, bytes.ReplaceAll(answer, []byte(`"path":"`+where.Path+`"`), nil)
}

// checkShape checks that an answer is the contract's error object (section 5.1),
// with something in each member, and returns its code.
func checkShape(t *testing.T, what string, answer []byte) (code string) {
	t.Helper()
	var object map[string]string
	if json.Unmarshal(answer, &object) != nil || len(object) != 5 {
		t.Errorf("%s: not the contract's object: %.300s", what, answer)
	}
	for _, member := range []string{"error", "errorCode", "timestamp", "path", "details"} {
		if object[member] == "" {
			t.Errorf("%s: no %s: %.300s", what, member, answer)
		}
	}
	return object["errorCode"]
}

// keepsTokensApart lets clients ask about and revoke each other's tokens.
func (w *world) keepsTokensApart(t *testing.T) {
	for _, m := range []firmClient{w.other, w.otherLive, w.operators} {
		for _, token := range []string{w.all.token, w.live.token, w.ann.token} {
			status, body, err := w.c.form(w.Login+"/oauth2/introspect", url.Values{"token": {token}}, m)
			if err != nil || status != 200 || string(body) != `{"active":false}` {
				t.Errorf("introspect: %d %s %v", status, body, err)
			}
			if status, body, err := w.c.form(w.Login+"/oauth2/revoke", url.Values{"token": {token}}, m); err != nil || status != 200 {
				t.Errorf("revoke: %d %s %v", status, body, err)
			}
		}
	}
	for _, m := range []firmClient{w.revoked, w.halted} {
		for _, path := range []string{"token", "introspect", "revoke"} {
			status, body, err := w.c.form(w.Login+"/oauth2/"+path, url.Values{"grant_type": {"client_credentials"}, "token": {m.token}}, m)
			if err != nil || status != 401 || !bytes.Contains(body, []byte(`"invalid_client"`)) {
				t.Errorf("%s of a client that may not act: %d %s %v", path, status, body, err)
			}
		}
	}
	w.state(t) // which fails if a token of Acme's or Ann's is dead
}
