// The hosted card form: T-30 to T-38. A firm sends people to it, or shows it in
// a frame on its own page.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { both, Hand, launch, open } from "./lib/browser.mjs";
import { newFirm, Site } from "./lib/firm.mjs";
import { accessible, look, picture } from "./lib/look.mjs";
import { freePort, start, until } from "./lib/product.mjs";

const visa = "4111111111111111";
const code = "737";

let product, browser, site, firm, loader;
before(async () => {
  [product, browser, site] = await Promise.all([start(), launch(), Site.open()]);
  firm = await newFirm(product, { origins: [site.origin], returns: [`${site.origin}/back?order=7`] });
  loader = `${product.portal}/embed/v1/card-form.js`;
  site.page("/back", "<!DOCTYPE html><title>Shop</title><h1>Back</h1>");
});
after(() => Promise.all([product?.stop(), browser?.close(), site?.close()]));

const redirect = () => firm.link({ mode: "redirect", reference: "order 7", return_url: `${site.origin}/back?order=7` });
const plain = (more) => firm.link({ mode: "link", ...more });
const embed = () => firm.link({ mode: "embed", origin: site.origin });

// fill enters a card into the form of a page or a frame.
async function fill(form, number = visa) {
  await form.locator("#number").fill(number);
  await form.locator("#expiry").fill("12/40");
  await form.locator("#code").fill(code);
  await form.locator("#name").fill("Jane Doe");
}

const save = (form) => form.locator("main button[type=submit]").first().click();

// enter is fill by hand, into the form of a page or a frame.
async function enter(hand, form, number = visa) {
  const fields = { number, expiry: "1240", code, name: "Jane Doe" };
  for (const [id, text] of Object.entries(fields)) await hand.retype(form.locator(`#${id}`), text);
}

const submit = (hand, form) => hand.send(form.locator("main button[type=submit]"));

describe("T-36: to the hosted page and back", () => {
  for (const kind of ["mouse", "keyboard"]) {
    test(`by ${kind}`, async (t) => {
      const page = await open(t, browser);
      const hand = new Hand(page, kind);
      await page.goto((await redirect()).url);
      assert.match(await page.textContent("main"), /Test mode[^]*Your reference: order 7[^]*Acme Shoes[^]*you return to 127\.0\.0\.1/);
      await hand.type("#number", visa);
      await hand.type("#expiry", "1240");
      await hand.type("#code", code);
      await hand.type("#name", "Jane Doe");
      if (kind === "keyboard") await page.keyboard.press("Enter");
      else await hand.choose("main button[type=submit]");
      await page.waitForURL(`${site.origin}/back?**`);
      const said = new URL(page.url()).searchParams;
      assert.deepEqual([said.get("order"), said.get("status")], ["7", "verified"]);
      const kept = await firm.status(said.get("registration_id"));
      assert.deepEqual([kept.status, kept.brand, kept.last4], ["verified", "Visa", "1111"]);
    });
  }

  test("without JavaScript, with a mistake first", async (t) => {
    const page = await open(t, browser, { javaScriptEnabled: false });
    await page.goto((await redirect()).url);
    await fill(page, "4111111111111112");
    await save(page);
    assert.match(await page.textContent("#summary"), /does not match any card/);
    const shown = await page.locator("input").evaluateAll((all) => all.map((i) => [i.id, i.value]));
    assert.deepEqual(shown.filter(([id]) => id === "number" || id === "code"), [["number", ""], ["code", ""]]);
    await fill(page);
    await save(page);
    await page.waitForURL(`${site.origin}/back?order=7&registration_id=*&status=verified`);
  });

  test("back without a card", async (t) => {
    const page = await open(t, browser);
    const { url } = await redirect();
    await page.goto(url);
    await page.click("text=Cancel");
    await page.waitForURL(`${site.origin}/back?order=7&status=cancelled`);
    await page.goto(url); // nothing is used up
    assert.equal(await page.locator("#number").count(), 1);
  });

  test("the back button shows no number, and the link is used", async (t) => {
    const page = await open(t, browser);
    await page.goto((await redirect()).url);
    await fill(page);
    await save(page);
    await page.waitForURL(`${site.origin}/back?**`);
    await page.goBack();
    assert.ok(!(await page.content()).includes(visa));
    await page.reload();
    assert.match(await page.textContent("h1"), /Your card is registered/);
    await page.click("text=Go to");
    await page.waitForURL(/registration_id=.*status=verified/);
  });
});

