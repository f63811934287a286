// How heavy the pages are, and what Lighthouse says of them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import lighthouse from "lighthouse";
import { launch, logIn, open } from "./lib/browser.mjs";
import { newFirm } from "./lib/firm.mjs";
import { freePort, start } from "./lib/product.mjs";

const kilobytes = 1024;

let product, browser, port;
before(async () => {
  port = await freePort(); // of the browser's debugger
  [product, browser] = await Promise.all([start(), launch(`--remote-debugging-port=${port}`)]);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

// settings have Lighthouse judge what is promised and no more. It need not wait
// long for a quiet network: these pages load nothing later.
const settings = {
  output: "json", logLevel: "error", formFactor: "desktop", screenEmulation: { disabled: true },
  onlyCategories: ["accessibility", "best-practices"], onlyAudits: ["cumulative-layout-shift", "network-requests"], skipAudits: ["bf-cache"],
  disableFullPageScreenshot: true, pauseAfterFcpMs: 0, pauseAfterLoadMs: 0, networkQuietThresholdMs: 100, cpuQuietThresholdMs: 100,
};

// judge returns the bytes of each type of file a page takes, after it has held
// the page to the rest of the budget.
async function judge(path, extraHeaders = {}) {
  const { lhr } = await lighthouse(product.portal + path, { ...settings, port, extraHeaders });
  const failed = Object.values(lhr.audits).filter((a) => a.score === 0 && a.scoreDisplayMode === "binary").map((a) => a.id);
  assert.equal(lhr.runtimeError, undefined);
  assert.equal(new URL(lhr.finalDisplayedUrl).pathname, path);
  assert.equal(lhr.categories.accessibility.score, 1, `${path}: ${failed}`);
  assert.ok(lhr.categories["best-practices"].score >= 0.95, `${path}: ${failed}`);
  assert.ok(lhr.audits["cumulative-layout-shift"].numericValue <= 0.02, `${path}: the layout shifts`);
  const requests = lhr.audits["network-requests"].details.items;
  const others = requests.map((r) => new URL(r.url)).filter((u) => u.protocol !== "data:" && u.origin !== new URL(product.portal).origin);
  assert.deepEqual(others.map(String), [], "requests to others");
  return Object.fromEntries(["Script", "Stylesheet"].map((type) => [type, requests.filter((r) => r.resourceType === type).reduce((sum, r) => sum + r.transferSize, 0)]));
}

// light holds a page on which a card is entered to the budget of its files, as
// they travel.
async function light(path, extraHeaders) {
  const { Script, Stylesheet } = await judge(path, extraHeaders);
  assert.ok(Script > 0 && Script <= 20 * kilobytes, `${path}: ${Script} bytes of script`);
  assert.ok(Stylesheet > 0 && Stylesheet <= 10 * kilobytes, `${path}: ${Stylesheet} bytes of style`);
  console.log(`${path.replace(/^(\/card\/).*/, "$1…")}: ${Script} bytes of script, ${Stylesheet} of style`);
}

for (const path of ["/", "/login", "/signup"]) test(`Lighthouse on ${path}`, () => judge(path));

test("Lighthouse on the pages of who is logged in", async (t) => {
  const page = await open(t, browser);
  const who = await product.signUp();
  await product.addCard(who, "4242424242424242");
  await logIn(page, product, who);
  const headers = { Cookie: (await page.context().cookies()).map((c) => `${c.name}=${c.value}`).join("; ") };
  await judge("/cards", headers);
  await judge("/account", headers);
  await light("/cards/add", headers);
});

test("Lighthouse on the hosted form", async () => {
  const firm = await newFirm(product, {});
  const { url } = await firm.link({ mode: "link" });
  await light(new URL(url).pathname);
});
