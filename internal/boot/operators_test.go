package boot

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/bcrypt"

	"ccms/internal/audit"
	"ccms/internal/boot/chassis"
	"ccms/internal/eureka"
	"ccms/internal/firm"
	"ccms/internal/identity"
	"ccms/internal/patience"
)

// visitor asks a running product as somebody.
type visitor struct {
	*provoker
	t    *testing.T
	name string
	auth []string // headers
}

// visitor signs somebody up and verifies him.
func (p *provoker) visitor(t *testing.T, name string) *visitor {
	t.Helper()
	words := fmt.Sprintf(`"email":"%s@example.com","password":"tangerine-walrus-42"`, name)
	p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/signup", body: `{"username":"` + name + `","name":{"first":"A","last":"B"},` + words + `}`})
	token := p.mailed(t, "verify")
	p.works(t, request{service: chassis.LoginService, operation: "GET /api/customer/verify", at: "/api/customer/verify?token=" + token})
	mails, err := filepath.Glob(p.Dir.File("mail", "*.eml"))
	for _, m := range mails {
		err = os.Remove(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	bearer := p.works(t, request{service: chassis.LoginService, operation: "POST /api/customer/login", body: "{" + words + "}"})
	return &visitor{p, t, name, []string{"Authorization", "Bearer " + bearer}}
}

// want fails unless a request is answered with a status, and returns the answer.
func (v *visitor) want(status int, service, operation, body string, header ...string) map[string]any {
	v.t.Helper()
	res := v.do(v.t, request{service: service, operation: operation, body: body, header: append(slices.Clone(v.auth), header...)})
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if res.StatusCode != status {
		v.t.Errorf("%s as %q: %d, want %d: %s", operation, v.name, res.StatusCode, status, b)
	}
	out := map[string]any{}
	if bytes.HasPrefix(b, []byte("{")) {
		if err := json.Unmarshal(b, &out); err != nil {
			v.t.Errorf("%s: %v", operation, err)
		}
	}
	return out
}

// house is a product with an operator, somebody who is none, a client of a firm
// and nobody at all.
type operatorsHouse struct {
	*provoker
	olga, ann, client, nobody *visitor
}

func startOperators(t *testing.T, more ...string) *operatorsHouse {
	t.Helper()
	h := &operatorsHouse{provoker: &provoker{rig: startRig(t, settings(t, more...), nil)}}
	h.olga, h.ann = h.visitor(t, "olga"), h.visitor(t, "ann")
	h.client = &visitor{h.provoker, t, "a client", h.provoker.client(t, identity.ScopeRead)}
	h.nobody = &visitor{provoker: h.provoker, t: t, name: "nobody"}
	if _, err := h.Firms.Operators().Set(t.Context(), firm.Administrator().Record(), "olga@example.com", true); err != nil {
		t.Fatal(err)
	}
	return h
}

const anInstance = `{"instance":{"app":"%s","instanceId":"i1","hostName":"h","ipAddr":"192.0.2.1","status":"UP",` +
	`"port":{"$":80,"@enabled":"true"},"dataCenterInfo":{"@class":"com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo","name":"MyOwn"}}}`

// TestAnOperatorActsOnTheRegistry would fail if an operator could not do with his
// Bearer what the dashboard's buttons promise, or if anybody else could.
func TestAnOperatorActsOnTheRegistry(t *testing.T) {
	t.Parallel()
	h := startOperators(t)
	h.nobody.want(http.StatusNoContent, eureka.Audience, "POST /eureka/apps/ORDERS", fmt.Sprintf(anInstance, "ORDERS"))
	const status, instance = "/operator/instances/ORDERS/i1/status", "/operator/instances/ORDERS/i1"
	for _, who := range []struct {
		*visitor
		status int
	}{{h.nobody, 401}, {h.ann, 403}, {h.client, 403}} {
		who.want(who.status, eureka.Audience, "PUT "+status, `{"status":"OUT_OF_SERVICE"}`)
		who.want(who.status, eureka.Audience, "DELETE "+status, "")
		who.want(who.status, eureka.Audience, "DELETE "+instance, "")
		who.want(who.status, eureka.Audience, "DELETE /operator/self-preservation", "")
	}
	shown := func(want string) {
		t.Helper()
		in, _ := h.nobody.want(http.StatusOK, eureka.Audience, "GET /eureka/apps/ORDERS/i1", "", "Accept", "application/json")["instance"].(map[string]any)
		if in["status"] != want {
			t.Errorf("status %v, want %s", in["status"], want)
		}
	}
	shown("UP")
	h.olga.want(http.StatusOK, eureka.Audience, "PUT "+status, `{"status":"OUT_OF_SERVICE"}`)
	shown("OUT_OF_SERVICE")
	h.olga.want(http.StatusOK, eureka.Audience, "DELETE "+status, "")
	shown("UP")
	h.olga.want(http.StatusOK, eureka.Audience, "DELETE "+instance, "")
	h.nobody.want(http.StatusNotFound, eureka.Audience, "GET /eureka/apps/ORDERS/i1", "")
	h.olga.want(http.StatusOK, eureka.Audience, "DELETE /operator/self-preservation", "")

	portal := h.idOf("PORTAL")
	reserved := "/operator/instances/PORTAL/" + portal
	h.olga.want(http.StatusForbidden, eureka.Audience, "DELETE "+reserved, "")
	proof, err := h.Prover.Sign(eureka.Audience, identity.PurposeRegistry, "PUT", reserved+"/status")
	if err != nil {
		t.Fatal(err)
	}
	h.nobody.want(http.StatusUnauthorized, eureka.Audience, "PUT "+reserved+"/status", `{"status":"DOWN"}`, identity.ProofHeader, proof)
	h.olga.want(http.StatusOK, eureka.Audience, "PUT "+reserved+"/status", `{"status":"UP"}`, identity.ProofHeader, proof)
	h.onRecord(t, "registry.override ORDERS/i1", "registry.bring-back ORDERS/i1", "registry.deregister ORDERS/i1", "registry.leave-protection", "registry.override PORTAL/"+portal)
}

// idOf is the id of an application's instance.
func (h *operatorsHouse) idOf(app string) string {
	list, _ := h.nobody.want(http.StatusOK, eureka.Audience, "GET /eureka/apps/"+app, "", "Accept", "application/json")["application"].(map[string]any)
	instances, _ := list["instance"].([]any)
	if len(instances) == 0 {
		return ""
	}
	first, _ := instances[0].(map[string]any)
	id, _ := first["instanceId"].(string)
	return id
}

// onRecord fails unless each act is in the login service's log, by olga: before it
// happened and after.
func (h *operatorsHouse) onRecord(t *testing.T, acts ...string) {
	t.Helper()
	rows, _, err := h.Firms.Records(t.Context(), firm.Administrator(), "", audit.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, r := range rows {
		key := strings.TrimRight(r.Act+" "+r.Object, " ")
		found[key] = append(found[key], r.Result)
		if strings.HasPrefix(r.Act, "registry.") && (r.Actor == "" || r.From != "127.0.0.1") {
			t.Errorf("not said who: %+v", r)
		}
	}
	for _, a := range acts {
		if len(found[a]) != 2 || found[a][1] != audit.Success {
			t.Errorf("%s is on record as %q", a, found[a])
		}
	}
}

// TestWhoIsAnOperatorIsAskedAnew would fail if somebody whose role was taken away
// could go on for more than the second of decision C1.
func TestWhoIsAnOperatorIsAskedAnew(t *testing.T) {
	t.Parallel()
	h := startOperators(t)
	h.olga.want(http.StatusOK, chassis.CardService, "GET /v1/operator/keys", "")
	if _, err := h.Firms.Operators().Set(t.Context(), firm.Administrator().Record(), "olga@example.com", false); err != nil {
		t.Fatal(err)
	}
	taken := time.Now()
	h.olga.want(http.StatusForbidden, chassis.LoginService, "GET /api/operator/keys", "")
	for {
		res := h.do(t, request{service: chassis.CardService, operation: "GET /v1/operator/keys", header: h.olga.auth})
		_ = res.Body.Close()
		if res.StatusCode == http.StatusForbidden {
			break
		}
		if time.Since(taken) > patience.Times*2*time.Second {
			t.Fatalf("%d after 2 s and more", res.StatusCode)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// TestWritersOfTheRegistry would fail if eureka.writers-file were not obeyed.
func TestWritersOfTheRegistry(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("of-the-orders"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "writers")
	if err := os.WriteFile(file, fmt.Appendf(nil, "# who may write\nORDERS basic orders:%s\n", hash), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &provoker{rig: startRig(t, settings(t, "eureka.writers-file", file), nil)}
	v := &visitor{provoker: p, t: t, name: "a service"}
	v.want(http.StatusNoContent, eureka.Audience, "POST /eureka/apps/OTHERS", fmt.Sprintf(anInstance, "OTHERS"))
	v.want(http.StatusUnauthorized, eureka.Audience, "POST /eureka/apps/ORDERS", fmt.Sprintf(anInstance, "ORDERS"))
	r, _ := http.NewRequest("POST", "http://x", nil)
	r.SetBasicAuth("orders", "of-the-orders")
	v.want(http.StatusNoContent, eureka.Audience, "POST /eureka/apps/ORDERS", fmt.Sprintf(anInstance, "ORDERS"), "Authorization", r.Header.Get("Authorization"))

	if err := os.WriteFile(file, []byte("ORDERS basic orders:not-a-hash\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = Up(t.Context(), Start{Settings: settings(t, "eureka.writers-file", file), Console: Console{Out: io.Discard, Err: t.Output()}})
	if err == nil || !strings.Contains(err.Error(), "eureka.writers-file: "+file+": writers: line 1") || strings.Contains(err.Error(), "not-a-hash") {
		t.Errorf("a wrong line: %v", err)
	}
}