describe("T-37: what becomes of a link", () => {
  both("it works once", async (t, at, kind) => {
    const page = await open(t, browser);
    const hand = at(page);
    const see = (name) => kind === "mouse" && look(page, name);
    const { url } = await plain();
    await page.goto(url);
    const name = await page.$eval("#name", (e) => Object.fromEntries([...e.attributes].map((a) => [a.name, a.value])));
    assert.deepEqual([name.type, name.autocomplete, name.inputmode, name.dir, name.maxlength], ["text", "cc-name", undefined, undefined, undefined]);
    await see("hosted-form");
    await hand.choose("main button[type=submit]");
    await page.waitForSelector("#summary li:nth-child(4)");
    await see("hosted-form-errors");
    await hand.type("#name", "411");
    await hand.type("#number", "");
    await page.waitForSelector("#name-error:has-text('not a number')"); // once the mouse was let go
    await enter(hand, page);
    await submit(hand, page);
    await page.waitForSelector("h1:has-text('Your card is registered')");
    await see("hosted-used");
    assert.equal(await page.locator("form.card-form").count(), 0);
    const again = await open(t, browser);
    await again.goto(url); // by who has it from the mail
    await again.waitForSelector("h1:has-text('Your card is registered')");
    assert.equal(await again.locator("input[autocomplete]").count(), 0);
    assert.doesNotMatch(await again.textContent("main"), /1111/, "whoever has the link does not learn the card");
    const { data } = await firm.call("GET", "/v1/links?status=used&limit=1");
    assert.deepEqual([data[0].mode, data[0].status], ["link", "used"]);
  });

  test("two windows, one card", async (t) => {
    const { url } = await plain();
    const [one, two] = [await open(t, browser), await open(t, browser)];
    for (const page of [one, two]) {
      await page.goto(url);
      await fill(page);
    }
    await save(one);
    await one.waitForSelector("h1:has-text('Your card is registered')");
    const registered = async () => (await firm.call("GET", "/v1/registrations")).data.map((r) => r.registration_id);
    const before = await registered();
    await save(two);
    await two.waitForSelector("h1:has-text('Your card is registered')");
    assert.deepEqual(await registered(), before, "the second window registered nothing");
  });

  both("it expires", async (t, at, kind) => {
    const page = await open(t, browser);
    const hand = at(page);
    const [gone, late] = [await plain({ expires_in: 1 }), await plain({ expires_in: 8 })];
    await page.goto(late.url);
    await enter(hand, page); // he began in time
    await until("the links to expire", async () => (await Promise.all([gone, late].map((l) => fetch(l.url)))).every((a) => a.status === 410));
    await submit(hand, page);
    await page.waitForSelector("main >> text=has expired");
    await page.goto(gone.url);
    assert.match(await page.textContent("main"), /has expired[^]*Ask .*Acme Shoes.* for a new link/);
    if (kind === "mouse") await look(page, "hosted-expired");
  });

  both("it is withdrawn by the firm", async (t, at, kind) => {
    const page = await open(t, browser);
    const hand = at(page);
    const { id, url } = await plain();
    await page.goto(url);
    await enter(hand, page);
    await firm.call("DELETE", `/v1/links/${id}`);
    await submit(hand, page);
    await page.waitForSelector("h1:has-text('This link was withdrawn')");
    if (kind === "mouse") await look(page, "hosted-revoked");
  });

  test("its firm takes no cards any more", async (t) => {
    const page = await open(t, browser);
    const other = await newFirm(product, {});
    const { url } = await other.link({ mode: "link" });
    await other.revoke();
    await until("the client to be forgotten", async () => (await fetch(url)).status === 410);
    await page.goto(url);
    await look(page, "hosted-withdrawn");
    assert.match(await page.textContent("h1"), /cannot be used at the moment/);
  });

  test("there never was one", async (t) => {
    const page = await open(t, browser);
    assert.equal((await page.goto(`${product.portal}/card/x`)).status(), 404);
    await look(page, "hosted-unknown");
  });

  test("in Arabic, digits stay in order", async (t) => {
    const page = await open(t, browser, { locale: "ar" });
    await page.goto((await plain()).url);
    await page.locator("#number").pressSequentially("٤١١١١١١١١١١١١١١١");
    assert.equal(await page.inputValue("#number"), "4111 1111 1111 1111");
    await page.fill("#expiry", "12/40");
    await look(page, "hosted-form");
    await page.fill("#code", code);
    await page.fill("#name", "جين دو");
    await save(page);
    await page.waitForSelector("h1:has-text('سُجّلت بطاقتك')");
    await look(page, "hosted-used");
  });
});

