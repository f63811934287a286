// The button beside what the console shows once (T-50).

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { both, launch, logIn, open } from "./lib/browser.mjs";
import { newDesk, newOperator } from "./lib/desk.mjs";
import { start } from "./lib/product.mjs";

let product, browser, operator;
before(async () => {
  [product, browser] = await Promise.all([start(), launch()]);
  operator = await newOperator(product);
});
after(() => Promise.all([product?.stop(), browser?.close()]));

both("a secret is copied", async (t, hand) => {
  const page = await open(t, browser, { permissions: ["clipboard-read", "clipboard-write"] });
  const { base, owner } = await newDesk(product, operator);
  await logIn(page, product, owner, new URL(base).pathname);
  await page.goto(`${base}/clients/add`);
  await hand(page).type("#name", "Web shop");
  await hand(page).send("main button[type=submit]");
  const secret = await page.textContent(".once code");
  await hand(page).choose(".once button");
  await page.waitForSelector(".once [role=status]:has-text('Copied')");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
});
