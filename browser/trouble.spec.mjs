// Pages that nobody can correct in a form: refused, too large, too late, not
// there at the moment. Each is caused as it happens.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, logIn, open } from "./lib/browser.mjs";
import { Site } from "./lib/firm.mjs";
import { look } from "./lib/look.mjs";
import { start, until } from "./lib/product.mjs";

// The card service waits for the login service no longer than an answer takes,
// so every call of it is too late, until the breaker opens, for long enough that
// a page can be shown.
const hasty = ["--creditcard.login-timeout", "1us", "--creditcard.breaker.wait-duration-in-open-state", "8s", "--creditcard.breaker.sliding-window-size", "20"];

let product, browser, site;
before(async () => {
  [product, browser, site] = await Promise.all([start(...hasty), launch(), Site.open()]);
});
after(() => Promise.all([product?.stop(), browser?.close(), site?.close()]));

describe("what went wrong is said, with a way on", { concurrency: 1 }, () => {
  for (const locale of ["en", "ar"]) {
    // shown looks at a page of trouble that names the request.
    const shown = async (page, status, name) => {
      assert.equal(status, Number(name));
      assert.match(await page.textContent("main code"), /^[A-Z2-7]{16}$/);
      await look(page, `trouble-${name}`);
    };

    test(`a form of another site, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      await page.goto(site.page("/", `<!DOCTYPE html><html lang="en"><title>Else</title><form method="post" action="${product.portal}/login"><button>Go</button></form></html>`));
      const [answer] = await Promise.all([page.waitForResponse("**/login"), page.click("button")]);
      await shown(page, answer.status(), "403");
    });

    test(`a form that is too large, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      await page.goto(`${product.portal}/signup`);
      await page.fill("#first", "x".repeat(17_000));
      const [answer] = await Promise.all([page.waitForResponse((r) => r.request().method() === "POST"), page.click("main button[type=submit]")]);
      await shown(page, answer.status(), "413");
    });

    test(`a service that is too slow, and then is not asked any more, in ${locale}`, async (t) => {
      const page = await open(t, browser, { locale });
      await logIn(page, product, await product.signUp(), "/account");
      const statuses = new Set();
      for (const name of ["504", "503"]) {
        await until(`the page of ${name}`, async () => {
          // To open the breaker takes many calls, which need not be drawn.
          if (name === "503" && (await page.request.get(`${product.portal}/cards`)).status() !== 503) return false;
          const status = (await page.goto(`${product.portal}/cards`)).status();
          statuses.add(status);
          return status === Number(name);
        });
        await shown(page, Number(name), name);
        assert.equal(await page.getAttribute("main a.button", "href"), "/cards", "it can be tried again");
      }
      assert.deepEqual([...statuses].sort(), [503, 504]);
    });
  }
});