both("T-37: a brand that the firm does not take is named while it is typed, and uses no link up", async (t, at, kind) => {
  const choosy = await newFirm(product, { scopes: ["cards:register", "cards:manage", "cards:read"] });
  await choosy.call("PUT", "/v1/settings", { verification: { brands: ["Mastercard", "American Express"] } });
  const { url } = await choosy.link({ mode: "link" });
  const page = await open(t, browser);
  await until("the rule to hold", async () => {
    await page.goto(url);
    return /Accepted: .*Mastercard, American Express/.test(await page.textContent("#number-hint"));
  });
  const hand = at(page);
  await hand.type("#number", "4");
  assert.equal(await page.textContent("[data-brand]"), "", "it may still be another");
  await page.keyboard.type(visa.slice(1, 8));
  assert.match(await page.textContent("[data-brand]"), /Visa cards are not accepted here/);
  assert.equal(await page.textContent("#number-error"), "", "nobody is interrupted");
  await page.waitForFunction(() => /Visa cards are not accepted/.test(document.querySelector("[data-live]").textContent));
  await page.keyboard.press("Tab");
  assert.match(await page.textContent("#number-error"), /Visa cards are not accepted here/);
  if (kind === "mouse") await look(page, "hosted-form-brand");
  await enter(hand, page);
  await submit(hand, page);
  await page.waitForSelector("#summary");
  const plainly = await open(t, browser, { javaScriptEnabled: false });
  await plainly.goto(url);
  await fill(plainly);
  await save(plainly);
  assert.match(await plainly.textContent("#summary"), /Visa cards are not accepted here/);
  await hand.retype("#number", "5555555555554444");
  await submit(hand, page);
  await page.waitForSelector("h1:has-text('Your card is registered')");
});

// record makes a page that keeps what the form says.
const record = (links, more = "") => `
  window.said = [];
  window.forms = ${JSON.stringify(links)}.map((url, i) => {
    const on = (name) => (event) => said.push({ form: i, name, ...event });
    return CCMS.cardForm({ url, element: i === 0 ? "#card" : "#card" + i,
      onReady: on("ready"), onResize: on("resize"), onFocus: on("focus"), onBlur: on("blur"),
      onEscape: on("escape"), onChange: on("change"), onSubmit: on("submit"), onError: on("error") }).mount();
  });
  ${more}`;

const said = (page, name) => page.evaluate((n) => window.said.filter((e) => e.name === n), name);
const heard = (page, name, count = 1) => page.waitForFunction(([n, c]) => window.said.filter((e) => e.name === n).length >= c, [name, count]);

