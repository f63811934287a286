// Links and the form builder: what the console gives a firm to copy works on the
// firm's site as it stands there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, logIn, open } from "./lib/browser.mjs";
import { newDesk, newOperator } from "./lib/desk.mjs";
import { Site } from "./lib/firm.mjs";
import { look, picture } from "./lib/look.mjs";
import { start, until } from "./lib/product.mjs";

let product, browser, operator;
before(async () => {
  [product, browser] = await Promise.all([start(), launch()]);
  operator = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

const send = (page, text) => page.click(`main button:has-text("${text}")`);
const main = (page) => page.textContent("main");

// desk logs the owner of a new firm in, whose client may have the form at site.
async function desk(t, site, options) {
  const [page, { base, owner }] = await Promise.all([open(t, browser, options), newDesk(product, operator)]);
  await logIn(page, product, owner, new URL(base).pathname);
  await page.goto(`${base}/links/form`);
  assert.match(await main(page), /there is no test client yet/);
  await page.click("a:has-text('Make one first')");
  await page.fill("#name", "Web shop");
  await page.fill("#origins", site.origin);
  await page.fill("#returns", `${site.origin}/thanks`);
  await send(page, "Create client");
  return { page, base, site };
}

// site opens a firm's site, which is reached by the name localhost: that is what
// a test client may name without https.
async function firmSite(t) {
  const site = await Site.open();
  site.origin = site.origin.replace("127.0.0.1", "localhost");
  t.after(() => site.close());
  return site;
}

// enter fills in the card form, on a page or in a frame.
async function enter(form) {
  await form.locator("#number").fill("4242424242424242");
  await form.locator("#expiry").fill(`12${new Date().getUTCFullYear() + 2}`);
  await form.locator("#code").fill("123");
  await form.locator("#name").fill("Jane Doe");
  await form.locator("form.card-form button[type=submit]").click();
}

test("what the form builder gives to copy shows the form in a frame", async (t) => {
  const { page, base, site } = await desk(t, await firmSite(t));
  await page.goto(`${base}/links/form`);
  await look(page, "console-builder");
  const frame = page.locator("#place option", { hasText: "a frame on" }); // on the page to make a link too
  await page.selectOption("#place", await frame.getAttribute("value"));
  await page.selectOption("#language", "ar");
  await page.selectOption("#scheme", "dark");
  await send(page, "Show");
  assert.equal(await page.getAttribute(".example", "dir"), "rtl");
  await look(page, "console-builder-frame");
  await page.setViewportSize({ width: 900, height: 1000 });
  await picture(page, "guide-form-builder", { fullPage: false });
  await page.setViewportSize({ width: 1280, height: 800 });
  assert.equal(await page.locator("[data-copy] button:has-text('Copy')").count(), 5);
  const [call, markup, script, policy] = await page.locator(".snippet code").allTextContents();
  assert.match(call, new RegExp(`"mode":"embed","origin":"${site.origin}"`));

  // The firm makes a link by hand and puts all of it on its page.
  await page.goto(`${base}/links/add`);
  await page.selectOption("#place", await frame.getAttribute("value"));
  await page.selectOption("#expires", "900");
  await page.fill("#reference", "order 7");
  await look(page, "console-link-add");
  await send(page, "Make the link");
  const link = await page.textContent(".once code");
  site.page("/your-own.js", script.replace(/finish\(registrationId\)/, "document.title = registrationId"), { "Content-Type": "text/javascript" });
  const shop = site.page("/", `<!DOCTYPE html><html lang="en"><title>Shop</title><main>${markup.replace("LINK", link)}</main></html>`, {
    "Content-Security-Policy": policy.replace(/^Content-Security-Policy: /, ""),
  });
  const buyer = await open(t, browser);
  await buyer.goto(shop.replace("127.0.0.1", "localhost"));
  const form = buyer.frameLocator("iframe.ccms-card-form");
  assert.equal(await form.locator("html").getAttribute("dir"), "rtl");
  await enter(form);
  const id = await until("the registration", async () => /^[0-9a-f-]{36}$/.exec(await buyer.title())?.[0]);
  await page.goto(`${base}/registrations/${id}`);
  assert.match(await main(page), /order 7/);

  await page.goto(`${base}/links`);
  await look(page, "console-links");
  await page.goto(`${base}/links/add`);
  await page.selectOption("#place", await frame.getAttribute("value"));
  await page.selectOption("#expires", "86400");
  await send(page, "Make the link");
  assert.match(await page.textContent("#summary"), /1800/, "it says why");
  await look(page, "console-link-add-errors");
});

test("without scripts: a link is made, found, and cancelled; another is used", async (t) => {
  const { page, base, site } = await desk(t, await firmSite(t), { javaScriptEnabled: false });
  const add = async (place, reference) => {
    await page.goto(`${base}/links/add`);
    await page.selectOption("#place", await page.locator("#place option", { hasText: place }).getAttribute("value"));
    await page.selectOption("#expires", "1800");
    await page.fill("#reference", reference);
    await send(page, "Make the link");
    return page.textContent(".once code");
  };
  const [first, second] = [await add("a link you send", "order 8"), await add("our page", "order 9")];
  await page.click("a:has-text('I have copied it')");
  await page.click("button:has-text('Cancel the link order 8')");
  assert.match(await main(page), /The link is cancelled/);
  const [one, two] = [await open(t, browser), await open(t, browser)];
  await one.goto(first);
  assert.match(await main(one), /withdrawn/);
  site.page("/thanks", "<!DOCTYPE html><html lang=en><title>Thanks</title></html>");
  await two.goto(second);
  await enter(two);
  await two.waitForURL(/\/thanks\?/);
  await page.selectOption("#status", "used");
  await send(page, "Filter");
  assert.match(await page.textContent("tbody"), /used.*order 9.*redirect/s);
});
