// Those who run this installation: the registry, from its own page to the
// console and back, keys, the audit log, backups, other operators. And the
// registry's page itself, with nothing on it and with much.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { after, before, test } from "node:test";
import { both, Hand, launch, logIn, open } from "./lib/browser.mjs";
import { newOperator } from "./lib/desk.mjs";
import { accessible, fits, look, picture } from "./lib/look.mjs";
import { start, until } from "./lib/product.mjs";

const run = promisify(execFile);

let product, browser, olga;
before(async () => {
  [product, browser] = await Promise.all([start(), launch()]);
  olga = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

// instance is what an application says of itself. Its lease is of seconds.
const instance = (app, id, { host = "orders.example.com", lease = 90, status = "UP" } = {}) => ({
  instance: {
    leaseInfo: { renewalIntervalInSecs: Math.min(30, lease), durationInSecs: lease },
    app, instanceId: id, hostName: host, ipAddr: "192.0.2.7", status, vipAddress: app.toLowerCase(),
    port: { $: 8080, "@enabled": "true" }, homePageUrl: `http://${host}:8080/`,
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    metadata: { zone: "eu-1", evil: "<script>alert(1)</script>" },
  },
});

async function register(app, id, more) {
  const answer = await fetch(`${product.eureka}/eureka/apps/${app}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(instance(app, id, more)) });
  assert.equal(answer.status, 204);
}

async function status(app, id) {
  const answer = await fetch(`${product.eureka}/eureka/apps/${app}/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } });
  return answer.status === 200 ? (await answer.json()).instance.status : answer.status;
}

// console opens a page of operators as olga.
async function desk(t, path) {
  const page = await open(t, browser);
  await logIn(page, product, olga, `/console/operations/${path}`);
  return page;
}

both("T-54: an instance that goes down is shown so, and is gone when it is silent", async (t, at, kind) => {
  const page = await open(t, browser);
  const hand = at(page);
  const app = `STOCK-${kind.toUpperCase()}`;
  await register(app, "stock:1", { lease: 10 });
  await register(app, "stock:2", { lease: 600 });
  await page.goto(product.eureka);
  await hand.type("#q", app.toLowerCase());
  await hand.send("form.filter button");
  await page.waitForSelector("text=2 of");
  const shown = () => page.textContent(`article:has-text("${app}")`);
  assert.match(await shown(), /UP \(2\)/);

  await register(app, "stock:1", { lease: 10, status: "DOWN" }); // it is being stopped
  await until("it to be down", async () => {
    await page.reload();
    return /UP \(1\).*DOWN \(1\)|DOWN \(1\).*UP \(1\)/s.test(await shown());
  });
  assert.match(await page.textContent("li:has-text('stock:1') .who strong"), /DOWN/);
  await accessible(page, "the registry with one that is down");
  await picture(page, "registry-down");

  // It sends no heartbeat any more, so its lease runs out.
  await until("it to be evicted", async () => {
    await page.reload();
    return !(await shown()).includes("stock:1");
  });
  assert.match(await shown(), /stock:2/, "who has time left stays");
  assert.equal(await page.locator(".banner.urgent").count(), 0);
  await hand.choose("nav >> text=Last 1000");
  await page.waitForURL("**/lastn");
  assert.match(await page.textContent("main"), new RegExp(`${app}[^]*stock:1`), "what became of it is told");
  await fetch(`${product.eureka}/eureka/apps/${app}/stock:2`, { method: "DELETE" });
});