describe("T-30: in a frame of a firm's page", () => {
  for (const kind of ["mouse", "keyboard"]) {
    test(`a card is entered by ${kind}, and the firm hears how, not what`, async (t) => {
      const page = await open(t, browser);
      await page.goto(site.embedding(`/t30-${kind}`, { loader, script: record([(await embed()).url]) }));
      await heard(page, "ready");
      const form = page.frameLocator("iframe[title='Card details']");
      const frame = page.frames()[1];
      await heard(page, "resize");
      const before = (await said(page, "resize")).at(-1).height;
      if (kind === "mouse") {
        await save(form);
        await form.locator("#summary li").nth(3).waitFor();
        await page.waitForFunction((h) => window.said.findLast((e) => e.name === "resize").height > h, before);
        await accessible(page, "frame with errors");
        const [tall, room] = await frame.evaluate(() => [document.documentElement.scrollHeight, innerHeight]);
        assert.ok(tall <= room, `${tall} px in a frame of ${room}`);
        await fill(form);
        await save(form);
      } else {
        for (const text of [visa, "1240", code, "Jane Doe"]) {
          await page.keyboard.press("Tab");
          await page.keyboard.type(text);
        }
        await page.keyboard.press("Escape");
        await heard(page, "escape");
        await page.keyboard.press("Enter");
      }
      await heard(page, "submit");
      const [made] = await said(page, "submit");
      assert.deepEqual([made.status, made.brand, made.last4, made.expiry], ["verified", "Visa", "1111", "12/2040"]);
      assert.equal((await firm.status(made.registrationId)).status, "verified");
      await form.locator("text=The card is registered").waitFor();
      const changes = await said(page, "change");
      const last = (field) => changes.findLast((e) => e.field === field);
      for (const field of ["number", "expiry", "code", "name"]) {
        assert.deepEqual([last(field).complete, last(field).empty, last(field).errorCode], [true, false, null], field);
      }
      assert.equal(last("number").brand, "visa");
      const all = JSON.stringify(await page.evaluate(() => window.said));
      for (const secret of [visa, visa.slice(0, 6), "4111 11", code, "Jane"]) assert.ok(!all.includes(secret), `the firm heard ${secret}`);
      assert.deepEqual((await said(page, "focus")).slice(0, 1).map((e) => Object.keys(e).sort()), [["field", "form", "name"]]);
    });
  }

  test("Tab goes in, through and out again", async (t) => {
    const page = await open(t, browser);
    await page.goto(site.embedding("/t30-tab", { loader, script: record([(await embed()).url]), more: "<button id=before>Before</button>" }));
    await heard(page, "ready");
    await page.focus("#before");
    const fields = [];
    for (let i = 0; i < 8 && !(await page.evaluate(() => document.activeElement.id === "after")); i++) {
      await page.keyboard.press("Tab");
      fields.push(await page.frames()[1].evaluate(() => document.activeElement.id || document.activeElement.type));
    }
    assert.deepEqual(fields.slice(0, 5), ["number", "expiry", "code", "name", "submit"]);
    assert.equal(await page.evaluate(() => document.activeElement.id), "after");
    await page.keyboard.press("Shift+Tab");
    assert.equal(await page.frames()[1].evaluate(() => document.activeElement.type), "submit");
  });

  test("the firm's page may focus, clear, send and choose the language", async (t) => {
    const page = await open(t, browser);
    await page.goto(site.embedding("/t30-methods", { loader, script: record([(await embed()).url]) }));
    await heard(page, "ready");
    const form = page.frameLocator("iframe");
    await page.evaluate(() => window.forms[0].focus("code"));
    await page.waitForFunction(() => window.said.some((e) => e.name === "focus" && e.field === "code"));
    await fill(form);
    await page.evaluate(() => window.forms[0].clear());
    await page.waitForFunction(() => window.said.findLast((e) => e.name === "change").empty);
    assert.equal(await form.locator("#number").inputValue(), "");
    await page.evaluate(() => window.forms[0].setLocale("ar"));
    await heard(page, "ready", 2);
    await form.locator("html[lang=ar][dir=rtl]").waitFor();
    await fill(form);
    await page.evaluate(() => window.forms[0].submit());
    await heard(page, "submit");
  });

  test("the form takes the looks of the page, but none that cannot be read", async (t) => {
    const page = await open(t, browser);
    page.seen.allowed = /the appearance was refused/;
    await page.goto(site.embedding("/t30-looks", { loader, script: record([(await embed()).url]) }));
    await heard(page, "ready");
    const frame = page.frames()[1];
    const style = (selector) => frame.$eval(selector, (e) => {
      const { color, backgroundColor, borderTopLeftRadius, fontFamily, fontSize } = getComputedStyle(e);
      return { color, backgroundColor, borderTopLeftRadius, fontFamily, fontSize };
    });
    const first = await style("button[type=submit]");
    const chosen = { text: "#202040", background: "#fff8f0", button: "#402080", buttonText: "#ffffff", font: "serif", fontSize: 18, radius: 16, spacing: 20 };
    await page.evaluate((a) => window.forms[0].setAppearance(a), chosen);
    await frame.waitForFunction(() => getComputedStyle(document.documentElement).fontSize === "18px");
    const button = await style("button[type=submit]");
    assert.deepEqual([button.color, button.backgroundColor, button.borderTopLeftRadius], ["rgb(255, 255, 255)", "rgb(64, 32, 128)", "16px"]);
    assert.deepEqual(await style("body").then((s) => [s.color, s.backgroundColor, s.fontFamily]), ["rgb(32, 32, 64)", "rgb(255, 248, 240)", "serif"]);
    await accessible(page, "the form in the firm's colours");
    await picture(page, "embed-looks");

    const refusals = [
      [{ text: "#cccccc", background: "#ffffff" }, /text on background: the contrast is 1\.6/],
      [{ background: "url(https://evil.example/x)" }, /background does not take this value/],
      [{ fontSize: 6 }, /fontSize does not take/],
      [{ display: "none" }, /display cannot be chosen/],
      [{ constructor: "x" }, /constructor cannot be chosen/],
    ];
    for (const [i, [bad, why]] of refusals.entries()) {
      await page.evaluate((a) => window.forms[0].setAppearance(a), bad);
      await heard(page, "error", i + 1);
      const error = (await said(page, "error")).at(-1);
      assert.equal(error.code, "appearance");
      assert.match(error.wrong.join(), why);
      assert.deepEqual(await style("button[type=submit]"), button, "nothing changes");
    }
    await page.evaluate((a) => window.forms[0].setAppearance(a), chosen);
    await page.evaluate(() => window.forms[0].unmount().mount());
    await heard(page, "ready", 2);
    await page.frames()[1].waitForFunction(() => getComputedStyle(document.documentElement).fontSize === "18px");
    await page.evaluate(() => window.forms[0].setAppearance({}));
    await page.frames()[1].waitForFunction(() => getComputedStyle(document.documentElement).fontSize === "16px");
    assert.deepEqual(await page.frames()[1].$eval("button[type=submit]", (e) => getComputedStyle(e).backgroundColor), first.backgroundColor);
  });

  for (const [scheme, style] of [["light", ""], ["dark", ":root { color-scheme: only dark }"], ["", ":root { color-scheme: light dark }"]]) {
    test(`the form is ${scheme || "as the person likes it"} where the page is`, async (t) => {
      const page = await open(t, browser, { colorScheme: "dark" });
      site.page("/scheme.css", style, { "Content-Type": "text/css" });
      await page.goto(site.embedding("/t30-scheme", { loader, more: '<link rel="stylesheet" href="/scheme.css">', script: record([(await embed()).url]) }));
      await heard(page, "ready");
      assert.equal(await page.frames()[1].evaluate(() => document.documentElement.className), scheme);
      assert.equal(await page.frames()[1].evaluate(() => getComputedStyle(document.documentElement).colorScheme), scheme || "light dark");
    });
  }

  test("a page that is loaded again says that the card is there", async (t) => {
    const page = await open(t, browser);
    await page.goto(site.embedding("/t30-again", { loader, script: record([(await embed()).url]) }));
    await heard(page, "ready");
    const form = page.frameLocator("iframe");
    await fill(form);
    await save(form);
    await heard(page, "submit");
    const [first] = await said(page, "submit");
    await page.reload();
    await heard(page, "submit");
    const [again] = await said(page, "submit");
    assert.deepEqual([again.registrationId, again.status, again.last4], [first.registrationId, "verified", null]);
    assert.equal((await said(page, "ready"))[0].state, "used");
  });

  test("without JavaScript in the frame", async (t) => {
    const page = await open(t, browser, { javaScriptEnabled: false });
    await page.goto(site.page("/t30-plain", `<!DOCTYPE html><title>Shop</title><iframe title="Card details" width="400" height="900" src="${(await embed()).url}"></iframe>`));
    const form = page.frameLocator("iframe");
    await fill(form);
    await save(form);
    await form.locator("h1:has-text('Your card is registered')").waitFor();
  });

  test("on a page of its own where the frame does not load", async (t) => {
    const page = await open(t, browser);
    await page.goto((await embed()).url);
    await page.waitForSelector("footer");
    await fill(page);
    await save(page);
    await page.waitForSelector("h1:has-text('Your card is registered')");
  });
});

