// Every page in every state: axe finds nothing, nothing is cut off at 320 px,
// and a picture of each is kept (T-45). In English and in Arabic (T-22).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, logIn, open } from "./lib/browser.mjs";
import { look } from "./lib/look.mjs";
import { start } from "./lib/product.mjs";

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

const send = (page) => page.click("main form button[type=submit] >> nth=0");

// outside looks at the pages of who is not logged in.
async function outside(page, confirmed, stranger) {
  const at = (path) => page.goto(product.portal + path);
  for (const [name, path] of [["home", "/"], ["signup", "/signup"], ["login", "/login"], ["forgot", "/forgot-password"], ["not-found", "/nothing-here"], ["mails", "/mails"]]) {
    await at(path);
    await look(page, name);
  }
  for (const path of ["/signup", "/login", "/forgot-password"]) {
    await at(path);
    await send(page);
    await page.waitForSelector("#summary");
    await look(page, `${path.slice(1)}-errors`);
  }
  await at("/login");
  await page.fill("#email", confirmed.email);
  await page.fill("#password", "not-the-password-1");
  await send(page);
  await page.waitForSelector("#summary");
  await look(page, "login-refused");
  await at("/login?again=1&next=%2Fcards");
  await look(page, "login-again");
  await at("/login?done=password");
  await look(page, "login-changed");
  await links(page, confirmed, stranger);
}

// links looks at where the links in mails lead.
async function links(page, confirmed, stranger) {
  const at = (path) => page.goto(product.portal + path);
  await page.goto(await product.link(stranger.email, "/verify"));
  await look(page, "verify");
  await send(page);
  await page.waitForSelector("main .done");
  await look(page, "verify-done");
  await at("/verify?token=half");
  await look(page, "verify-broken");
  await at("/forgot-password");
  await page.fill("#email", confirmed.email);
  await send(page);
  await page.waitForSelector("main strong");
  await look(page, "forgot-sent");
  await page.goto(await product.link(confirmed.email, "/reset-password"));
  await look(page, "reset");
  await page.fill("#newPassword", "short-1");
  await page.fill("#confirmPassword", "short-1");
  await send(page);
  await page.waitForSelector("#summary");
  await look(page, "reset-errors");
  await at("/reset-password");
  await look(page, "reset-broken");
}

// inside looks at the pages of who is logged in.
async function inside(page, who) {
  const at = (path) => page.goto(product.portal + path);
  await logIn(page, product, who);
  await look(page, "cards-none");
  for (const [number, code] of [["4242424242424242", "123"], ["378282246310005", "1234"], ["5555555555554444", "123"]]) await product.addCard(who, number, code);
  await at("/cards?done=added");
  await look(page, "cards-added");
  await page.click("[role=switch] >> nth=1");
  await page.waitForSelector("main .done");
  await look(page, "cards-off");
  await page.click("a[href$='/delete'] >> nth=2");
  await look(page, "delete-card");
  await send(page);
  await page.waitForSelector("form[action$='/restore']");
  await look(page, "cards-deleted");
  await form(page, at);
  await at("/account");
  await look(page, "account");
  await page.fill("#newPassword", "short-1");
  await page.click("section[aria-labelledby=password-title] button[type=submit]");
  await page.waitForSelector("#summary");
  await look(page, "account-errors");
  await at("/account?done=email");
  await look(page, "account-done");
  await at("/account/delete");
  await look(page, "delete-account");
  await page.fill("#password", who.password);
  await send(page);
  await page.waitForSelector("h1:not(:has-text('?'))");
  await look(page, "goodbye");
}

async function form(page, at) {
  await at("/cards/add");
  await look(page, "add");
  await page.press("#number", "Enter");
  await look(page, "add-errors");
  await page.fill("#number", "378282246310005");
  await page.fill("#expiry", "1330");
  await page.fill("#code", "12");
  await page.locator("#code").blur();
  await look(page, "add-amex");
  await page.context().setOffline(true);
  await page.fill("#expiry", `12/${new Date().getUTCFullYear() + 2}`);
  await page.fill("#number", "4242424242424242");
  await page.fill("#code", "123");
  await send(page);
  await page.waitForSelector("#summary p");
  await look(page, "add-offline");
  await page.context().setOffline(false);
}

describe("every page", { concurrency: 2 }, () => {
  for (const locale of ["en", "ar"]) {
    test(`of who is not logged in, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      const [confirmed, stranger] = await Promise.all([product.signUp(), product.signUp({ confirmed: false })]);
      await outside(page, confirmed, stranger);
    });

    test(`of who is logged in, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      await inside(page, await product.signUp());
    });

    test(`of who has not confirmed, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      await logIn(page, product, await product.signUp({ confirmed: false }));
      await look(page, "cards-unconfirmed");
      await page.click("main form[action='/resend'] button");
      await page.waitForSelector("[data-countdown]");
      await look(page, "check-mail");
      await page.goto(`${product.portal}/account`);
      await look(page, "account-unconfirmed");
    });
  }
});

test("the language is chosen on any page, and stays", async (t) => {
  const page = await open(t, browser);
  await page.goto(`${product.portal}/login`);
  await page.click("footer button[lang=ar]");
  await page.waitForURL("**/login");
  assert.equal(await page.getAttribute("html", "dir"), "rtl");
  await page.goto(product.portal);
  assert.equal(await page.getAttribute("html", "lang"), "ar");
  await page.click("footer button[lang=en]");
  await page.waitForSelector("html[lang=en]");
});
