// People who read from right to left, need large letters, want no motion,
// choose their own colours or listen (T-22 to T-25).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { both, Hand, launch, logIn, open } from "./lib/browser.mjs";
import { accessible, fits, picture } from "./lib/look.mjs";
import { start, until } from "./lib/product.mjs";
import { Reader } from "./lib/reader.mjs";

const year = new Date().getUTCFullYear() + 3;
const paths = ["/", "/signup", "/login", "/cards", "/cards/add", "/account"];

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

both("T-22: in Arabic the page turns, and digits do not", async (t, hand) => {
  const page = await open(t, browser, { locale: "ar" });
  await logIn(page, product, await product.signUp(), "/cards/add");
  assert.equal(await page.getAttribute("html", "dir"), "rtl");
  for (const id of ["number", "expiry", "code"]) {
    const style = await page.$eval(`#${id}`, (e) => [getComputedStyle(e).direction, getComputedStyle(e).textAlign]);
    assert.deepEqual(style, ["ltr", "end"], id);
  }
  await hand(page).choose("form.card-form button[type=submit]");
  assert.match(await page.textContent("#summary"), /أدخل رقم بطاقتك/);
  await hand(page).type("#number", "٤٢٤٢424242424242");
  assert.equal(await page.inputValue("#number"), "4242 4242 4242 4242");
  await hand(page).type("#expiry", `12${year}`);
  await hand(page).type("#code", "١٢٣");
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.match(await page.textContent("main"), /أُضيفت البطاقة/);
  await hand(page).choose("[role=switch]");
  await page.waitForSelector("text=أُوقفت البطاقة");
});

test("T-23: at 400 % zoom, and with wide letters, nothing is cut off", async (t) => {
  // 1280 px at 400 % are 320 px. The policy of the pages lets nobody add a style,
  // which a person's own browser may.
  const page = await open(t, browser, { viewport: { width: 320, height: 256 }, bypassCSP: true });
  const who = await product.signUp();
  await product.addCard(who, "378282246310005", "1234");
  await logIn(page, product, who);
  for (const path of paths) {
    await page.goto(product.portal + path);
    await fits(page, path);
    // The values of WCAG 1.4.12.
    await page.addStyleTag({ content: "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important } p { margin-block-end: 2em !important }" });
    await fits(page, `${path} with wide letters`);
    const cut = await page.$$eval("a, button, input, label, h1, h2, p", (all) =>
      all.filter((e) => !e.closest(".hidden") && e.tagName !== "INPUT" && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline").map((e) => e.outerHTML.slice(0, 100)));
    assert.deepEqual(cut, [], path);
  }
  await picture(page, "wide-letters-account");
});

test("T-25: what a screen reader is told, from logging in to the card", async (t) => {
  const page = await open(t, browser);
  const reader = await Reader.of(page);
  const who = await product.signUp();
  const heard = (text) => until(`to hear ${text}`, () => reader.heard.some((h) => text.test(h)));

  await page.goto(`${product.portal}/login`);
  assert.equal(await page.title(), "Log in – CCMS");
  assert.equal(await reader.tab(), "link: Skip to main content");
  await page.keyboard.press("Enter");
  assert.equal(await reader.tab(), "textbox: E-mail address");
  await page.keyboard.type(who.email);
  assert.equal(await reader.tab(), "textbox: Password");
  await page.keyboard.type(who.password);
  assert.equal(await reader.tab(), "button: Show password");
  await page.keyboard.press("Space");
  await heard(/Your password is shown/);
  assert.equal(await reader.here(), "button: Hide password");
  assert.equal(await reader.tab(), "button: Log in");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/cards");
  assert.equal(await page.title(), "My cards – CCMS");

  await new Hand(page, "keyboard").choose("a[href='/cards/add']");
  await page.waitForURL("**/cards/add");
  await new Hand(page, "keyboard").type("#number", "378282246310005");
  assert.match(await reader.here(), /^textbox: Card number; 12 to 19 digits/);
  await heard(/^American Express\. The security code has 4 digits\.$/);
  assert.match(await reader.tab(), /^textbox: Expiry date; For example 10\/\d\d$/);
  await page.keyboard.type(`12${year}`);
  assert.equal(await reader.tab(), "textbox: Security code; 4 digits on the front");
  await page.keyboard.type("12");
  await page.keyboard.press("Enter");
  assert.equal(await page.title(), "Error: Add a card – CCMS");
  assert.match(await reader.here(), /: There is a problem$/);
  await heard(/^There is a problem Enter the 4-digit code on the front$/);
  assert.equal(await reader.tab(), "link: Enter the 4-digit code on the front");
  await page.keyboard.press("Enter");
  assert.equal(await reader.here(), "textbox: Security code; 4 digits on the front Error: Enter the 4-digit code on the front (invalid)");
  await page.keyboard.type("34");
  assert.equal(await reader.here(), "textbox: Security code; 4 digits on the front");
  assert.equal(await page.title(), "Add a card – CCMS");
  await page.keyboard.press("Enter");
  await heard(/^Saving the card$/);
  await page.waitForURL("**/cards?done=added");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "The card is added.");

  await new Hand(page, "keyboard").reach(page.locator("[role=switch]"));
  assert.equal(await reader.here(), "switch: Payments with the American Express card ending in 0005");
  assert.equal(await reader.tab(), "link: Delete American Express card ending in 0005");
});

test("T-24: nothing moves for who wants no motion", async (t) => {
  const page = await open(t, browser, { reducedMotion: "reduce" });
  await page.goto(product.portal);
  const moving = await page.$$eval("*", (all) =>
    all.filter((e) => ["transitionDuration", "animationDuration"].some((p) => parseFloat(getComputedStyle(e)[p]) > 0)).length);
  assert.equal(moving, 0);
});

test("T-24: in a person's own colours everything is still there", async (t) => {
  const page = await open(t, browser, { forcedColors: "active" });
  const who = await product.signUp();
  await product.addCard(who, "4242424242424242");
  await logIn(page, product, who);
  await accessible(page, "cards in forced colours");
  await picture(page, "forced-colors-cards");
  await page.goto(`${product.portal}/cards/add`);
  await page.press("#number", "Enter");
  await page.waitForSelector("#summary");
  await accessible(page, "errors in forced colours");
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none", "the focus is seen");
  await picture(page, "forced-colors-errors");
});

test("the focus is seen wherever Tab leads, and leads everywhere", async (t) => {
  const page = await open(t, browser, { reducedMotion: "reduce" });
  const who = await product.signUp();
  await product.addCard(who, "4242424242424242");
  await logIn(page, product, who);
  for (const path of paths) {
    await page.goto(product.portal + path);
    const all = await page.locator("a[href], button, input:not([type=hidden])").count();
    const seen = new Set();
    await page.evaluate(() => document.activeElement?.blur());
    for (let i = 0; i <= all; i++) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const e = document.activeElement;
        const box = e.getBoundingClientRect();
        return e === document.body ? undefined : { html: e.outerHTML.slice(0, 120), outline: getComputedStyle(e).outlineStyle, visible: box.bottom > 0 && box.top < innerHeight };
      });
      if (!at) break;
      assert.ok(at.outline !== "none" && at.visible, `${path}: ${at.html}`);
      seen.add(at.html);
    }
    assert.ok(seen.size >= all - 3, `${path}: Tab reaches ${seen.size} of ${all}`);
  }
});