// anywhere opens a page whose console may complain.
async function anywhere(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  page.said = [];
  page.on("console", (m) => page.said.push(m.text()));
  return page;
}

test("T-31: on another origin the frame is refused, and there is a way on", async (t) => {
  const other = await Site.open();
  t.after(() => other.close());
  const page = await anywhere(t);
  await page.clock.install();
  const { url } = await embed();
  await page.goto(other.embedding("/", { loader, script: record([url]) }));
  await until("the refusal", () => page.said.some((text) => text.includes("frame-ancestors")));
  await page.clock.runFor(20_000);
  await heard(page, "error");
  assert.equal(await page.locator("iframe").count(), 0);
  assert.equal(await page.getAttribute("#card a", "href"), url);
  assert.ok(page.said.some((text) => text.includes("Is " + other.origin)), page.said.join("\n"));
  assert.deepEqual(await said(page, "ready"), []);
});

test("T-32: messages that others forge are ignored, in both directions", async (t) => {
  const page = await open(t, browser);
  site.page("/evil.js", `
    window.got = [];
    const hello = { ccms: "ccms-card-form", version: 1, type: "hello" };
    const connect = { ccms: "ccms-card-form", version: 1, type: "connect" };
    addEventListener("message", (e) => got.push(e.data));
    setInterval(() => {
      parent.postMessage(hello, "*");
      for (let i = 0; i < parent.frames.length; i++) {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = (e) => got.push(e.data);
        if (parent.frames[i] !== window) parent.frames[i].postMessage(connect, "*", [port2]);
      }
      window.tries = (window.tries ?? 0) + 1;
    }, 5);`, { "Content-Type": "text/javascript" });
  site.page("/evil", `<!DOCTYPE html><title>Evil</title><script src="/evil.js"></script>`);
  await page.goto(site.embedding("/t32", { loader, more: '<iframe title="Other" src="/evil"></iframe>', script: record([(await embed()).url]) }));
  await heard(page, "ready");
  const evil = page.frames().find((f) => f.url().endsWith("/evil"));
  await evil.waitForFunction(() => window.tries > 20);
  const form = page.frameLocator("iframe[title='Card details']");
  await fill(form);
  await save(form);
  await heard(page, "submit");
  assert.deepEqual(await evil.evaluate(() => window.got), []);
  assert.equal((await said(page, "ready")).length, 1);
});

