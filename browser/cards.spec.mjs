// A person's cards: off and on, delete and undo, two windows, the way back, and
// all of it without JavaScript (T-16 to T-21).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { asked, both, launch, logIn, logInAgain, open, pause } from "./lib/browser.mjs";
import { look } from "./lib/look.mjs";
import { newPassword, start } from "./lib/product.mjs";

const visa = "4242424242424242";
const year = new Date().getUTCFullYear() + 3;

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch()])));
after(() => Promise.all([product?.stop(), browser?.close()]));

// withCard opens the cards of somebody new who has a Visa.
async function withCard(t, options) {
  const who = await product.signUp();
  await product.addCard(who, visa);
  const page = await open(t, browser, options);
  await logIn(page, product, who);
  return { who, page };
}

both("T-16: a card is switched off and on", async (t, hand) => {
  const { page } = await withCard(t);
  const control = page.getByRole("switch", { name: "Payments with the Visa card ending in 4242" });
  assert.equal(await control.getAttribute("aria-checked"), "true");
  await hand(page).choose("[role=switch]");
  await page.waitForSelector("text=The card is switched off.");
  assert.equal(await control.getAttribute("aria-checked"), "false");
  assert.ok(await page.evaluate(() => document.activeElement.textContent.includes("switched off")), "the message has the focus");
  await page.goto(`${product.portal}/cards`);
  assert.equal(await control.getAttribute("aria-checked"), "false");
  await hand(page).choose("[role=switch]");
  await page.waitForSelector("text=The card is switched on.");
  assert.equal(await control.getAttribute("aria-checked"), "true");
});

both("T-17: a card is deleted, brought back and deleted", async (t, hand) => {
  const { page } = await withCard(t);
  const remove = async () => {
    await hand(page).choose("a[href$='/delete']");
    await page.waitForSelector("h1:has-text('Delete the Visa card ending in 4242?')");
    await hand(page).choose("main button.danger");
    await page.waitForSelector("text=The card is deleted.");
  };
  await remove();
  assert.equal(await page.locator("li.tile").count(), 0);
  await hand(page).choose("form[action$='/restore'] button");
  await page.waitForSelector("text=The card is back.");
  assert.equal(await page.locator("li.tile").count(), 1);
  await remove();
  assert.equal(await page.locator("li.tile").count(), 0);
});

both("T-18: what another window did is explained", async (t, hand) => {
  const { page, who } = await withCard(t);
  const other = await page.context().newPage();
  await other.goto(`${product.portal}/cards`);
  await hand(page).choose("a[href$='/delete']");
  await page.waitForURL("**/delete");
  const stale = await page.context().newPage();
  await stale.goto(page.url());
  const remove = async () => {
    await hand(page).choose("main button.danger");
    await page.waitForSelector("text=The card is deleted.");
  };
  await remove();
  await hand(other).choose("[role=switch]");
  await other.waitForSelector("text=This card was deleted already.");
  await hand(stale).choose("main button.danger");
  await stale.waitForSelector("text=This card was deleted already.");
  await hand(page).choose("form[action$='/restore'] button");
  await page.waitForSelector("text=The card is back.");
  await hand(page).choose("a[href$='/delete']");
  await remove();
  await product.addCard(who, visa); // elsewhere
  await hand(page).choose("form[action$='/restore'] button");
  await page.waitForSelector("text=too late to undo");
});

