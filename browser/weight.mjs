// How heavy the pages are, and what Lighthouse says of them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import lighthouse from "lighthouse";
import { launch, logIn, open } from "./lib/browser.mjs";
import { start } from "./lib/product.mjs";

const port = 20_000 + (process.pid % 20_000); // of the browser's debugger
const kilobytes = 1024;

let product, browser;
before(async () => ([product, browser] = await Promise.all([start(), launch(`--remote-debugging-port=${port}`)])));
after(() => Promise.all([product?.stop(), browser?.close()]));

// cookie logs somebody new in and returns what the browser then sends.
async function cookie(t) {
  const page = await open(t, browser);
  const who = await product.signUp();
  await product.addCard(who, "4242424242424242");
  await logIn(page, product, who);
  return (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ");
}

async function judge(path, headers = {}) {
  const { lhr } = await lighthouse(product.portal + path, {
    port, output: "json", logLevel: "error", onlyCategories: ["accessibility", "best-practices", "performance"],
    formFactor: "desktop", screenEmulation: { disabled: true }, throttlingMethod: "provided", extraHeaders: headers,
  });
  const failed = Object.values(lhr.audits).filter((a) => a.score === 0 && a.scoreDisplayMode === "binary").map((a) => a.id);
  assert.equal(new URL(lhr.finalDisplayedUrl).pathname, path);
  assert.equal(lhr.categories.accessibility.score, 1, `${path}: ${failed}`);
  assert.ok(lhr.categories["best-practices"].score >= 0.95, `${path}: ${failed}`);
  assert.ok(lhr.audits["cumulative-layout-shift"].numericValue <= 0.02, `${path}: the layout shifts`);
  const requests = lhr.audits["network-requests"].details.items;
  const others = requests.map((r) => new URL(r.url)).filter((u) => u.protocol !== "data:" && u.origin !== product.portal);
  assert.deepEqual(others.map(String), [], "requests to others");
  return requests;
}

test("Lighthouse finds the pages accessible, well made, calm, and asking nobody else", async (t) => {
  const headers = { Cookie: await cookie(t) };
  for (const path of ["/", "/login", "/signup"]) await judge(path);
  for (const path of ["/cards", "/account"]) await judge(path, headers);
  const requests = await judge("/cards/add", headers);
  const sent = (type) => requests.filter((r) => r.resourceType === type).reduce((sum, r) => sum + r.transferSize, 0);
  assert.ok(sent("Script") > 0 && sent("Script") <= 20 * kilobytes, `scripts of ${sent("Script")} bytes`);
  assert.ok(sent("Stylesheet") > 0 && sent("Stylesheet") <= 10 * kilobytes, `styles of ${sent("Stylesheet")} bytes`);
  console.log(`card page: ${sent("Script")} bytes of script, ${sent("Stylesheet")} of style`);
});
