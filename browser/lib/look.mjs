// How a page looks, and whether everybody can use it.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { AxeBuilder } from "@axe-core/playwright";

const artefacts = new URL("../artefacts/", import.meta.url).pathname;
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// accessible fails when axe finds anything.
export async function accessible(page, name) {
  const { violations } = await new AxeBuilder({ page }).withTags(rules).analyze();
  const found = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`);
  assert.deepEqual(found, [], `axe on ${name}`);
}

// fits fails when a page has to be scrolled sideways (WCAG 1.4.10).
export async function fits(page, name) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${name} is ${wide} px wide in ${room} px`);
}

// look checks a state of a page narrow and light, wide and dark, and keeps a
// picture of each.
export async function look(page, name) {
  await mkdir(artefacts, { recursive: true });
  const language = await page.evaluate(() => ({ lang: document.documentElement.lang, dir: document.documentElement.dir, title: document.title }));
  assert.match(language.lang, /^(en|ar)$/, name);
  assert.equal(language.dir, language.lang === "ar" ? "rtl" : "ltr", name);
  assert.match(language.title, /.+ – CCMS$/, name);
  const before = page.viewportSize();
  for (const [width, colorScheme] of [[320, "light"], [1280, "dark"]]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    await fits(page, `${name} at ${width} px`);
    await accessible(page, `${name}, ${width} px, ${colorScheme}`);
    await picture(page, `${name}-${language.lang}-${width}-${colorScheme}`);
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}

// picture keeps a picture of the page as it is.
export async function picture(page, name) {
  await mkdir(artefacts, { recursive: true });
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage: true, animations: "disabled" });
}