describe("T-20: who does nothing for a while", () => {
  for (const kind of ["mouse", "keyboard"]) {
    test(`is asked, and stays logged in with the ${kind}`, async (t) => {
      const page = await away(t);
      const dialog = page.getByRole("alertdialog", { name: "Are you still there?" });
      assert.equal(await dialog.count(), 0);
      const seconds = await asked(page);
      assert.ok(seconds >= 20 && seconds <= 120, `${seconds} s to answer`);
      await page.clock.runFor((seconds - 60) * 1000);
      assert.match(await page.textContent("#stay [role=status]"), /in 60 seconds/);
      const answered = page.waitForResponse("**/stay");
      if (kind === "mouse") await page.click("text=Stay logged in");
      else await page.keyboard.press("Enter"); // the button has the focus
      assert.equal((await answered).status(), 200);
      await dialog.waitFor({ state: "hidden" });
      assert.equal(await page.evaluate(() => document.activeElement.id), "code", "the focus is where it was");
      await page.clock.runFor("10:00");
      assert.equal(await dialog.count(), 0, "the time begins anew");
      await asked(page);
      const escaped = page.waitForResponse("**/stay");
      await page.keyboard.press("Escape");
      await escaped;
      await dialog.waitFor({ state: "hidden" });
      assert.deepEqual(await typed(page), ["4242 4242 4242 4242", `12 / ${year}`, "123"], "nothing is lost");
    });
  }

  test("is asked in a way that everybody can answer", async (t) => {
    const page = await away(t);
    await asked(page);
    await page.clock.resume();
    await look(page, "stay");
  });

  test("is logged out in the end: number and code are cleared, the rest stays and can be sent", async (t) => {
    const page = await away(t);
    await asked(page);
    await page.clock.runFor("02:00");
    const over = page.getByRole("alertdialog", { name: "You were logged out" });
    await over.waitFor();
    assert.deepEqual(await typed(page), ["", `12 / ${year}`, ""]);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Log in again");
    await page.clock.resume();
    await look(page, "stay-over");
    await page.context().clearCookies(); // as the services have it
    const other = await logInAgain(page, page.who, () => page.keyboard.press("Enter"));
    assert.equal(new URL(other.url()).pathname, "/cards/add");
    await other.close();
    await over.waitFor({ state: "hidden" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "code", "the focus is where it was");
    await page.fill("#number", visa);
    await page.fill("#code", "123");
    await page.click("form.card-form button[type=submit]");
    await page.waitForURL("**/cards?done=added");
  });

  test("is logged out on a page with nothing to lose, and comes back to it", async (t) => {
    const page = await open(t, browser);
    await page.clock.install();
    const who = await product.signUp();
    await logIn(page, product, who, "/account");
    await pause(page);
    await asked(page);
    await page.clock.runFor("02:00");
    await page.context().clearCookies();
    await page.click("#stay a");
    await page.waitForURL("**/login?again=1&next=%2Faccount");
  });

  test("is not taken for another who logs in", async (t) => {
    const page = await away(t);
    await asked(page);
    await page.clock.runFor("02:00");
    await page.context().clearCookies();
    const told = page.evaluate(() => new Promise((heard) => (new BroadcastChannel("ccms-stay").onmessage = heard)).then(() => true));
    await logInAgain(page, await product.signUp(), () => page.keyboard.press("Enter"));
    await told;
    assert.ok(await page.getByRole("alertdialog", { name: "You were logged out" }).isVisible());
  });

  test("is told of an end that nothing puts off, once", async (t) => {
    const page = await away(t);
    await page.$eval("#stay", (dialog) => (dialog.dataset.last = ""));
    await asked(page);
    await page.keyboard.press("Enter");
    await page.clock.runFor(10_000);
    assert.equal(await page.getByRole("alertdialog").count(), 0);
    assert.ok(!page.seen.requests.some((r) => r.url().endsWith("/stay")));
    await page.clock.runFor("02:00");
    await page.getByRole("alertdialog", { name: "You were logged out" }).waitFor();
  });

  test("is asked in no window while another is used", async (t) => {
    const page = await away(t);
    await page.clock.runFor("11:00");
    const told = page.evaluate(() => new Promise((heard) => (new BroadcastChannel("ccms-stay").onmessage = heard)).then(() => true));
    const other = await page.context().newPage();
    await other.goto(`${product.portal}/cards`);
    await told;
    await page.clock.runFor("04:00");
    assert.equal(await page.getByRole("alertdialog").count(), 0);
  });

  test("and was logged out meanwhile hears so when he sends the form", async (t) => {
    const page = await away(t);
    const { name, value } = (await page.context().cookies()).find((c) => c.name.endsWith("ccms"));
    const ended = await fetch(`${product.portal}/logout`, { method: "POST", headers: { Cookie: `${name}=${value}` }, redirect: "manual" });
    assert.equal(ended.status, 303);
    await page.click("form.card-form button[type=submit]");
    await page.waitForSelector("#summary");
    assert.match(await page.textContent("#summary"), /You were logged out, so the card was not saved/);
    assert.deepEqual(await typed(page), ["", `12 / ${year}`, ""]);
    await page.click("#summary a");
    await page.waitForURL("**/login?again=1&next=%2Fcards%2Fadd");
  });
});

// away opens the form with a card typed in, under a clock that stands.
async function away(t) {
  const page = await open(t, browser);
  await page.clock.install();
  page.who = await product.signUp();
  await logIn(page, product, page.who, "/cards/add");
  await page.fill("#number", visa);
  await page.click("#expiry");
  await page.keyboard.type(`12${year}`);
  await page.fill("#code", "123");
  await pause(page);
  return page;
}

const typed = (page) => Promise.all(["#number", "#expiry", "#code"].map((id) => page.inputValue(id)));

both("T-19: the way back after saving shows no number", async (t, hand) => {
  const { page } = await withCard(t);
  await hand(page).choose("a[href='/cards/add']");
  await hand(page).type("#number", "5555555555554444");
  await hand(page).type("#expiry", `12${year}`);
  await hand(page).type("#code", "123");
  await hand(page).send("form.card-form button[type=submit]");
  await page.waitForURL("**/cards?done=added");
  await page.goBack();
  await page.waitForSelector("#number");
  assert.equal(await page.inputValue("#number"), "");
  assert.equal(await page.inputValue("#code"), "");
});

test("whoever has not confirmed the address is told so at the cards", async (t) => {
  const who = await product.signUp({ confirmed: false });
  const page = await open(t, browser);
  await logIn(page, product, who);
  assert.match(await page.textContent("main"), /Confirm your e-mail address/);
  assert.equal(await page.locator("a[href='/cards/add']").count(), 0);
  await page.click("main form[action='/resend'] button");
  await page.waitForSelector("text=Check your mail");
});

test("who was logged out comes back to the page asked for", async (t) => {
  const { page, who } = await withCard(t);
  await page.context().clearCookies();
  await page.goto(`${product.portal}/account`);
  await page.waitForURL("**/login?again=1**");
  assert.match(await page.textContent("main"), /Log in to go on/);
  await page.fill("#email", who.email);
  await page.fill("#password", who.password);
  await page.click("main button[type=submit]");
  await page.waitForURL("**/account");
});

test("T-21: everything works without JavaScript", async (t) => {
  const page = await open(t, browser, { javaScriptEnabled: false });
  const email = `no-script-${Date.now()}@example.com`;
  const password = newPassword();
  const person = { username: `no-script-${Date.now()}`, first: "No", last: "Script", email, password };
  const send = () => page.click("main form:has(button) >> nth=0 >> button[type=submit]");

  await page.goto(`${product.portal}/signup`);
  await page.fill("#email", "nobody");
  await send();
  assert.match(await page.textContent("#summary"), /Enter your first name/);
  for (const [id, value] of Object.entries(person)) await page.fill(`#${id}`, value);
  await send();
  await page.waitForSelector("text=Check your mail");
  await page.goto(await product.link(email, "/verify"));
  await send();
  await page.click("main a[href='/login']");
  await page.fill("#email", email);
  await page.fill("#password", password);
  await send();
  await page.waitForURL("**/cards");

  await page.click("a[href='/cards/add']");
  const card = async (number, expiry, code) => {
    await page.fill("#number", number);
    await page.fill("#expiry", expiry);
    await page.fill("#code", code);
    await send();
  };
  await card("4242 4242 4242 4241", `12/${year}`, "12");
  assert.equal(await page.locator("#summary li").count(), 2);
  assert.equal(await page.inputValue("#number"), "", "a number is never shown again");
  assert.equal(await page.inputValue("#code"), "");
  assert.equal(await page.inputValue("#expiry"), `12/${year}`);
  await card("4242-4242 4242 4242", `12 / ${year}`, "123");
  await page.waitForURL("**/cards?done=added");
  await page.click("a[href='/cards/add']");
  await card(visa, `12/${year}`, "123");
  assert.match(await page.textContent("#summary"), /You have this card already/);
  assert.equal(await page.getAttribute("#summary a", "href"), "/cards");
  await page.click("#summary a");
  await page.click("[role=switch]");
  await page.waitForSelector("text=The card is switched off.");
  await page.click("a[href$='/delete']");
  await page.click("main button.danger");
  await page.waitForSelector("text=The card is deleted.");

  await page.goto(`${product.portal}/account/delete`);
  await page.fill("#password", password);
  await send();
  await page.waitForSelector("text=Your account is deleted");
});
