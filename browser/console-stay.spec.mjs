// Who does nothing for a while in the console is asked whether to stay, loses no
// form, and leaves no secret on the screen (T-20).

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { asked, both, launch, logIn, logInAgain, open, pause } from "./lib/browser.mjs";
import { newDesk, newOperator } from "./lib/desk.mjs";
import { look } from "./lib/look.mjs";
import { start } from "./lib/product.mjs";

let product, browser, operator;
before(async () => {
  [product, browser] = await Promise.all([start(), launch()]);
  operator = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

const dialog = (page, name) => page.getByRole("alertdialog", { name });
const soon = (page) => dialog(page, "Are you still there?");
const over = (page) => dialog(page, "You were logged out");

// away opens a page of a new firm under a clock that stands once there is
// something on it.
async function away(t, path, fill = async () => {}) {
  const [page, { base, owner }] = await Promise.all([open(t, browser), newDesk(product, operator)]);
  await page.clock.install();
  await logIn(page, product, owner, new URL(base).pathname + path);
  await fill(page);
  await pause(page);
  return { page, base, owner };
}

both("whoever is there stays logged in, and goes on with the form", async (t, hand, kind) => {
  const { page } = await away(t, "/clients/add", (p) => p.fill("#name", "Web shop"));
  const seconds = await asked(page);
  assert.ok(seconds >= 20 && seconds <= 120, `${seconds} s to answer`);
  const answered = page.waitForResponse("**/stay");
  if (kind === "mouse") await page.click("text=Stay logged in");
  else await page.keyboard.press("Escape");
  assert.equal((await answered).status(), 200);
  await soon(page).waitFor({ state: "hidden" });
  await page.clock.resume();
  await hand(page).choose("main button:has-text('Create client')");
  await page.waitForSelector(".once code");
});

test("a form that was left is sent after logging in again in another window", async (t) => {
  const { page, owner } = await away(t, "/webhooks/add", async (p) => {
    await p.fill("#url", "https://shop.example/hook");
    await p.uncheck("[name='events.card.enabled']");
  });
  await asked(page);
  await page.clock.runFor("02:00");
  await over(page).waitFor();
  await page.clock.resume();
  await look(page, "console-stay-over");
  await page.context().clearCookies(); // as the services have it
  const other = await logInAgain(page, owner, () => page.keyboard.press("Enter"));
  assert.match(other.url(), /\/webhooks\/add$/);
  await over(page).waitFor({ state: "hidden" });
  assert.equal(await page.inputValue("#url"), "https://shop.example/hook");
  assert.equal(await page.isChecked("[name='events.card.enabled']"), false);
  await page.click("main button:has-text('Create webhook')");
  await page.waitForSelector(".once code");
});

test("a secret that is shown once does not stay on a screen that was left", async (t) => {
  const { page, base } = await away(t, "/clients/add", async (p) => {
    await p.fill("#name", "Web shop");
    await p.click("main button:has-text('Create client')");
    await p.waitForSelector(".once code");
  });
  const secret = await page.textContent(".once code");
  await asked(page);
  await page.clock.runFor("02:00");
  await over(page).waitFor();
  assert.ok(!(await page.content()).includes(secret));
  await page.context().clearCookies();
  await page.click("#stay a");
  await page.waitForURL(`**/login?again=1&next=${encodeURIComponent(`${new URL(base).pathname}/clients/add`)}`);
});

test("whoever looks for something comes back to what was selected", async (t) => {
  const { page, owner } = await away(t, "/registrations?status=verified&last4=4242");
  await asked(page);
  await page.clock.runFor("02:00");
  await page.context().clearCookies();
  await page.click("#stay a");
  await page.waitForURL("**/login?again=1**");
  await page.clock.resume();
  await page.fill("#email", owner.email);
  await page.fill("#password", owner.password);
  await page.click("main button[type=submit]");
  await page.waitForURL("**/registrations?last4=4242&status=verified");
  assert.equal(await page.inputValue("#last4"), "4242");
});

test("operators are asked too, and a form that was refused leads back to its page", async (t) => {
  const page = await open(t, browser);
  await page.clock.install();
  await logIn(page, product, operator, "/console/operations/people");
  await page.fill("#email", "nobody@example.com");
  await page.click("main button:has-text('Make an operator')");
  await page.waitForSelector("#summary");
  await pause(page);
  await asked(page);
  await page.clock.runFor("02:00");
  await over(page).waitFor();
  assert.equal(await page.getAttribute("#stay a", "href"), "/console/operations/people");
});
