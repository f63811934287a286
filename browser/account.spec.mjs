// People and their accounts: T-01 to T-06, changes, erasure.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { randomBytes } from "node:crypto";
import { both, Hand, launch, logIn, open } from "./lib/browser.mjs";
import { newPassword, start, until } from "./lib/product.mjs";

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

const newPerson = () => {
  const id = randomBytes(5).toString("hex");
  return { username: `sam-${id}`, first: "Sam", last: "Reed", email: `sam-${id}@example.com`, password: newPassword() };
};

describe("T-01: from signing up to the cards", () => {
  for (const kind of ["mouse", "keyboard"]) {
    test(`by ${kind}`, async (t) => {
      const page = await open(t, browser);
      const hand = new Hand(page, kind);
      const who = newPerson();
      await page.goto(product.portal);
      await hand.choose("main a[href='/signup']");
      for (const id of ["username", "first", "last", "email", "password"]) await hand.type(`#${id}`, who[id]);
      await hand.choose("main button[type=submit]");
      await page.waitForSelector("text=Check your mail");
      await until("the mail on the page of mails", async () => {
        await page.goto(`${product.portal}/mails`);
        return page.locator(`article:has-text("${who.email}")`).count();
      });
      await hand.choose(`article:has-text("${who.email}") a`);
      await page.waitForSelector(`main :text("${who.username}")`);
      await hand.choose("main button[type=submit]");
      await page.waitForSelector("text=Your e-mail address is confirmed");
      await hand.choose("main a[href='/login']");
      await hand.type("#email", who.email);
      await hand.type("#password", who.password);
      if (kind === "keyboard") await page.keyboard.press("Enter");
      else await hand.choose("main button[type=submit]");
      await page.waitForURL("**/cards");
      assert.match(await page.textContent("main"), /no cards yet/);
    });
  }
});

both("T-02: a scanner that opens the link uses nothing up", async (t, hand) => {
  const who = await product.signUp({ confirmed: false });
  const link = await product.link(who.email, "/verify");
  for (let i = 0; i < 2; i++) assert.equal((await fetch(link, { headers: { Accept: "text/html" } })).status, 200);
  const page = await open(t, browser);
  await page.goto(link);
  await hand(page).choose("main button[type=submit]");
  await page.waitForSelector("text=Your e-mail address is confirmed");
  await page.goto(link); // once more, from the mail
  await hand(page).choose("main button[type=submit]");
  await page.waitForSelector("text=Your e-mail address is confirmed");
});

both("T-03: asking for the mail again too early counts down and sends none", async (t, hand) => {
  const page = await open(t, browser);
  const who = newPerson();
  await page.clock.install();
  await page.goto(`${product.portal}/signup`);
  for (const id of ["username", "first", "last", "email", "password"]) await hand(page).type(`#${id}`, who[id]);
  await hand(page).send("main button[type=submit]");
  await product.link(who.email, "/verify");
  await hand(page).choose("main form[action='/resend'] button");
  const left = page.locator("[data-countdown]");
  const from = Number(await left.textContent());
  assert.ok(from > 0 && from <= 60, `${from} s`);
  await page.clock.runFor(5_000);
  const now = Number(await left.textContent());
  assert.ok(now <= from - 5 && now >= from - 6, `${from} s, after five ${now} s`);
  await page.clock.runFor(60_000);
  await page.waitForSelector("text=You can ask for another mail now");
  assert.equal((await product.mails(who.email)).length, 1);
});

both("T-04: five wrong passwords lock, a reset unlocks", async (t, hand) => {
  const who = await product.signUp();
  const page = await open(t, browser);
  await page.goto(`${product.portal}/login`);
  await hand(page).type("#email", who.email);
  for (let i = 0; i < 6; i++) {
    await hand(page).type("#password", "not-the-password-1");
    await Promise.all([page.waitForEvent("load"), hand(page).send("main button[type=submit]")]);
    await page.waitForSelector("#summary");
    assert.equal(await page.inputValue("#email"), who.email);
    assert.equal(await page.inputValue("#password"), "");
  }
  assert.match(await page.textContent("#summary"), /locked for 30 minutes/);
  await hand(page).choose("main a[href='/forgot-password']");
  await page.waitForURL("**/forgot-password");
  await hand(page).type("#email", who.email);
  await hand(page).send("main button[type=submit]");
  await page.goto(await product.link(who.email, "/reset-password"));
  who.password = newPassword();
  await hand(page).type("#newPassword", who.password);
  await hand(page).type("#confirmPassword", who.password);
  await hand(page).send("main button[type=submit]");
  await page.waitForSelector("text=Log in with the new password");
  await logIn(page, product, who);
});