both("T-54: an operator takes an instance out of service from the registry's own page, brings it back, deregisters it", async (t, at, kind) => {
  await register("ORDERS", "orders:1 <b>");
  const page = await desk(t, "registry");
  const hand = at(page);
  const see = (name) => kind === "mouse" && look(page, name);
  await see("operators-registry");
  assert.match(await page.textContent("main"), /ORDERS/);

  await page.goto(product.eureka);
  await hand.choose("article:has-text('ORDERS') >> text=Take out of service");
  await page.waitForURL("**/console/operations/registry/act?**");
  await see("operators-out-of-service");
  assert.equal(await status("ORDERS", "orders:1 <b>"), "UP", "nothing happens before it is confirmed");
  await hand.choose("button:has-text('Take out of service')");
  await page.waitForSelector("text=The instance is out of service");
  assert.equal(await status("ORDERS", "orders:1 <b>"), "OUT_OF_SERVICE");
  await see("operators-registry-application");

  await hand.choose("text=Bring back");
  await hand.choose("button:has-text('Bring back')");
  await page.waitForSelector("text=The instance is back");
  assert.equal(await status("ORDERS", "orders:1 <b>"), "UP");

  await hand.choose("text=Deregister");
  await see("operators-deregister");
  await hand.choose("button:has-text('Deregister')");
  await page.waitForSelector("text=The instance is removed");
  assert.equal(await status("ORDERS", "orders:1 <b>"), 404);
});

test("our own services' names are acted on from the console", async (t) => {
  const page = await desk(t, "registry?app=PORTAL");
  await page.click("text=Take out of service");
  await page.click("button:has-text('Take out of service')");
  await page.waitForSelector(".state:has-text('OUT_OF_SERVICE')");
  await page.click("text=Bring back");
  await page.click("button:has-text('Bring back')");
  await page.waitForSelector(".state:has-text('UP')");
});

test("keys are shown, rotated, and what they seal is moved", async (t) => {
  const page = await desk(t, "keys");
  await look(page, "operators-keys");
  for (const [button, said] of [["New key for tokens", "New versions were made"], ["New versions of card keys", "New versions were made"], ["Move values to the newest versions", "Values were moved"]]) {
    await page.click(`button:has-text('${button}')`);
    await page.waitForSelector(".done");
    await until(said, async () => {
      await page.goto(`${product.portal}/console/operations/keys`);
      return (await page.textContent("main")).includes(said);
    });
  }
  assert.equal(await page.$$eval("section >> nth=0 >> td.state", (all) => all.length) >= 2, true);
  await look(page, "operators-keys-rotated");
});

both("T-53: the audit log is verified, and its ends are taken home", async (t, at, kind) => {
  const page = await desk(t, "audit");
  const hand = at(page);
  if (kind === "mouse") await look(page, "operators-audit");
  await hand.choose("button:has-text('of the Login service')");
  await page.waitForSelector(".done");
  await until("the check", async () => {
    await page.goto(`${product.portal}/console/operations/audit`);
    return (await page.textContent("main")).includes("Nothing was altered");
  });
  if (kind === "mouse") await look(page, "operators-audit-checked");
  const [download] = await Promise.all([page.waitForEvent("download"), hand.choose("text=Download the ends")]);
  const file = join(product.folder, `heads-${kind}.json`);
  await download.saveAs(file);
  const heads = JSON.parse(await readFile(file, "utf8"));
  assert.deepEqual(heads.map((h) => h.service), ["login-service", "creditcard-service"]);
  await run(process.env.CCMS, ["audit", "verify", "--head", file, "--data", product.data]);
});

test("a backup shows", async (t) => {
  const page = await desk(t, "backups");
  await page.waitForSelector("text=Never.");
  await look(page, "operators-backups-never");
  const words = join(product.folder, "words");
  await writeFile(words, `${randomBytes(16).toString("hex")}\n`);
  await run("sh", ["-c", `"$0" backup "$1" --data "$2" < "$3"`, process.env.CCMS, join(product.folder, "b.age"), product.data, words]);
  await page.reload();
  await page.waitForSelector("text=Made by");
  await look(page, "operators-backups");
});

