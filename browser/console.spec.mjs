// The console as the people of a firm meet it, from the operator who makes the
// firm to the report at the end of the month (T-50, T-52, T-53).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { both, launch, logIn, open } from "./lib/browser.mjs";
import { newDesk, newOperator, register } from "./lib/desk.mjs";
import { look } from "./lib/look.mjs";
import { start } from "./lib/product.mjs";

let product, browser, operator;
before(async () => {
  [product, browser] = await Promise.all([start(), launch()]);
  operator = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

const send = (page, text) => page.click(`main button:has-text("${text}")`);
const main = (page) => page.textContent("main");

// desk logs the owner of a new firm in.
async function desk(t, options) {
  const [page, made] = await Promise.all([open(t, browser, options), newDesk(product, operator)]);
  await logIn(page, product, made.owner, new URL(made.base).pathname);
  return { page, ...made };
}

// addClient makes a client on its page.
async function addClient(page, base, name = "Web shop") {
  await page.goto(`${base}/clients/add`);
  await page.fill("#name", name);
  await send(page, "Create client");
  return newClient(page);
}

// newClient is the client whose secret the page shows.
async function newClient(page) {
  const [id, secret] = await Promise.all([page.textContent("main dl code"), page.textContent(".once code")]);
  return { id, secret };
}

// saved is what a link saves that somebody chooses: its name and its text.
async function saved(page, choose) {
  const [download] = await Promise.all([page.waitForEvent("download"), choose()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), "utf8") };
}

test("an operator makes a firm, stops it and lets it go on", async (t) => {
  const [page, someone] = await Promise.all([open(t, browser), product.signUp()]);
  await logIn(page, product, operator, "/console/firms");
  await send(page, "Create firm");
  assert.match(await page.textContent("#summary"), /Enter the name of the firm/);
  await page.fill("#name", "Zed Hats");
  await page.fill("#owner", someone.email);
  await send(page, "Create firm");
  assert.match(await main(page), /The firm is there/);
  await look(page, "console-all-firms");
  await page.click("button:has-text('Suspend Zed Hats')");
  assert.match(await page.textContent("tr:has-text('Zed Hats')"), /Suspended/);
  await page.click("button:has-text('Resume Zed Hats')");
  assert.match(await page.textContent("tr:has-text('Zed Hats')"), /Active/);
  await page.click("a:has-text('Zed Hats')");
  await page.waitForSelector("text=You see this firm as an operator");
  await look(page, "console-operator");
});

// button is a button of the page by its text.
const button = (text) => `main button:has-text("${text}")`;

both("make a client, whose secret is shown once; change it, rotate, revoke (T-50)", async (t, at, kind) => {
  const { page, base } = await desk(t);
  const hand = at(page);
  const see = (name) => kind === "mouse" && look(page, name);
  await see("console-home-new");
  await hand.choose("nav >> text=API clients");
  await hand.choose("a:has-text('New test client')");
  await see("console-client-add");
  await hand.choose(button("Create client"));
  await page.waitForSelector("#summary >> text=Enter a name");
  await hand.choose("#summary a");
  assert.equal(await page.evaluate(() => document.activeElement.id), "name", "the error leads to its field");
  await hand.type("#name", "Web shop");
  await hand.tick("[name='scopes.cards:manage']");
  await hand.tick("[name='scopes.webhooks:manage']", false);
  await hand.choose(button("Create client"));
  await page.waitForSelector(".once code");
  const { id, secret } = await newClient(page);
  await see("console-client-secret");
  assert.ok((await register(product, { id, secret })).registration_id, "the secret is good");
  await hand.choose("a:has-text('I have copied it')");
  await page.waitForURL(`${base}/clients/${id}`);
  assert.ok(!(await page.content()).includes(secret), "the secret is shown twice");
  assert.deepEqual(await Promise.all(["manage", "reveal"].map((s) => page.isChecked(`[name='scopes.cards:${s}']`))), [true, false]);
  assert.equal(await page.isChecked("[name='scopes.webhooks:manage']"), false);
  await see("console-client");
  if (kind === "mouse") {
    await page.goto(`${base}/clients`);
    await look(page, "console-clients");
    await page.goBack();
  }
  await hand.type("#origins", "https://shop.example");
  await hand.choose(button("Save"));
  await page.waitForSelector("text=The client is changed");
  await hand.pick("#overlap", "another hour");
  await hand.choose(button("Make a new secret"));
  const second = await page.textContent(".once code");
  assert.notEqual(second, secret);
  await Promise.all([register(product, { id, secret }), register(product, { id, secret: second })]);
  await hand.choose("a:has-text('I have copied it')");
  await hand.choose("a:has-text('Revoke Web shop')");
  await hand.type("#name", "web shop");
  await hand.send(button("Revoke"));
  assert.match(await page.textContent("#summary"), /Type Web shop/);
  await see("console-client-revoke");
  await hand.retype("#name", "Web shop");
  await hand.send(button("Revoke"));
  await page.waitForURL("**/clients?done=revoked");
  assert.match(await main(page), /is revoked.*There is none yet.*Revoked clients \(1\)/s);
  await assert.rejects(register(product, { id, secret: second }), /401/);
});

both("find a registration, switch its card, erase it, take the list home (T-52)", async (t, at, kind) => {
  const { page, base } = await desk(t);
  const hand = at(page);
  const see = (name) => kind === "mouse" && look(page, name);
  const client = await addClient(page, base);
  const made = await register(product, client, { reference: "=order 7" });
  await register(product, client, { card_number: "5555555555554444", reference: "order 8" });
  await hand.choose("nav >> text=Registrations");
  await page.waitForURL("**/registrations");
  assert.equal(await page.locator("tbody tr").count(), 2);
  const all = await saved(page, () => hand.choose("a[download]"));
  assert.equal(all.text.trim().split("\r\n").length, 3, "a header and a line of each");
  await hand.type("#last4", "1");
  await hand.send(button("Filter"));
  assert.match(await page.textContent("#summary"), /Enter four digits/);
  await hand.retype("#last4", "4242");
  await hand.send(button("Filter"));
  await page.waitForURL("**last4=4242**");
  assert.equal(await page.locator("tbody tr").count(), 1);
  await see("console-registrations");
  const csv = await saved(page, () => hand.choose("a[download]"));
  assert.match(csv.name, /^registrations-test-\d{8}-\d{4}\.csv$/);
  assert.match(csv.text, /'=order 7/, "no cell is a formula");
  assert.doesNotMatch(csv.text, /4242424242424242/);
  assert.equal(csv.text.trim().split("\r\n").length, 2);
  await hand.choose(`tbody a:has-text("${made.registration_id}")`);
  await hand.choose(button("Switch off"));
  await page.waitForSelector("text=The card is switched off");
  await see("console-registration");
  await hand.choose(button("Switch on"));
  await page.waitForSelector("text=The card is switched on");
  await hand.choose("a:has-text('Erase the card')");
  await page.waitForURL("**/delete-card");
  await see("console-delete-card");
  await hand.choose(button("Erase the card"));
  await page.waitForSelector("text=The card is erased");
  assert.match(await main(page), /its token means nothing/);
});

both("the record says who did what, and is filtered and saved (T-53)", async (t, at, kind) => {
  const { page, base, owner } = await desk(t);
  const hand = at(page);
  await register(product, await addClient(page, base));
  await hand.choose("nav >> text=Audit");
  await page.waitForURL("**/audit");
  assert.match(await main(page), /registration\.create/);
  if (kind === "mouse") await look(page, "console-audit");
  await hand.choose("main nav >> text=People and clients");
  await page.waitForURL("**/audit?log=people");
  assert.match(await page.textContent("tbody"), /member/, "all acts stand there at first");
  await hand.type("#act", "client");
  await hand.send(button("Filter"));
  await page.waitForURL("**act=client**");
  const acts = await page.locator("tbody th").allTextContents();
  assert.ok(acts.length > 0 && acts.every((a) => a.startsWith("client")), acts.join());
  assert.match(await page.textContent("tbody"), new RegExp(owner.email));
  const csv = await saved(page, () => hand.choose("a[download]"));
  assert.match(csv.name, /^audit-people-test-/);
  assert.match(csv.text, /client\.create/);
  assert.doesNotMatch(csv.text, /member\./, "it holds what the page selects");
});

test("people are invited, get roles and lose them", async (t) => {
  const { page, base, owner } = await desk(t);
  const [other, viewer] = await Promise.all([product.signUp(), open(t, browser)]);
  await page.goto(`${base}/people`);
  await page.fill("#email", other.email);
  await page.selectOption("#role", "viewer");
  await send(page, "Invite");
  await look(page, "console-people");
  await logIn(viewer, product, other, new URL(base).pathname);
  const menu = await viewer.textContent("nav.sections");
  assert.match(menu, /Registrations.*Reports/s);
  assert.doesNotMatch(menu, /Links|Webhooks/);
  assert.equal((await viewer.goto(`${base}/webhooks`)).status(), 403);
  await look(viewer, "console-denied");
  await page.goto(`${base}/people`);
  await page.click(`a:has-text("${other.email}")`);
  await page.selectOption("#role", "admin");
  await send(page, "Change role");
  await viewer.goto(`${base}/webhooks`);
  assert.match(await main(viewer), /There is none yet/);
  await page.click(`a:has-text("${other.email}")`);
  await look(page, "console-person");
  await send(page, "Remove");
  assert.equal((await viewer.goto(base)).status(), 404);
  await page.click(`a:has-text("${owner.email}")`);
  await send(page, "Leave");
  assert.match(await main(page), /owner/, "the last owner stays");
});

test("settings: another name, rules that refuse a card", async (t) => {
  const { page, base } = await desk(t);
  const client = await addClient(page, base);
  await page.goto(`${base}/settings`);
  await page.fill("#name", "Acme Boots");
  await send(page, "Save name");
  assert.match(await page.textContent("nav.sections"), /Acme Boots/);
  await page.fill("#deny", "12");
  await send(page, "Save test rules");
  await page.waitForSelector("#summary");
  await look(page, "console-settings-errors");
  await page.fill("#deny", "555555");
  await send(page, "Save test rules");
  assert.match(await main(page), /The test rules are saved/);
  await look(page, "console-settings");
  await register(product, client);
  await new Promise((done) => setTimeout(done, 1100)); // rules hold within a second
  await register(product, client, { card_number: "5555555555554444" });

  // What was refused stands in the figures, and in the report.
  await page.goto(base);
  assert.match(await page.textContent(".figures"), /Received\s*2\s*Verified\s*1\s*Refused or failed\s*1/);
  await look(page, "console-home");
  await page.click("nav >> text=Reports");
  assert.match(await page.textContent("tfoot"), /All\s*1\s*0\s*1\s*0\s*0\s*2/);
  await look(page, "console-report-day");
  for (const [by, row] of [["month", new RegExp(new Date().toISOString().slice(0, 7))], ["brand", /Mastercard/], ["status", /rejected/], ["reason", /none/]]) {
    await page.selectOption("#by", by);
    await send(page, "Count");
    assert.match(await page.textContent("tbody"), row);
    if (by === "reason" || by === "brand") await look(page, `console-report-${by}`);
  }
  const files = page.locator("a[download]");
  assert.equal(await files.count(), 6);
  const csv = await saved(page, () => page.click("a[download]:has-text('Each registration as CSV')"));
  assert.match(csv.name, /^registrations-test-\d{8}-\d{8}\.csv$/);
  assert.equal(csv.text.trim().split("\r\n").length, 3);
  assert.doesNotMatch(csv.text, /4242424242424242|5555555555554444/);
  const lines = (await saved(page, () => page.click("a[download]:has-text('Each registration as NDJSON')"))).text.trim().split("\n");
  assert.deepEqual(lines.map((l) => JSON.parse(l).last4).sort(), ["4242", "4444"]);
  const figures = JSON.parse((await saved(page, () => page.click("a[download]:has-text('The figures as JSON')"))).text);
  assert.equal(figures.data.reduce((n, l) => n + l.count, 0), 2);
  await page.fill("#from", "2020-01-01");
  await send(page, "Count");
  assert.match(await page.textContent("#summary"), /at most five years/);
  await look(page, "console-report-errors");
});
