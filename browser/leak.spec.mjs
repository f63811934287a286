// Where a card's number and code must not be (T-40, T-46), and what a page does
// with scripts that are not ours (T-42, T-43).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { randomInt } from "node:crypto";
import { both, launch, logIn, open } from "./lib/browser.mjs";
import { start } from "./lib/product.mjs";

const year = new Date().getUTCFullYear() + 3;

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

// newNumber is a Visa made for this run, so that finding it anywhere means that
// it came from here.
function newNumber() {
  const digits = "4" + Array.from({ length: 14 }, () => randomInt(10)).join("");
  for (let check = 0; ; check++) if (luhn(digits + check)) return digits + check;
}

function luhn(digits) {
  const sum = [...digits].reverse().reduce((sum, d, i) => sum + (i % 2 ? [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][d] : +d), 0);
  return sum % 10 === 0;
}

// forms are the ways in which a number may be written.
function forms(number) {
  const groups = number.match(/.{4}/g);
  return [number, ...[" ", "-", "+", "%20"].map((s) => groups.join(s)), Buffer.from(number).toString("base64").slice(0, 20), number.slice(-9)];
}

// holdings is everything a page keeps that is not the value of a field.
const holdings = (page) =>
  page.evaluate(async () => {
    const kept = [document.title, location.href, document.referrer, JSON.stringify(history.state), document.cookie];
    for (const e of document.querySelectorAll("*")) for (const a of e.attributes) kept.push(`${e.tagName} ${a.name}=${a.value}`);
    for (const store of [localStorage, sessionStorage]) kept.push(JSON.stringify({ ...store }));
    kept.push(...(await indexedDB.databases()).map((d) => `database ${d.name}`), ...(await caches.keys()).map((k) => `cache ${k}`));
    kept.push(...performance.getEntries().map((e) => e.name));
    kept.push(...[...document.querySelectorAll("body *")].flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data)));
    return kept;
  });

async function files(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return Promise.all(entries.filter((e) => e.isFile()).map(async (e) => [e.name, await readFile(join(e.path, e.name), "latin1")]));
}

both("T-40: number and code are in the one request that sends them, and nowhere else", async (t, at) => {
  const page = await open(t, browser);
  const hand = at(page);
  await logIn(page, product, await product.signUp(), "/cards/add");
  const [number, code] = [newNumber(), "907"];
  const kept = [];
  const keep = async () => kept.push(...(await holdings(page)));

  await hand.type("#number", number);
  await hand.type("#code", code);
  await hand.type("#expiry", "1320");
  await hand.send("form.card-form button[type=submit]");
  await page.waitForSelector("#summary");
  await keep();
  await page.context().setOffline(true);
  await hand.retype("#expiry", `12/${year}`);
  await hand.send("form.card-form button[type=submit]");
  await page.waitForSelector("#summary p");
  await keep();
  await page.context().setOffline(false);
  await hand.choose("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  await keep();
  await page.goBack();
  await page.waitForSelector("#number");
  await keep();

  const sending = (r) => r.method() === "POST" && new URL(r.url()).pathname === "/cards/add";
  const said = [...kept, ...page.seen.console];
  let sent = 0;
  for (const r of page.seen.requests) {
    said.push(r.url(), ...Object.values(await r.allHeaders()));
    if (!sending(r)) said.push(r.postData() ?? "");
    else if (decodeURIComponent(r.postData()).replace(/\D/g, "").includes(number)) sent++;
  }
  assert.ok(sent >= 1, "the test sees what it looks for");
  for (const form of forms(number)) assert.deepEqual(said.filter((s) => s.includes(form)), [], "in the browser");
  assert.deepEqual(said.filter((s) => new RegExp(`(^|[=: "])${code}("|&|$)`).test(s)), [], "the code in the browser");
  assert.deepEqual(await page.context().storageState().then((s) => s.origins), []);

  for (const form of forms(number)) assert.ok(!product.said.includes(form), "in a log");
  assert.ok(product.said.includes("/cards/add"), "the log was looked at");
  for (const [name, content] of await files(product.data)) for (const form of forms(number)) assert.ok(!content.includes(form), name);
});

test("T-46: a page that is left clears number and code", async (t) => {
  const page = await open(t, browser);
  await logIn(page, product, await product.signUp(), "/cards/add");
  await page.fill("#number", newNumber());
  await page.fill("#code", "907");
  await page.fill("#expiry", `12/${year}`);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  assert.deepEqual([await page.inputValue("#number"), await page.inputValue("#code")], ["", ""]);
});

test("T-43: a script in a field that is shown again stays a text", async (t) => {
  const page = await open(t, browser);
  const bad = `"><script>document.title="run"</script><img src=x onerror='document.title="run"'>`;
  await page.goto(`${product.portal}/signup`);
  for (const id of ["username", "first", "last", "email"]) await page.fill(`#${id}`, bad);
  await page.click("main button[type=submit]");
  await page.waitForSelector("#summary");
  assert.equal(await page.inputValue("#first"), bad);
  assert.doesNotMatch(await page.title(), /run/);
  assert.equal(await page.locator("main script, main img").count(), 0);
});

test("T-43: a script that got into a page does not run", async (t) => {
  const page = await open(t, browser);
  page.seen.allowed = /policy|Content Security Policy|TrustedHTML/i; // that it is kept
  await page.route("**/login", async (route) => {
    const answer = await route.fetch();
    const body = (await answer.text()).replace("<main", `<script>document.title="run"</script><main onfocus='document.title="run"'`);
    await route.fulfill({ response: answer, body });
  });
  await page.goto(`${product.portal}/login`);
  await page.focus("main");
  assert.doesNotMatch(await page.title(), /run/);
  const written = await page.evaluate(() => {
    try {
      document.querySelector("main").innerHTML = "<b>x</b>";
      return true;
    } catch {
      return false;
    }
  });
  assert.equal(written, false, "a text became markup");
  assert.ok(page.seen.wrong.some((w) => /script-src/.test(w)), "the browser says so");
});

test("T-42: a script with another content does not run, and the form works without", async (t) => {
  const page = await open(t, browser);
  page.seen.allowed = /integrity/;
  await page.route("**/assets/card-*.js", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: `${await answer.text()};document.title="run"` });
  });
  await logIn(page, product, await product.signUp(), "/cards/add");
  assert.doesNotMatch(await page.title(), /run/);
  await page.fill("#number", "4242424242424242");
  await page.fill("#expiry", `12/${year}`);
  await page.fill("#code", "123");
  await page.click("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.ok(page.seen.wrong.some((w) => /integrity/.test(w)), "the browser says so");
});