test("operators make and unmake one another", async (t) => {
  const page = await desk(t, "people");
  await look(page, "operators-people");
  const ann = await product.signUp();
  const bob = await product.signUp({ confirmed: false });
  for (const [email, words] of [["", "Enter an e-mail address"], ["nobody@example.com", "There is no account"], [bob.email, "has to confirm"]]) {
    await page.fill("#email", email);
    await page.click("button:has-text('Make an operator')");
    await page.waitForSelector(`#summary >> text=${words}`);
  }
  await look(page, "operators-people-wrong");
  await page.fill("#email", ann.email);
  await page.click("button:has-text('Make an operator')");
  await page.waitForSelector("text=is an operator from now on");
  await page.click(`tr:has-text('${ann.email}') >> text=Take the role away`);
  await look(page, "operators-people-remove");
  await page.click("button.danger");
  await page.waitForSelector("text=is an operator no more");
  assert.doesNotMatch(await page.textContent("table"), new RegExp(ann.email));
});

test("nobody else sees any of it", async (t) => {
  const page = await open(t, browser);
  await logIn(page, product, await product.signUp());
  for (const path of ["registry", "keys", "audit", "backups", "people"]) {
    await page.goto(`${product.portal}/console/operations/${path}`);
    await page.waitForSelector("text=This is for operators");
  }
});

test("firms are suspended and let go on", async (t) => {
  const token = await product.token(olga);
  await product.post("/api/firms", { name: "Acme Shoes", owner: "" }, token);
  const page = await desk(t, "people");
  await page.click("nav >> text=All firms");
  await page.click("tr:has-text('Acme Shoes') >> button:has-text('Suspend')");
  await page.waitForSelector("tr:has-text('Acme Shoes') >> text=Suspended");
  await page.click("tr:has-text('Acme Shoes') >> button:has-text('Resume')");
  await page.waitForSelector("tr:has-text('Acme Shoes') >> text=Active");
});

test("the registry's page is readable with 3 and with 2,000 instances, on a phone too, and without scripts", async (t) => {
  const page = await open(t, browser, { javaScriptEnabled: false });
  for (const [name, more] of [["3", 0], ["2000", 1997]]) {
    for (let n = 0; n < more; n += 50) {
      await Promise.all(Array.from({ length: Math.min(50, more - n) }, (_, i) => register(`APP-${(n + i) % 40}`, `app-${(n + i) % 40}:${n + i}`, { host: `h${n + i}.example.com` })));
    }
    for (const width of [320, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      for (const [what, path] of [["all", ""], ["application", "?app=APP-7"], ["filter", "?q=app-7:"], ["lastn", "lastn"]]) {
        if (what !== "all" && !more) continue;
        await page.goto(`${product.eureka}/${path}`);
        await fits(page, `${what} with ${name} at ${width} px`);
        await picture(page, `registry-${name}-${what}-${width}`);
      }
    }
  }
  const seen = await open(t, browser, { bypassCSP: true });
  await seen.goto(product.eureka);
  await accessible(seen, "the registry's page with 2,000 instances");
});

test("T-54: where all are silent at once nobody is evicted, and the page warns", async (t) => {
  const page = await open(t, browser);
  const hand = new Hand(page, "keyboard");
  const many = Array.from({ length: 12 }, (_, i) => `many:${i}`);
  await Promise.all(many.map((id) => register("MANY", id, { lease: 5 })));
  // Of a registry that has just started nobody can say it.
  await until("the warning", async () => {
    await page.goto(product.eureka);
    return page.locator(".banner.urgent").count();
  }, 150_000);
  assert.match(await page.textContent(".banner"), /^Emergency! Eureka may be incorrectly claiming instances are up[^]*nobody is evicted/);
  await hand.type("#q", "many:");
  await hand.send("form.filter button");
  await page.waitForURL("**q=many**");
  // On a slow machine it warns already because of others.
  await until("all of them to be overdue, and there", async () => {
    await page.reload();
    return (await page.locator("li:has-text('overdue')").count()) === many.length;
  });
  await picture(page, "registry-preserved");
});