test("T-33: scripts of the page around cannot read the frame", async (t) => {
  const page = await open(t, browser);
  await page.goto(site.embedding("/t33", { loader, script: record([(await embed()).url]) }));
  await heard(page, "ready");
  const tried = await page.evaluate(() => {
    const frame = document.querySelector("iframe");
    const attempt = (f) => {
      try {
        return String(f());
      } catch (e) {
        return e.name;
      }
    };
    return [attempt(() => frame.contentDocument), attempt(() => frame.contentWindow.document), attempt(() => frame.contentWindow.location.href)];
  });
  assert.deepEqual(tried, ["null", "SecurityError", "SecurityError"]);
  const frame = await page.evaluate(() => Object.fromEntries([...document.querySelector("iframe").attributes].map((a) => [a.name, a.value])));
  assert.deepEqual([frame.sandbox, frame.title, "style" in frame, "role" in frame], ["allow-scripts allow-forms allow-same-origin", "Card details", false, false]);
});

both("T-34: two forms on one page do not mix", async (t, at, kind) => {
  const page = await open(t, browser);
  const hand = at(page);
  const links = [(await embed()).url, (await embed()).url];
  await page.goto(site.embedding(`/t34-${kind}`, { loader, ids: ["card", "card1"], script: record(links) }));
  await heard(page, "ready", 2);
  const forms = ["#card iframe", "#card1 iframe"].map((s) => page.frameLocator(s));
  await enter(hand, forms[0]);
  await enter(hand, forms[1], "5555555555554444");
  assert.equal(await forms[0].locator("#number").inputValue(), "4111 1111 1111 1111");
  await submit(hand, forms[1]);
  await heard(page, "submit");
  await hand.choose(forms[0].locator("main button[type=submit]"));
  await heard(page, "submit", 2);
  const made = await said(page, "submit");
  assert.deepEqual(made.map((e) => [e.form, e.brand]), [[1, "Mastercard"], [0, "Visa"]]);
  const kept = await Promise.all(made.map((e) => firm.status(e.registrationId)));
  assert.deepEqual(kept.map((k) => k.last4), ["4444", "1111"]);
  const brands = (i) => said(page, "change").then((all) => [...new Set(all.filter((e) => e.form === i && e.brand).map((e) => e.brand))]);
  assert.deepEqual([await brands(0), await brands(1)], [["visa"], ["mastercard"]], "neither hears of the other");
});