test("T-05: a password manager can fill the form", async (t) => {
  const who = await product.signUp();
  const page = await open(t, browser);
  await page.goto(`${product.portal}/login`);
  await page.evaluate(({ email, password }) => {
    for (const [token, value] of [["username", email], ["current-password", password]]) {
      const input = document.querySelector(`input[autocomplete="${token}"]`);
      input.value = value;
      for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }, who);
  await page.click("main button[type=submit]");
  await page.waitForURL("**/cards");
});

both("T-06: a link for a new password works once", async (t, hand) => {
  const who = await product.signUp();
  await fetch(`${product.portal}/api/customer/forgot-password`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email: who.email }) });
  const link = await product.link(who.email, "/reset-password");
  const page = await open(t, browser);
  const set = async (password, again = password) => {
    await page.goto(link);
    await hand(page).type("#newPassword", password);
    await hand(page).type("#confirmPassword", again);
    await Promise.all([page.waitForEvent("load"), hand(page).send("main button[type=submit]")]);
  };
  await set(newPassword(), newPassword());
  assert.match(await page.textContent("#summary"), /not the same/);
  await set("short-1");
  assert.match(await page.textContent("#summary"), /Choose another password/);
  await set(newPassword());
  await page.waitForSelector("text=Log in with the new password");
  await set(newPassword());
  await page.waitForSelector("text=This link does not work");
  assert.equal(await page.locator("main a[href='/forgot-password']").count(), 1);
});

test("the password shows on demand, and is hidden again when it is sent", async (t) => {
  const page = await open(t, browser);
  await page.goto(`${product.portal}/login`);
  await page.fill("#password", "what-i-typed-1");
  const button = page.locator("button[aria-controls=password]");
  assert.equal(await button.textContent(), "Show password");
  await button.press("Enter");
  assert.equal(await page.getAttribute("#password", "type"), "text");
  assert.equal(await page.inputValue("#password"), "what-i-typed-1");
  assert.equal(await button.textContent(), "Hide password");
  assert.match(await page.textContent("[role=status]"), /shown/);
  const sent = page.waitForRequest((r) => r.method() === "POST");
  await page.evaluate(() => document.querySelector("main form").addEventListener("submit", () => (document.title = document.querySelector("#password").type)));
  await page.press("#password", "Enter");
  await sent;
  assert.equal(await page.getAttribute("#password", "type"), "password");
});

test("an error takes the focus, is in the title, and leads to its field", async (t) => {
  const page = await open(t, browser);
  await page.goto(`${product.portal}/signup`);
  await page.fill("#email", "nobody");
  await page.click("main button[type=submit]");
  await page.waitForSelector("#summary");
  assert.match(await page.title(), /^Error: /);
  assert.equal(await page.evaluate(() => document.activeElement.id), "summary");
  assert.equal(await page.inputValue("#email"), "nobody");
  await page.click("#summary a[href='#first']");
  assert.equal(await page.evaluate(() => document.activeElement.id), "first");
});

test("name, address and password change; other sessions end; everything is erased", async (t) => {
  const who = await product.signUp();
  await product.token(who); // another place
  const page = await open(t, browser);
  await logIn(page, product, who, "/account");

  await page.fill("#first", "Joan");
  await page.click("section[aria-labelledby=name-title] button[type=submit]");
  await page.waitForSelector("text=Your name is saved.");
  assert.equal(await page.inputValue("#first"), "Joan");

  await page.click("section[aria-labelledby=sessions-title] form button");
  await page.waitForSelector("text=That session has ended.");

  const email = `new-${who.email}`;
  await page.fill("#email", email);
  await page.fill("#emailPassword", "not-the-password-1");
  await page.click("section[aria-labelledby=email-title] button[type=submit]");
  assert.match(await page.textContent("#summary"), /not your current password/);
  assert.equal(await page.inputValue("#email"), email);
  await page.fill("#emailPassword", who.password);
  await page.click("section[aria-labelledby=email-title] button[type=submit]");
  await page.waitForSelector("text=We sent a link to the new address");
  await page.goto(await product.link(email, "/verify"));
  await page.click("main button[type=submit]");
  await page.waitForSelector("text=Your e-mail address is confirmed");
  who.email = email;

  await page.goto(`${product.portal}/account`);
  const password = newPassword();
  for (const [id, value] of [["currentPassword", who.password], ["newPassword", password], ["confirmPassword", password]]) await page.fill(`#${id}`, value);
  await page.click("section[aria-labelledby=password-title] button[type=submit]");
  await page.waitForSelector("text=Your password is changed");
  who.password = password;

  await logIn(page, product, who, "/account");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[href='/account/export']")]);
  assert.equal(download.suggestedFilename(), "ccms-export.json");
  await page.click("a[href='/account/delete']");
  await page.fill("#password", password);
  await page.click("main button[type=submit]");
  await page.waitForSelector("text=Your account is deleted");
  await page.goto(`${product.portal}/cards`);
  await page.waitForURL("**/login?again=1**");
});
