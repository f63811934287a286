// People who read from right to left, need large letters, want no motion or
// choose their own colours (T-22 to T-24).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, logIn, open } from "./lib/browser.mjs";
import { accessible, fits, picture } from "./lib/look.mjs";
import { start } from "./lib/product.mjs";

const year = new Date().getUTCFullYear() + 3;
const paths = ["/", "/signup", "/login", "/cards", "/cards/add", "/account"];

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

test("T-22: in Arabic the page turns, and digits do not", async (t) => {
  const page = await open(t, browser, { locale: "ar" });
  await logIn(page, product, await product.signUp(), "/cards/add");
  assert.equal(await page.getAttribute("html", "dir"), "rtl");
  for (const id of ["number", "expiry", "code"]) {
    const style = await page.$eval(`#${id}`, (e) => [getComputedStyle(e).direction, getComputedStyle(e).textAlign]);
    assert.deepEqual(style, ["ltr", "end"], id);
  }
  await page.press("#number", "Enter");
  assert.match(await page.textContent("#summary"), /أدخل رقم بطاقتك/);
  await page.click("#number");
  await page.keyboard.type("٤٢٤٢424242424242");
  assert.equal(await page.inputValue("#number"), "4242 4242 4242 4242");
  await page.click("#expiry");
  await page.keyboard.type(`12${year}`);
  await page.click("#code");
  await page.keyboard.type("١٢٣");
  await page.click("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  assert.match(await page.textContent("main"), /أُضيفت البطاقة/);
  await page.click("[role=switch]");
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
