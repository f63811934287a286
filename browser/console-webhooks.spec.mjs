// Webhooks in the console, as an owner of a firm meets them (T-51): make one,
// test it, see it fail and come back, send again, change over to a new secret.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { both, launch, logIn, open } from "./lib/browser.mjs";
import { newDesk, newOperator, Receiver, signedBy } from "./lib/desk.mjs";
import { look } from "./lib/look.mjs";
import { start, until } from "./lib/product.mjs";

let product, browser, operator;
before(async () => {
  [product, browser] = await Promise.all([start("--webhook.allow-private"), launch()]);
  operator = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

const send = (page, text) => page.click(`main button:has-text("${text}")`);
const main = (page) => page.textContent("main");

// desk logs the owner of a new firm in, beside an endpoint of the firm.
async function desk(t, options) {
  const [page, { base, owner }, receiver] = await Promise.all([open(t, browser, options), newDesk(product, operator), Receiver.open()]);
  t.after(() => receiver.close());
  await logIn(page, product, owner, new URL(base).pathname);
  return { page, base, receiver };
}

// create makes a webhook and returns its secret; the page is the one about it.
async function create(page, base, url) {
  await page.goto(`${base}/webhooks/add`);
  await page.fill("#url", url);
  await send(page, "Create webhook");
  const secret = await page.textContent(".once code");
  await page.click("a:has-text('I have copied it')");
  return secret;
}

// row waits until the newest event of the log has a state, and returns its text.
async function row(page, state, choose = (selector) => page.click(selector)) {
  return until(`an event to be ${state}`, async () => {
    await choose("a:has-text('Look again')");
    const text = await page.textContent("tbody tr >> nth=0").catch(() => "");
    return text.includes(state) && text;
  });
}

// button is a button of the page by its text.
const button = (text) => `main button:has-text("${text}")`;

both("make a webhook, test it, let it fail, send again, change the secret (T-51)", async (t, at, kind) => {
  const { page, base, receiver } = await desk(t);
  const hand = at(page);
  const see = (name) => kind === "mouse" && look(page, name);
  const seen = (state) => row(page, state, (selector) => hand.choose(selector));
  await hand.choose("nav >> text=Webhooks");
  await page.waitForURL("**/webhooks");
  await see("console-webhooks-none");
  await hand.choose("a:has-text('New test webhook')");
  await see("console-webhook-add");
  await hand.choose(button("Create webhook"));
  assert.match(await page.textContent("#summary"), /Enter the URL/);
  await hand.type("#url", "not a url");
  for (const box of await page.locator("fieldset input").all()) await hand.tick(box, false);
  await hand.choose(button("Create webhook"));
  await page.waitForSelector("#summary >> text=Choose at least one event");
  await see("console-webhook-add-errors");
  await hand.retype("#url", receiver.url);
  for (const box of await page.locator("fieldset input").all()) await hand.tick(box);
  await hand.choose(button("Create webhook"));
  await page.waitForSelector(".once code");
  const first = await page.textContent(".once code");
  assert.match(first, /^whsec_[A-Za-z0-9+/=]{32,}$/);
  await hand.choose("a:has-text('I have copied it')");
  await page.waitForURL("**/webhooks/wh_*");
  assert.ok(!(await page.content()).includes(first), "the secret is shown twice");
  await page.goto(`${base}/webhooks`);
  await hand.choose("tbody a");
  await page.waitForSelector("text=Nothing was sent yet");
  await see("console-webhook-fresh");

  await hand.choose(button("Send a test event"));
  await page.waitForSelector("text=A test event is on its way");
  assert.ok(signedBy(await receiver.message(0), first));
  assert.match(await seen("delivered"), /webhook\.test.*204.*ms/s);

  // It fails, and is tried again by itself until it is taken.
  receiver.status = 500;
  await hand.choose(button("Send a test event"));
  await receiver.message(1);
  assert.match(await seen("waiting"), /500.*\d\d:\d\d:\d\d UTC/s);
  receiver.status = 204;
  const { headers: sent } = receiver.got[1];
  const same = (from) => receiver.got.slice(from).find((m) => m.headers["webhook-id"] === sent["webhook-id"]);
  assert.ok(signedBy(await until("the second try", () => same(2)), first));
  assert.match(await seen("delivered"), /webhook\.test.*2.*204/s);
  await hand.choose("details >> nth=0 >> summary");
  assert.match(await page.textContent("details >> nth=0"), /2 tries.*500.*not today.*204/s);
  await see("console-webhook-log");

  const before = receiver.got.length;
  await hand.choose("tbody tr >> nth=0 >> button:has-text('Send again')");
  await page.waitForSelector("text=sent again, with the same id");
  assert.ok(signedBy(await until("it to come once more", () => same(before)), first));
  assert.match(await seen("delivered"), /webhook\.test.*3.*204/s);

  await hand.choose("a:has-text('Settings, secret')");
  await page.waitForURL("**/settings");
  await see("console-webhook-settings");
  await hand.pick("#overlap", "another hour");
  await hand.choose(button("Make a new secret"));
  await page.waitForSelector(".once code");
  const second = await page.textContent(".once code");
  assert.notEqual(second, first);
  await see("console-webhook-secret");
  await hand.choose("a:has-text('I have copied it')");
  await page.waitForSelector("text=Two secrets sign now");
  await hand.choose("a:has-text('Back to the webhook')");
  const last = receiver.got.length;
  await hand.choose(button("Send a test event"));
  const message = await receiver.message(last);
  assert.ok(signedBy(message, first) && signedBy(message, second), "while two keys live both sign");
});

test("send all since a time again, and see which failed", async (t) => {
  const { page, base, receiver } = await desk(t);
  await create(page, base, receiver.url);
  for (let i = 0; i < 3; i++) {
    await send(page, "Send a test event");
    await receiver.message(i);
  }
  await row(page, "delivered");
  await page.fill("#since", "");
  await send(page, "Send all since then again");
  assert.match(await page.textContent("#summary"), /Enter a day and a time/);
  assert.equal(await page.title(), "Error: Webhook – CCMS");
  await look(page, "console-webhook-since-errors");
  await page.fill("#since", new Date(Date.now() - 60 * 60 * 1000).toISOString().slice(0, 16));
  await send(page, "Send all since then again");
  assert.match(await main(page), /3 events are sent again/);
  await receiver.message(5);
  const ids = receiver.got.map((m) => m.headers["webhook-id"]);
  assert.deepEqual(new Set(ids.slice(3)), new Set(ids.slice(0, 3)), "they keep their ids");
  await page.selectOption("#status", "failed");
  await send(page, "Filter");
  assert.match(await main(page), /Nothing is selected/);
  await page.click("a:has-text('Show all')");
  assert.equal(await page.locator("tbody tr").count(), 3);
});

test("one that is gone is off, says why, and is switched on again", async (t) => {
  const { page, base, receiver } = await desk(t, { javaScriptEnabled: false });
  await create(page, base, receiver.url);
  receiver.status = 410;
  await send(page, "Send a test event");
  await receiver.message(0);
  await row(page, "failed");
  assert.match(await main(page), /The webhook is off.*answered that it is gone/s);
  assert.equal(await page.locator("button:has-text('Send')").count(), 0, "what is off is sent nothing");
  await page.goto(base);
  assert.match(await main(page), /A webhook is off, because it answered that it is gone/);
  await page.goto(`${base}/webhooks`);
  assert.match(await page.textContent("tbody tr"), /Off.*gone/s);
  await page.click("tbody a");
  await send(page, "Switch on");
  assert.match(await main(page), /is switched on/);
  receiver.status = 204;
  await send(page, "Send a test event");
  await row(page, "delivered");
  await send(page, "Switch off");
  assert.match(await main(page), /Somebody switched it off/);
});

test("change the events, then delete it", async (t) => {
  const { page, base, receiver } = await desk(t);
  await create(page, base, receiver.url);
  await page.click("a:has-text('Settings, secret')");
  for (const box of await page.locator("fieldset input").all()) await box.uncheck();
  await page.check("text=card.revealed");
  await send(page, "Save");
  assert.match(await main(page), /The webhook is changed/);
  assert.equal(await page.locator("fieldset input:checked").count(), 1);
  await page.click("a:has-text('Delete this webhook')");
  await look(page, "console-webhook-delete");
  await page.click("a:has-text('Keep it')");
  assert.match(await page.textContent("dl"), /card\.revealed/);
  assert.doesNotMatch(await page.textContent("dl"), /card\.deleted/);
  await page.goto(`${page.url()}/delete`);
  await send(page, "Delete the webhook");
  assert.match(await main(page), /is deleted.*There is none yet/s);
});