test("T-35: a form is taken away and comes back", async (t) => {
  const page = await open(t, browser);
  await page.goto(site.embedding("/t35", { loader, script: record([(await embed()).url]) }));
  for (let round = 1; round <= 3; round++) {
    await heard(page, "ready", round);
    await fill(page.frameLocator("iframe"));
    await page.evaluate(() => window.forms[0].unmount());
    assert.equal(await page.locator("iframe").count(), 0);
    await page.evaluate(() => window.forms[0].mount());
  }
  await heard(page, "ready", 4);
  const form = page.frameLocator("iframe");
  assert.equal(await form.locator("#number").inputValue(), "");
  await fill(form);
  await save(form);
  await heard(page, "submit");
  assert.equal((await said(page, "ready")).length, 4);
  await page.evaluate(() => window.forms[0].destroy());
  assert.equal(await page.locator("iframe").count(), 0);
});

describe("T-38: the sample shop, under its strict policy", () => {
  let shop, self;
  before(async () => {
    const port = await freePort();
    self = `http://localhost:${port}`;
    const own = await newFirm(product, { origins: [self], returns: [`${self}/thanks`] });
    const client = join(product.folder, "client.json");
    await writeFile(client, JSON.stringify({ client_id: own.client_id, client_secret: own.client_secret }), { mode: 0o600 });
    const binary = join(product.folder, "shop");
    execFileSync("go", ["build", "-o", binary, "./examples/shop"], { cwd: new URL("..", import.meta.url) });
    const { scripts } = await (await fetch(`${product.portal}/assets/inventory.json`)).json();
    const { integrity } = scripts.find((s) => s.file === "card-form.v1.js");
    shop = spawn(binary, ["-addr", `localhost:${port}`, "-ccms", product.portal, "-client", client, "-integrity", integrity]);
    await until("the shop to open", () => fetch(self).then((r) => r.ok, () => false));
  });
  after(() => shop?.kill("SIGINT"));

  both("a card in its page", async (t, at, kind) => {
    const page = await open(t, browser);
    const hand = at(page);
    const shown = await page.goto(self);
    assert.doesNotMatch(shown.headers()["content-security-policy"], /unsafe-/);
    await hand.choose("text=Here on this page");
    const form = page.frameLocator("iframe");
    await enter(hand, form);
    if (kind === "mouse") {
      await accessible(page, "the shop with the form");
      await picture(page, "shop-embedded");
    }
    await submit(hand, form);
    await page.waitForSelector("text=Your Visa card ending in 1111 is with us");
  });

  both("a card on our page, and back", async (t, at) => {
    const page = await open(t, browser);
    const hand = at(page);
    await page.goto(self);
    await hand.choose("text=On the secure page");
    await enter(hand, page);
    await submit(hand, page);
    await page.waitForSelector("text=Your Visa card ending in 1111 is registered");
    await page.goto(`${self}/thanks?status=verified`); // what anybody may type
    await page.waitForSelector("text=No card yet");
  });
});

test("secrets of links and cards are in no log", () => {
  assert.ok(product.said.includes('"url.path":"/card/{secret}"') || product.said.includes("url.path=/card/{secret}"));
  assert.ok(!/\/card\/[A-Za-z0-9_-]{43}/.test(product.said), "the secret of a link is in the log");
  for (const secret of [visa, "5555555555554444", "Jane Doe"]) assert.ok(!product.said.includes(secret));
});
