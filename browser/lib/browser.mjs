// The browser, and what is watched in every page of every test: violations of
// the security policy, errors of scripts, requests to others.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { until } from "./product.mjs";

export function launch(...args) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium-headless-shell";
  // The sandbox needs rights that containers and root do not have.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", ...args] });
}

// open returns a page in a context of its own. When test t ends it must have
// seen nothing wrong.
export async function open(t, browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en", ...options });
  context.setDefaultTimeout(60_000); // on a busy machine; no wait is longer than it must be
  const seen = watch(context);
  t.after(async () => {
    await context.close();
    assert.deepEqual(seen.wrong.filter((w) => !seen.allowed?.test(w)), [], "the browser complained");
  });
  const page = await context.newPage();
  page.seen = seen;
  return page;
}

// expected is what the console says when a server answers no, which tests cause.
const expected = /^Failed to load resource/;

function watch(context) {
  const seen = { wrong: [], console: [], requests: [] };
  context.on("console", (m) => {
    seen.console.push(m.text());
    if (["error", "warning"].includes(m.type()) && !expected.test(m.text())) seen.wrong.push(`${m.page()?.url()}: ${m.text()}`);
  });
  context.on("weberror", (e) => seen.wrong.push(String(e.error())));
  context.on("request", (r) => seen.requests.push(r));
  // Reaches the console, and from there the list above.
  void context.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.effectiveDirective} ${e.blockedURI}`)),
  );
  return seen;
}

// logIn logs a person in by the page, again where that says to come back: on a
// busy machine a password may not have its turn in time.
export async function logIn(page, product, who, path = "/cards") {
  await until("a login", async () => {
    await page.goto(`${product.portal}/login?next=${encodeURIComponent(path)}`);
    await page.fill("#email", who.email);
    await page.fill("#password", who.password);
    const posted = (r) => r.request().method() === "POST" && new URL(r.url()).pathname === "/login";
    const [answer] = await Promise.all([page.waitForResponse(posted), page.click("main button[type=submit]")]);
    return ![503, 504].includes(answer.status());
  });
  await page.waitForURL(`**${path}`);
}

// pause stops the clock of a page, a little after now, so that it moves only by
// hand. It needs page.clock.install before the page is loaded.
export const pause = async (page) => page.clock.pauseAt(new Date((await page.evaluate(() => Date.now())) + 5_000));

// asked moves the clock of a page on until it asks whether somebody is there, and
// returns the seconds to answer it.
export async function asked(page) {
  for (let i = 0; i < 200; i++) {
    if (await page.$eval("#stay", (dialog) => dialog.open)) return Number(await page.textContent("#stay [data-left]"));
    await page.clock.runFor(5_000);
  }
  throw new Error("nobody asked");
}

// logInAgain logs a person in in the window that a page opens for it, and closes
// that.
export async function logInAgain(page, who, choose) {
  const [other] = await Promise.all([page.waitForEvent("popup"), choose()]);
  await other.waitForURL("**/login?again=1**");
  await other.fill("#email", who.email);
  await other.fill("#password", who.password);
  await other.click("main button[type=submit]");
  await other.waitForURL((url) => url.pathname !== "/login");
  await other.waitForLoadState();
  return other;
}

// both makes a test of each way to do something: with the mouse, and with the
// keyboard alone.
export function both(name, what) {
  for (const kind of ["mouse", "keyboard"]) test(`${name} (${kind})`, (t) => what(t, (page) => new Hand(page, kind), kind));
}

// Hand does what a person does, with the mouse or with the keyboard alone. The
// keyboard has to find everything by Tab.
export class Hand {
  constructor(page, kind) {
    this.page = page;
    this.keys = kind === "keyboard";
  }

  async choose(selector) {
    const target = await this.find(selector);
    if (!this.keys) return target.click();
    await this.reach(target);
    await this.page.keyboard.press("Enter");
  }

  async type(selector, text) {
    const target = await this.find(selector);
    if (this.keys) await this.reach(target);
    else await target.click();
    await this.page.keyboard.type(text);
  }

  // retype puts text in the place of what stands in a field.
  async retype(selector, text) {
    const target = await this.find(selector);
    if (this.keys) {
      await this.reach(target);
      await this.page.keyboard.press("Control+A");
    } else {
      await target.click({ clickCount: 3 });
    }
    await (text === "" ? this.page.keyboard.press("Delete") : this.page.keyboard.type(text));
  }

  // pick chooses the option of a select whose text has a text in it.
  async pick(selector, text) {
    const target = await this.find(selector);
    const at = (await target.locator("option").allTextContents()).findIndex((option) => option.includes(text));
    assert.ok(at >= 0, `there is no option ${text}`);
    if (this.keys) {
      await this.reach(target);
      await this.page.keyboard.press("Home");
      for (let i = 0; i < at; i++) await this.page.keyboard.press("ArrowDown");
    } else {
      await target.selectOption({ index: at });
    }
    assert.equal(await target.evaluate((e) => e.selectedIndex), at);
  }

  // tick checks a box, or unchecks it.
  async tick(selector, on = true) {
    const target = await this.find(selector);
    if ((await target.isChecked()) === on) return;
    if (!this.keys) return target.setChecked(on);
    await this.reach(target);
    await this.page.keyboard.press("Space");
  }

  // send sends the form around a field that was just typed in.
  async send(selector) {
    if (this.keys) await this.page.keyboard.press("Enter");
    else await this.choose(selector);
  }

  // find waits for the first of what a selector means. A place in a frame is
  // given as a locator.
  async find(selector) {
    const target = (typeof selector === "string" ? this.page.locator(selector) : selector).first();
    await target.waitFor();
    return target;
  }

  async reach(target) {
    const there = () => target.evaluate((e) => e === document.activeElement && document.hasFocus());
    for (let i = 0; i < 120; i++) {
      if (await there()) return;
      await this.page.keyboard.press("Tab");
    }
    throw new Error(`Tab does not reach ${target}`);
  }
}
