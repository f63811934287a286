// How a page looks, and whether everybody can use it.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { AxeBuilder } from "@axe-core/playwright";

const artefacts = new URL("../artefacts/", import.meta.url).pathname;
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// accessible fails when axe finds anything.
export async function accessible(page, name) {
  const found = page.frames().length > 1 ? await scanFrames(page) : await scan(page);
  assert.deepEqual(found.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`), [], `axe on ${name}`);
}

// scan lets axe look at a page without frames. It stays in the page, so that
// the next state of the same page costs no more than looking.
async function scan(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const options = { runOnly: rules, resultTypes: ["violations"] };
  return page.evaluate(async (o) => (await window.axe.run(document, o)).violations, options);
}

async function scanFrames(page) {
  return (await new AxeBuilder({ page }).withTags(rules).analyze()).violations;
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

// picture keeps a picture of the page as it is, or of what a window shows of it.
export async function picture(page, name, { fullPage = true } = {}) {
  await mkdir(artefacts, { recursive: true });
  await page.screenshot({ path: `${artefacts}${name}.png`, fullPage, animations: "disabled" });
}
